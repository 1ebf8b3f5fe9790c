//! Requests to token endpoints as a definition says them.

use std::collections::BTreeMap;

use marquetry_connector::{Auth, BodyForm, ClientAuth, Grant, JwtBearer, OAuth2};
use marquetry_testkit::Received;
use serde_json::{Value, json};

use crate::adapted::Held;
use crate::expected::{Body, Expected, all_filled, basic, endpoint, filled};
use crate::keys;

/// What a token is asked for with.
pub(crate) enum Stage<'a> {
    Code {
        code: &'a str,
        verifier: Option<&'a str>,
        redirect_uri: &'a str,
    },
    Device(&'a str),
    Kept,
}

type Form = BTreeMap<String, String>;

/// A request of OAuth 2.
pub(crate) fn oauth2(rules: &OAuth2, held: &Held, stage: &Stage<'_>) -> Result<Expected, String> {
    let refreshes = matches!(stage, Stage::Kept)
        && rules.grant != Grant::ClientCredentials
        && held.adapted.contains_key("refresh_token");
    let value = |name: &str| held.adapted.get(name).cloned().unwrap_or_default();
    let mut form: Form = if refreshes {
        all_filled(&rules.refresh_params, held)
    } else {
        all_filled(&rules.token_params, held)
    };
    let mut put = |name: &str, value: String| {
        form.entry(name.to_owned()).or_insert(value);
    };
    match stage {
        Stage::Code {
            code,
            verifier,
            redirect_uri,
        } => {
            put("grant_type", "authorization_code".to_owned());
            put("code", (*code).to_owned());
            put("redirect_uri", (*redirect_uri).to_owned());
            if let Some(verifier) = verifier {
                put("code_verifier", (*verifier).to_owned());
            }
        }
        Stage::Device(code) => {
            put(
                "grant_type",
                "urn:ietf:params:oauth:grant-type:device_code".to_owned(),
            );
            put("device_code", (*code).to_owned());
        }
        Stage::Kept if refreshes => {
            put("grant_type", "refresh_token".to_owned());
            put("refresh_token", value("refresh_token"));
        }
        Stage::Kept => {
            let word = if rules.grant == Grant::Password {
                "password"
            } else {
                "client_credentials"
            };
            put("grant_type", word.to_owned());
            if rules.grant == Grant::Password {
                put("username", value("username"));
                put("password", value("password"));
            }
            put_scope(rules, held, &mut form);
        }
    }
    let elsewhere = rules.refresh_url.as_ref().filter(|_| refreshes);
    let url = endpoint(elsewhere.unwrap_or(&rules.token_url), held)?;
    let mut all = Expected::to(if refreshes { "refresh" } else { "token" }, "POST", &url);
    all.headers = lower(all_filled(&rules.token_headers, held));
    finish(rules, held, form, &mut all);
    Ok(all)
}

/// The request for a device's code.
pub(crate) fn device(rules: &OAuth2, held: &Held) -> Result<Expected, String> {
    let url = rules.device_url.as_ref().ok_or("there is no device_url")?;
    let mut all = Expected::to("device", "POST", &endpoint(url, held)?);
    let mut form = Form::new();
    put_scope(rules, held, &mut form);
    finish(rules, held, form, &mut all);
    Ok(all)
}

/// The request that gives tokens back.
pub(crate) fn revoke(rules: &OAuth2, held: &Held) -> Result<Option<Expected>, String> {
    let Some(rule) = &rules.revoke else {
        return Ok(None);
    };
    let mut all = Expected::to("revoke", &rule.method, &endpoint(&rule.url, held)?);
    all.headers = lower(all_filled(&rule.headers, held));
    let mut form = all_filled(&rule.params, held);
    if rule.params.is_empty() {
        let values = &held.adapted;
        let token = values
            .get("refresh_token")
            .or_else(|| values.get("access_token"));
        form.insert("token".to_owned(), token.cloned().unwrap_or_default());
    }
    if rule.client {
        finish(rules, held, form, &mut all);
    } else {
        all.body = body(rules, form);
    }
    Ok(Some(all))
}

/// The scopes that a definition asks for, or those of provisioning.
pub(crate) fn scope(rules: &OAuth2, held: &Held) -> String {
    match held.adapted.get("scopes") {
        Some(text) => text.replace(' ', &rules.scope_separator),
        None => rules.scopes.join(&rules.scope_separator),
    }
}

fn put_scope(rules: &OAuth2, held: &Held, form: &mut Form) {
    let scope = scope(rules, held);
    if !scope.is_empty() {
        form.insert(rules.scope_parameter.clone(), scope);
    }
}

/// Adds who the client is.
fn finish(rules: &OAuth2, held: &Held, mut form: Form, all: &mut Expected) {
    let value = |name: &str| held.adapted.get(name).cloned().unwrap_or_default();
    let (id, secret) = (value("client_id"), value("client_secret"));
    match rules.client_auth {
        ClientAuth::Basic => {
            let coded = |text: &str| -> String {
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            let pair = format!("{}:{}", coded(&id), coded(&secret));
            all.headers.insert("authorization".to_owned(), basic(&pair));
        }
        ClientAuth::Body => {
            let both = [("client_id", id), ("client_secret", secret)].into_iter();
            let there = both.filter(|(_, value)| !value.is_empty());
            form.extend(there.map(|(name, value)| (name.to_owned(), value)));
        }
    }
    all.body = body(rules, form);
}

fn body(rules: &OAuth2, form: Form) -> Body {
    match rules.body {
        BodyForm::Form => Body::Form(form),
        BodyForm::Json => Body::Json(json!(form)),
    }
}

fn lower(headers: Form) -> Form {
    headers
        .into_iter()
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect()
}

/// The exchange of a signed claim, which is judged first: only the key's owner can make it.
pub(crate) fn exchange(
    auth: &Auth,
    held: &Held,
    received: &Received,
    now: i64,
) -> Result<Option<Expected>, String> {
    let Auth::JwtBearer(rules) = auth else {
        return Ok(None);
    };
    let Some(url) = &rules.token_url else {
        return Ok(None);
    };
    let mut form = received.form().into_iter();
    let assertion = form
        .find(|it| it.0 == "assertion")
        .ok_or("there is no assertion")?
        .1;
    judge(rules, held, &assertion, now)?;
    let mut all = Expected::to("exchange", "POST", &endpoint(url, held)?);
    let mut form = all_filled(&rules.token_params, held);
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    form.insert("grant_type".to_owned(), grant.to_owned());
    form.insert("assertion".to_owned(), assertion);
    all.body = Body::Form(form);
    Ok(Some(all))
}

fn judge(rules: &JwtBearer, held: &Held, assertion: &str, now: i64) -> Result<(), String> {
    let opened = keys::opened(assertion);
    let (header, claims) = opened.ok_or("the assertion is not signed by its key")?;
    let wrong = |what: String| Err(format!("the assertion has {header} and {claims}: {what}"));
    if header["alg"] != "RS256" {
        return wrong("alg".to_owned());
    }
    for (part, templates) in [(&header, &rules.header), (&claims, &rules.claims)] {
        for (name, template) in templates {
            if part[name] != json!(filled(template, held)) {
                return wrong(format!("{name} is not {:?}", filled(template, held)));
            }
        }
    }
    let times = [&claims["iat"], &claims["exp"]];
    let wanted: [Value; 2] = [now.into(), (now + i64::from(rules.lifetime_s)).into()];
    if times != [&wanted[0], &wanted[1]] {
        return wrong(format!("the times are not {wanted:?}"));
    }
    Ok(())
}
