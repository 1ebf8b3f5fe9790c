//! From a connector's request to one that carries the credential, and goes nowhere else with it.

use std::collections::BTreeMap;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use marquetry_connector::{
    Auth, Definition, InjectAt, MutualTls, Request, Signature, Template, TemplateError, Values,
    call_url, host_entries, may_go,
};
use marquetry_model::Timestamp;
use marquetry_outbound::sign::{SignError, oauth1, sigv4};
use marquetry_outbound::{HttpRequest, Identity};
use serde_json::Value;
use url::Url;

use crate::random;

/// How long the other side may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Why a request cannot be made from a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorizeError {
    #[error(transparent)]
    Url(#[from] marquetry_connector::CallUrlError),
    #[error(transparent)]
    Template(#[from] marquetry_connector::TemplateError),
    #[error(
        "{0} is none of the connector's hosts, so it is not sent the credential; the definition's `hosts` names them"
    )]
    Host(String),
    #[error("{0} cannot stand in a header")]
    Header(String),
    #[error("{0} is no method")]
    Method(String),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(transparent)]
    Identity(#[from] marquetry_outbound::http::IdentityError),
}

/// The request, with the connection's credential.
pub(crate) fn authorized(
    definition: &Definition,
    values: &Values,
    request: &Request,
    now: Timestamp,
) -> Result<HttpRequest, AuthorizeError> {
    let mut url = call_url(definition, &request.url, values)?;
    if !may_go(&host_entries(definition, values), &url) {
        return Err(AuthorizeError::Host(
            url.host_str().unwrap_or_default().to_owned(),
        ));
    }
    let method = method(&request.method)?;
    let mut headers = headers(definition, &request.headers, values)?;
    let mut body = match &request.body {
        Some(body) => body.fill(values)?.into_bytes(),
        None => Vec::new(),
    };
    if !body.is_empty() && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for inject in definition.auth.inject() {
        let value = match inject.value.fill(values) {
            Ok(value) => value,
            Err(TemplateError::Missing(name)) if !is_needed(definition, &name) => continue,
            Err(why) => return Err(why.into()),
        };
        match inject.at {
            InjectAt::Header => {
                let (name, value) = header(&inject.name, &value)?;
                // What a request says itself counts.
                headers.entry(name).or_insert(value);
            }
            InjectAt::Basic => drop(headers.insert(AUTHORIZATION, basic(&value)?)),
            InjectAt::Query => set_query(&mut url, &inject.name, &value),
            InjectAt::Body => body = with_field(&headers, body, &inject.name, value),
        }
    }
    let mut whole = HttpRequest::new(method, url);
    whole.headers = headers;
    whole.body = body;
    whole.timeout = TIMEOUT;
    sign(definition, values, &mut whole, now)?;
    Ok(whole)
}

/// Whether nothing can be sent without a value. What is made of an optional field, or of something that is chosen
/// or found out only after consent, is left out while it is not there.
pub(super) fn is_needed(definition: &Definition, name: &str) -> bool {
    // A place inside of a value is needed as its field is.
    let name = name.split('.').next().unwrap_or(name);
    let mut fields = definition.provisioning.iter().chain(&definition.fields);
    match fields.find(|field| field.name == name) {
        Some(field) => field.required,
        None => name == "access_token",
    }
}

