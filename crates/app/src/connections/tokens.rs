//! Requests to token endpoints: for a new token, for a renewed one, and to give one back.

use std::collections::BTreeMap;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use marquetry_connector::{
    Algorithm, Auth, BodyForm, ClientAuth, Definition, Grant, JwtBearer, OAuth2, Revocation,
    Template, TokenAnswer, TokenError, TokenFault, Tokens, Values, read_answer, read_refusal,
};
use marquetry_model::Timestamp;
use marquetry_outbound::sign::jwt;
use marquetry_outbound::{HttpClient, HttpError, HttpRequest};
use serde_json::{Map, Value};
use url::Url;

use super::authorize::{basic, filled, headers, method};
use super::secret_values::{without_secrets, without_texts};
use crate::random;

/// How long a token endpoint may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Its answer is small.
const MOST_BYTES: usize = 256 << 10;
/// Parts of a request for a token that are kept nowhere and open something for a while.
const PASSING: [&str; 4] = ["assertion", "code", "code_verifier", "device_code"];

/// What a token is asked for with.
#[derive(Clone, Copy)]
pub(crate) enum Asked<'a> {
    /// What a consent gave.
    Code {
        code: &'a str,
        verifier: Option<&'a str>,
        redirect_uri: &'a str,
    },
    /// A device's code.
    Device(&'a str),
    /// What is kept: a refresh token, or what the tenant entered.
    Kept,
}

/// Asks for a token.
pub(crate) async fn ask(
    http: &HttpClient,
    definition: &Definition,
    values: &Values,
    asked: Asked<'_>,
    now: Timestamp,
) -> Result<Tokens, TokenFault> {
    let told = |fault: TokenFault| TokenFault {
        message: without_secrets(definition, values, &fault.message),
        ..fault
    };
    let answered = match &definition.auth {
        Auth::Oauth2(rules) => oauth2(http, definition, rules, values, asked).await,
        Auth::JwtBearer(rules) => assertion(http, definition, rules, values, now).await,
        Auth::Oauth1(_)
        | Auth::ApiKey(_)
        | Auth::Basic(_)
        | Auth::AwsSigv4(_)
        | Auth::MutualTls(_)
        | Auth::Custom(_)
        | Auth::Fields(_) => Err(other("the connector has no tokens".to_owned())),
    };
    answered.map_err(told)
}

