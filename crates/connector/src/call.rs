//! Where a call goes, and which hosts may see a credential.

use std::collections::BTreeSet;

use url::Url;

use crate::auth::Auth;
use crate::definition::Definition;
use crate::template::{Template, TemplateError, Values};
use crate::template_url::is_absolute;

/// Why an address is none of a connector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallUrlError {
    /// A value is missing or the template is wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Not a URL.
    #[error("{0:?} is no address of http or https")]
    Form(String),
    /// Relative, and there is nothing that it could be relative to.
    #[error("the connector has no base URL; give an absolute address")]
    NoBase,
}

/// The address of a template: absolute, or below the base URL.
///
/// # Errors
/// [`CallUrlError`].
pub fn call_url(
    definition: &Definition,
    target: &Template,
    values: &Values,
) -> Result<Url, CallUrlError> {
    let text = target.fill_url(values)?;
    if is_absolute(&text) || has_scheme(&text) {
        return parse(&text);
    }
    let base = definition.base_url.as_ref().ok_or(CallUrlError::NoBase)?;
    let mut base = parse(&base.fill_url(values)?)?;
    base.set_query(None);
    base.set_fragment(None);
    if text.is_empty() || text.starts_with(['?', '#']) {
        return parse(&format!("{base}{text}"));
    }
    // Joined as text: a slash at the start of the target means the base, not the host's root.
    let base = base.as_str().trim_end_matches('/');
    parse(&format!("{base}/{}", text.trim_start_matches('/')))
}

/// Whether a text names a scheme, as `ftp://x`. A colon further on is part of a path, as in `v1/x:find`.
fn has_scheme(text: &str) -> bool {
    text.split_once("://")
        .is_some_and(|(scheme, _)| !scheme.contains(['/', '?', '#']))
}

fn parse(text: &str) -> Result<Url, CallUrlError> {
    let wrong = || CallUrlError::Form(text.chars().take(100).collect());
    let url = Url::parse(text).map_err(|_| wrong())?;
    // A user and password in an address would be sent besides, or instead of, the credential.
    let plain = url.username().is_empty() && url.password().is_none();
    if matches!(url.scheme(), "http" | "https") && url.host().is_some() && plain {
        Ok(url)
    } else {
        Err(wrong())
    }
}

/// The hosts that may see the connection's credential, as entries of a list, each with its port where one is
/// named. An address without TLS is named with its port, for an entry without one means TLS.
#[must_use]
pub fn host_entries(definition: &Definition, values: &Values) -> Vec<String> {
    let templates = definition.hosts.iter().chain(&definition.base_url);
    let mut all: Vec<String> = templates.filter_map(|it| host_entry(it, values)).collect();
    all.sort();
    all.dedup();
    all
}

fn host_entry(template: &Template, values: &Values) -> Option<String> {
    let text = template.fill_url(values).ok();
    let Some(text) = text.filter(|text| is_absolute(text)) else {
        return template.fill_host(values).ok();
    };
    let url = parse(&text).ok()?;
    let host = url.host_str()?;
    Some(match (url.port(), url.scheme()) {
        (Some(port), _) => format!("{host}:{port}"),
        (None, "http") => format!("{host}:80"),
        (None, _) => host.to_owned(),
    })
}

/// The names of values that decide where credentials are sent: to calls, or to token endpoints.
#[must_use]
pub fn address_names(definition: &Definition) -> BTreeSet<String> {
    let mut templates: Vec<&Template> = definition
        .hosts
        .iter()
        .chain(&definition.base_url)
        .collect();
    match &definition.auth {
        Auth::Oauth2(rules) => {
            templates.push(&rules.token_url);
            templates.extend(&rules.refresh_url);
            templates.extend(&rules.authorize_url);
            templates.extend(&rules.device_url);
            templates.extend(rules.revoke.iter().map(|it| &it.url));
        }
        Auth::JwtBearer(rules) => templates.extend(&rules.token_url),
        Auth::Oauth1(_)
        | Auth::ApiKey(_)
        | Auth::Basic(_)
        | Auth::AwsSigv4(_)
        | Auth::MutualTls(_)
        | Auth::Custom(_)
        | Auth::Fields(_) => {}
    }
    let names = templates.into_iter().filter_map(|it| it.names().ok());
    names.flatten().collect()
}
