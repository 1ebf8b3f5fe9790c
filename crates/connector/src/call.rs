//! Where a call goes, and which hosts may see a credential.

use url::Url;

use crate::definition::Definition;
use crate::template::{Template, TemplateError, Values};

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
    if text.starts_with("http://") || text.starts_with("https://") {
        return parse(&text);
    }
    let base = definition.base_url.as_ref().ok_or(CallUrlError::NoBase)?;
    let base = base.fill_url(values)?;
    // Joined as text: a slash at the start of the target means the base, not the host's root.
    let joined = format!(
        "{}/{}",
        base.trim_end_matches('/'),
        text.trim_start_matches('/')
    );
    parse(&joined)
}

fn parse(text: &str) -> Result<Url, CallUrlError> {
    let wrong = || CallUrlError::Form(text.chars().take(100).collect());
    let url = Url::parse(text).map_err(|_| wrong())?;
    if matches!(url.scheme(), "http" | "https") && url.host().is_some() {
        Ok(url)
    } else {
        Err(wrong())
    }
}

/// The hosts that may see the connection's credential, as entries of a list, each with its port where one is
/// named.
#[must_use]
pub fn host_entries(definition: &Definition, values: &Values) -> Vec<String> {
    let templates = definition.hosts.iter().chain(&definition.base_url);
    let filled = templates.filter_map(|template| template.fill_url(values).ok());
    let mut all: Vec<String> = filled.filter_map(|text| host_of(&text)).collect();
    all.sort();
    all.dedup();
    all
}

/// The host of a URL, or the entry itself.
fn host_of(text: &str) -> Option<String> {
    if !text.contains("://") {
        return Some(text.to_lowercase());
    }
    let url = Url::parse(text).ok()?;
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}