async fn oauth2(
    http: &HttpClient,
    definition: &Definition,
    rules: &OAuth2,
    values: &Values,
    asked: Asked<'_>,
) -> Result<Tokens, TokenFault> {
    let mut form: BTreeMap<String, String> = BTreeMap::new();
    let mut put = |name: &str, value: &str| drop(form.insert(name.to_owned(), value.to_owned()));
    let value = |name: &str| values.get(name).map(String::as_str);
    let mut url = &rules.token_url;
    let mut further = &rules.token_params;
    match asked {
        Asked::Code {
            code,
            verifier,
            redirect_uri,
        } => {
            put("grant_type", "authorization_code");
            put("code", code);
            put("redirect_uri", redirect_uri);
            if let Some(verifier) = verifier {
                put("code_verifier", verifier);
            }
        }
        Asked::Device(code) => {
            put("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
            put("device_code", code);
        }
        Asked::Kept => match (rules.grant, value("refresh_token")) {
            (Grant::ClientCredentials, _) => {
                put("grant_type", "client_credentials");
                put_scope(rules, values, &mut put);
            }
            (_, Some(token)) => {
                put("grant_type", "refresh_token");
                put("refresh_token", token);
                url = rules.refresh_url.as_ref().unwrap_or(url);
                further = &rules.refresh_params;
            }
            (Grant::Password, None) => {
                put("grant_type", "password");
                put("username", value("username").unwrap_or_default());
                put("password", value("password").unwrap_or_default());
                put_scope(rules, values, &mut put);
            }
            (Grant::AuthorizationCode | Grant::DeviceCode, None) => {
                return Err(TokenFault {
                    error: TokenError::Grant,
                    message: "the provider gave no refresh token, and the access token has ended"
                        .to_owned(),
                });
            }
        },
    }
    form.extend(filled(definition, further, values).map_err(faulty)?);
    let mut headers =
        headers(definition, &rules.token_headers, values).map_err(|why| other(why.to_string()))?;
    identify(rules, values, &mut headers, &mut form)?;
    let url = url.fill_url(values).map_err(faulty)?;
    send(http, &url, &rules.token, headers, rules.body, form).await
}

/// Names the client, in the way of its provider.
fn identify(
    rules: &OAuth2,
    values: &Values,
    headers: &mut HeaderMap,
    form: &mut BTreeMap<String, String>,
) -> Result<(), TokenFault> {
    let value = |name: &str| values.get(name).map_or("", String::as_str);
    let (id, secret) = (value("client_id"), value("client_secret"));
    match rules.client_auth {
        ClientAuth::Basic => {
            // Each half is encoded as a form's value (RFC 6749, 2.3.1).
            let coded = |text: &str| {
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
            };
            let header = basic(&format!("{}:{}", coded(id), coded(secret)));
            headers.insert(AUTHORIZATION, header.map_err(|why| other(why.to_string()))?);
        }
        ClientAuth::Body => {
            if !id.is_empty() {
                form.insert("client_id".to_owned(), id.to_owned());
            }
            if !secret.is_empty() {
                form.insert("client_secret".to_owned(), secret.to_owned());
            }
        }
    }
    Ok(())
}

fn put_scope(rules: &OAuth2, values: &Values, put: &mut impl FnMut(&str, &str)) {
    let scope = scope(rules, values);
    if !scope.is_empty() {
        put(&rules.scope_parameter, &scope);
    }
}

/// The scopes that are asked for: those of provisioning, in whatever way they are separated there, else the
/// definition's own.
pub(crate) fn scope(rules: &OAuth2, values: &Values) -> String {
    let provisioned = values.get("scopes").map_or("", String::as_str);
    let provisioned: Vec<&str> = provisioned
        .split([' ', ',', '\n', '\t'])
        .filter(|it| !it.is_empty())
        .collect();
    if provisioned.is_empty() {
        rules.scopes.join(&rules.scope_separator)
    } else {
        provisioned.join(&rules.scope_separator)
    }
}

/// A signed claim: the token itself, or what it is exchanged for.
async fn assertion(
    http: &HttpClient,
    definition: &Definition,
    rules: &JwtBearer,
    values: &Values,
    now: Timestamp,
) -> Result<Tokens, TokenFault> {
    let texts = |templates: &BTreeMap<String, Template>| {
        let filled = filled(definition, templates, values).map_err(faulty)?;
        let texts = filled
            .into_iter()
            .map(|(name, value)| (name, Value::String(value)));
        Ok::<Map<String, Value>, TokenFault>(texts.collect())
    };
    let mut claims = texts(&rules.claims)?;
    let at = now.as_millis() / 1000;
    claims.insert("iat".to_owned(), at.into());
    claims.insert("exp".to_owned(), (at + i64::from(rules.lifetime_s)).into());
    // Some refuse one that they have seen.
    claims
        .entry("jti")
        .or_insert_with(|| random::hex(&random::bytes::<16>()).into());
    let algorithm = match rules.algorithm {
        Algorithm::RS256 => jwt::Algorithm::Rs256,
        Algorithm::ES256 => jwt::Algorithm::Es256,
        Algorithm::HS256 => jwt::Algorithm::Hs256,
    };
    let key = rules.key.fill(values).map_err(faulty)?;
    let token = jwt::sign(algorithm, &key, &texts(&rules.header)?, &claims);
    let token = token.map_err(|why| TokenFault {
        error: TokenError::Grant,
        message: why.to_string(),
    })?;
    let Some(url) = &rules.token_url else {
        return Ok(Tokens {
            values: [("access_token".to_owned(), token)].into(),
            lifetime_s: Some(i64::from(rules.lifetime_s)),
        });
    };
    let mut form: BTreeMap<String, String> = BTreeMap::new();
    form.insert(
        "grant_type".to_owned(),
        "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned(),
    );
    form.insert("assertion".to_owned(), token);
    form.extend(filled(definition, &rules.token_params, values).map_err(faulty)?);
    let url = url.fill_url(values).map_err(faulty)?;
    send(
        http,
        &url,
        &rules.token,
        HeaderMap::new(),
        BodyForm::Form,
        form,
    )
    .await
}

async fn send(
    http: &HttpClient,
    url: &str,
    rules: &TokenAnswer,
    headers: HeaderMap,
    body: BodyForm,
    form: BTreeMap<String, String>,
) -> Result<Tokens, TokenFault> {
    let passing = PASSING.iter().filter_map(|name| form.get(*name).cloned());
    let passing: Vec<String> = passing.collect();
    let request = request(Method::POST, url, headers, body, form)?;
    let answer = http.send(request).await.map_err(|why| unreachable(&why))?;
    let kind = answer
        .headers
        .get(CONTENT_TYPE)
        .and_then(|it| it.to_str().ok());
    let read = if answer.status.is_success() {
        read_answer(rules, kind, &answer.body)
    } else {
        Err(read_refusal(answer.status.as_u16(), kind, &answer.body))
    };
    read.map_err(|fault| TokenFault {
        message: without_texts(passing.iter().map(String::as_str), &fault.message),
        ..fault
    })
}

fn request(
    method: Method,
    url: &str,
    mut headers: HeaderMap,
    body: BodyForm,
    form: BTreeMap<String, String>,
) -> Result<HttpRequest, TokenFault> {
    let url =
        Url::parse(url).map_err(|_| other("the definition's address is no URL".to_owned()))?;
    let (kind, text) = match body {
        BodyForm::Form => {
            let mut text = url::form_urlencoded::Serializer::new(String::new());
            (
                "application/x-www-form-urlencoded",
                text.extend_pairs(&form).finish(),
            )
        }
        BodyForm::Json => (
            "application/json",
            serde_json::to_string(&form).unwrap_or_default(),
        ),
    };
    drop(super::SecretValues::new(form));
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static(kind));
    headers
        .entry(ACCEPT)
        .or_insert(HeaderValue::from_static("application/json"));
    let mut request = HttpRequest::new(method, url);
    request.headers = headers;
    request.body = text.into_bytes();
    request.timeout = TIMEOUT;
    request.most_bytes = MOST_BYTES;
    Ok(request)
}