/// Templates by name, without those whose values may be absent and are.
pub(crate) fn filled(
    definition: &Definition,
    templates: &BTreeMap<String, Template>,
    values: &Values,
) -> Result<BTreeMap<String, String>, TemplateError> {
    let mut all = BTreeMap::new();
    for (name, template) in templates {
        match template.fill(values) {
            Ok(value) => drop(all.insert(name.clone(), value)),
            Err(TemplateError::Missing(missing)) if !is_needed(definition, &missing) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(all)
}

/// `Basic` of `user:password`.
pub(super) fn basic(pair: &str) -> Result<HeaderValue, AuthorizeError> {
    use base64::Engine as _;
    let coded = base64::engine::general_purpose::STANDARD.encode(pair);
    secret_header(&format!("Basic {coded}"), "authorization")
}

fn secret_header(value: &str, name: &str) -> Result<HeaderValue, AuthorizeError> {
    let made = HeaderValue::from_str(value);
    let mut made = made.map_err(|_| AuthorizeError::Header(format!("the value of {name}")))?;
    made.set_sensitive(true);
    Ok(made)
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), AuthorizeError> {
    let wrong = || AuthorizeError::Header(format!("{name:?}"));
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
    Ok((parsed, secret_header(value, name)?))
}

/// Headers that are templates.
pub(super) fn headers(
    definition: &Definition,
    templates: &BTreeMap<String, Template>,
    values: &Values,
) -> Result<HeaderMap, AuthorizeError> {
    let mut headers = HeaderMap::new();
    for (name, value) in filled(definition, templates, values)? {
        let (name, value) = header(&name, &value)?;
        headers.insert(name, value);
    }
    Ok(headers)
}

pub(super) fn method(text: &str) -> Result<Method, AuthorizeError> {
    Method::from_bytes(text.as_bytes()).map_err(|_| AuthorizeError::Method(text.to_owned()))
}

/// Puts a parameter in place of those of its name.
fn set_query(url: &mut Url, name: &str, value: &str) {
    let others = url.query_pairs().filter(|(known, _)| known != name);
    let others: Vec<(String, String)> = others
        .map(|(n, v)| (n.into_owned(), v.into_owned()))
        .collect();
    let mut query = url.query_pairs_mut();
    query.clear().extend_pairs(others).append_pair(name, value);
}

/// A body with a further field, in JSON or as a form.
fn with_field(headers: &HeaderMap, body: Vec<u8>, name: &str, value: String) -> Vec<u8> {
    let is_form = headers.get(CONTENT_TYPE).is_some_and(|it| {
        it.as_bytes()
            .starts_with(b"application/x-www-form-urlencoded")
    });
    if is_form {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(url::form_urlencoded::parse(&body).filter(|(known, _)| known != name));
        form.append_pair(name, &value);
        return form.finish().into_bytes();
    }
    let mut json: Value = if body.is_empty() {
        Value::Object(serde_json::Map::new())
    } else {
        match serde_json::from_slice(&body) {
            Ok(json) => json,
            Err(_) => return body,
        }
    };
    let Some(fields) = json.as_object_mut() else {
        return body;
    };
    fields.insert(name.to_owned(), Value::String(value));
    json.to_string().into_bytes()
}

/// The certificate and the key that were entered.
pub(super) fn identity(rule: &MutualTls, values: &Values) -> Result<Identity, AuthorizeError> {
    let certificate = rule.certificate.fill(values)?;
    let key = rule.private_key.fill(values)?;
    Ok(Identity::from_pem(&certificate, &key)?)
}

fn sign(
    definition: &Definition,
    values: &Values,
    request: &mut HttpRequest,
    now: Timestamp,
) -> Result<(), AuthorizeError> {
    let instant = jiff::Timestamp::from_millisecond(now.as_millis()).unwrap_or_default();
    let fill =
        |template: &Option<Template>| template.as_ref().map(|it| it.fill(values)).transpose();
    match &definition.auth {
        Auth::Oauth1(rule) => {
            let (key, secret) = (
                rule.consumer_key.fill(values)?,
                rule.consumer_secret.fill(values)?,
            );
            let (token, token_secret) = (fill(&rule.token)?, fill(&rule.token_secret)?);
            let realm = fill(&rule.realm)?;
            let token = token.as_deref().zip(token_secret.as_deref());
            let credentials = oauth1::Credentials {
                consumer_key: &key,
                consumer_secret: &secret,
                token,
            };
            let nonce = random::hex(&random::bytes::<16>());
            let form = request.headers.get(CONTENT_TYPE);
            let is_form = form.is_some_and(|it| {
                it.as_bytes()
                    .starts_with(b"application/x-www-form-urlencoded")
            });
            let signed = oauth1::Request {
                method: &request.method,
                url: &request.url,
                form: is_form.then_some(request.body.as_slice()),
                realm: realm.as_deref(),
                extra: &[],
                nonce: &nonce,
                now: instant,
            };
            let method = match rule.signature {
                Signature::HmacSha256 => oauth1::Method::HmacSha256,
                Signature::HmacSha1 => oauth1::Method::HmacSha1,
                Signature::Plaintext => oauth1::Method::Plaintext,
            };
            let value = oauth1::authorization(method, &credentials, &signed)?;
            request.headers.insert(AUTHORIZATION, value);
        }
        Auth::AwsSigv4(rule) => {
            let (id, secret) = (
                rule.access_key_id.fill(values)?,
                rule.secret_access_key.fill(values)?,
            );
            // A token that nobody entered is none.
            let token = rule
                .session_token
                .as_ref()
                .and_then(|it| it.fill(values).ok());
            let token = token.filter(|it| !it.is_empty());
            let credentials = sigv4::Credentials {
                access_key_id: &id,
                secret_access_key: &secret,
                session_token: token.as_deref(),
            };
            let host = request.url.host_str().unwrap_or_default();
            let first = host.split('.').next().unwrap_or_default().to_owned();
            let service = fill(&rule.service)?
                .filter(|it| !it.is_empty())
                .unwrap_or(first);
            let region = rule.region.fill(values)?;
            let signed = sigv4::Request {
                method: &request.method,
                url: &request.url,
                headers: &request.headers,
                body: &request.body,
                region: &region,
                service: &service,
                now: instant,
            };
            let added = sigv4::headers(&credentials, &signed)?;
            request.headers.extend(added);
        }
        Auth::MutualTls(rule) => request.identity = Some(identity(rule, values)?),
        Auth::Oauth2(_)
        | Auth::JwtBearer(_)
        | Auth::ApiKey(_)
        | Auth::Basic(_)
        | Auth::Custom(_)
        | Auth::Fields(_) => {}
    }
    Ok(())
}
