//! A client of a provider, which does as a test says.

use marquetry_testkit::Provider;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, redirect};
use serde_json::Value;
use url::{Url, form_urlencoded};

pub(crate) const CALLBACK: &str = "http://127.0.0.1:9/callback?from=provider";
/// The pair of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    pub(crate) fn field(&self, name: &str) -> String {
        let body = self.json();
        let field = body[name].as_str();
        field.unwrap_or_else(|| panic!("{name}: {self:?}")).into()
    }

    /// Status and `error`.
    pub(crate) fn error(&self) -> (u16, String) {
        (self.status, self.field("error"))
    }
}

pub(crate) fn request(provider: &Provider, method: Method, path: &str) -> RequestBuilder {
    let client = reqwest::Client::builder().no_proxy();
    let client = client.redirect(redirect::Policy::none()).build().unwrap();
    client.request(method, provider.at(path))
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.unwrap(),
    }
}

/// A form, as it is.
pub(crate) fn form(provider: &Provider, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut body = form_urlencoded::Serializer::new(String::new());
    let body = body.extend_pairs(fields).finish();
    request(provider, Method::POST, path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
}

/// A form of a client that proves who it is.
pub(crate) async fn ask(provider: &Provider, path: &str, fields: &[(&str, &str)]) -> Answer {
    let id = provider.client_id();
    let request = form(provider, path, fields);
    answer(request.basic_auth(id, Some(provider.client_secret()))).await
}

pub(crate) async fn refresh(provider: &Provider, token: &str) -> Answer {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    ask(provider, "/token", &fields).await
}

pub(crate) async fn call(provider: &Provider, path: &str, token: &str) -> Answer {
    answer(request(provider, Method::GET, path).bearer_auth(token)).await
}

/// Sends a person to consent, with these fields besides; answers what the callback is told.
pub(crate) async fn authorize(provider: &Provider, more: &[(&str, &str)]) -> Callback {
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", provider.client_id()),
        ("redirect_uri", CALLBACK),
        ("state", "a b&c"),
    ];
    fields.extend(more);
    let asked = request(provider, Method::GET, "/authorize").query(&fields);
    let answer = answer(asked).await;
    assert_eq!(answer.status, 302, "{answer:?}");
    let to = answer.headers["location"].to_str().unwrap();
    assert!(to.starts_with(CALLBACK), "{to}");
    Callback(Url::parse(to).unwrap())
}

pub(crate) struct Callback(Url);

impl Callback {
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let mut pairs = self.0.query_pairs();
        let found = pairs.find(|(found, _)| found == name);
        found.map(|(_, value)| value.into_owned())
    }
}

/// A code for the verifier.
pub(crate) async fn code(provider: &Provider) -> String {
    let fields = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("scope", "read write"),
    ];
    authorize(provider, &fields).await.field("code").unwrap()
}

/// What a client says to have tokens for a code.
pub(crate) fn exchange(code: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

/// The first tokens of a consent: one for access, one to refresh it.
pub(crate) async fn tokens(provider: &Provider) -> (String, String) {
    let code = code(provider).await;
    let answer = ask(provider, "/token", &exchange(&code)).await;
    (answer.field("access_token"), answer.field("refresh_token"))
}