/// Gives the token back.
pub(crate) async fn revoke(
    http: &HttpClient,
    definition: &Definition,
    rules: &OAuth2,
    rule: &Revocation,
    values: &Values,
) -> Result<(), TokenFault> {
    let done = give_back(http, definition, rules, rule, values).await;
    done.map_err(|fault| TokenFault {
        message: without_secrets(definition, values, &fault.message),
        ..fault
    })
}

async fn give_back(
    http: &HttpClient,
    definition: &Definition,
    rules: &OAuth2,
    rule: &Revocation,
    values: &Values,
) -> Result<(), TokenFault> {
    let mut form = filled(definition, &rule.params, values).map_err(faulty)?;
    if form.is_empty() {
        let token = values
            .get("refresh_token")
            .or_else(|| values.get("access_token"));
        form.insert("token".to_owned(), token.cloned().unwrap_or_default());
    }
    let mut headers =
        headers(definition, &rule.headers, values).map_err(|why| other(why.to_string()))?;
    if rule.client {
        identify(rules, values, &mut headers, &mut form)?;
    }
    let url = rule.url.fill_url(values).map_err(faulty)?;
    let method = method(&rule.method).map_err(|why| other(why.to_string()))?;
    let request = request(method, &url, headers, rules.body, form)?;
    let answer = http.send(request).await.map_err(|why| unreachable(&why))?;
    if answer.status.is_success() {
        Ok(())
    } else {
        let kind = answer
            .headers
            .get(CONTENT_TYPE)
            .and_then(|it| it.to_str().ok());
        Err(read_refusal(answer.status.as_u16(), kind, &answer.body))
    }
}

/// Asks for a device's code; the answer's own fields.
pub(crate) async fn device(
    http: &HttpClient,
    rules: &OAuth2,
    values: &Values,
) -> Result<Map<String, Value>, TokenFault> {
    let mut form: BTreeMap<String, String> = BTreeMap::new();
    let scope = scope(rules, values);
    if !scope.is_empty() {
        form.insert(rules.scope_parameter.clone(), scope);
    }
    let mut headers = HeaderMap::new();
    identify(rules, values, &mut headers, &mut form)?;
    let url = rules
        .device_url
        .as_ref()
        .ok_or_else(|| other("the definition has no device_url".to_owned()))?;
    let url = url.fill_url(values).map_err(faulty)?;
    let request = request(Method::POST, &url, headers, rules.body, form)?;
    let answer = http.send(request).await.map_err(|why| unreachable(&why))?;
    let kind = answer
        .headers
        .get(CONTENT_TYPE)
        .and_then(|it| it.to_str().ok());
    if !answer.status.is_success() {
        return Err(read_refusal(answer.status.as_u16(), kind, &answer.body));
    }
    serde_json::from_slice(&answer.body)
        .map_err(|_| other("the answer of the device endpoint is no JSON".to_owned()))
}

fn unreachable(why: &HttpError) -> TokenFault {
    // A refused address stays refused; whatever else keeps an answer away may pass.
    let error = if why.is_retryable() || matches!(why, HttpError::TooLarge { .. }) {
        TokenError::Later
    } else {
        TokenError::Other
    };
    TokenFault {
        error,
        message: why.to_string(),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what map_err hands over"
)]
fn faulty(why: marquetry_connector::TemplateError) -> TokenFault {
    other(why.to_string())
}

fn other(message: String) -> TokenFault {
    TokenFault {
        error: TokenError::Other,
        message,
    }
}
