//! The ways in which systems know who calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::Request;
use crate::template::Template;

/// How a system knows who calls. Written as an object with `kind`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Auth {
    /// Tokens of OAuth 2, by one of its grants.
    Oauth2(Box<OAuth2>),
    /// Each request is signed by OAuth 1.0a.
    Oauth1(OAuth1),
    /// A signed claim, sent as it is or exchanged for a token (RFC 7523): service accounts.
    JwtBearer(JwtBearer),
    /// A key that the tenant enters.
    ApiKey(Simple),
    /// A name and a password.
    Basic(Simple),
    /// Each request is signed by AWS' Signature Version 4.
    AwsSigv4(AwsSigv4),
    /// A client certificate.
    MutualTls(MutualTls),
    /// Several fields of the system's own scheme.
    Custom(Simple),
    /// Fields alone: files, databases, whatever speaks no HTTP.
    Fields(Simple),
}

/// Where a credential goes on a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inject {
    /// Into which part of the request.
    #[serde(rename = "in")]
    pub at: InjectAt,
    /// The name of the header, parameter or body field; of `basic`, nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What goes there; of `basic`, `user:password`.
    pub value: Template,
}

/// A part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InjectAt {
    /// A header.
    Header,
    /// A parameter of the query.
    Query,
    /// A field of a JSON or form body.
    Body,
    /// `Authorization: Basic`.
    Basic,
}

/// Fields that are sent as they are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simple {
    /// Where they go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inject: Vec<Inject>,
}

/// A grant of OAuth 2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// A person consents in a browser.
    #[default]
    AuthorizationCode,
    /// The client's own id and secret.
    ClientCredentials,
    /// A user's name and password.
    Password,
    /// A person consents on another device, with a code shown here.
    DeviceCode,
}

/// How the client shows who it is at the token endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// `client_id` and `client_secret` in the body.
    #[default]
    Body,
    /// `Authorization: Basic`.
    Basic,
}

/// The form of a request's body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyForm {
    /// `application/x-www-form-urlencoded`.
    #[default]
    Form,
    /// `application/json`.
    Json,
}

/// When a token is renewed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refresh {
    /// Before it ends, where its end is known.
    #[default]
    Expiry,
    /// Before each run: its end is never told.
    Always,
    /// Never: it does not end.
    Never,
}

/// OAuth 2. `client_id` and `client_secret` are values of that name, from provisioning or from the tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// How tokens are got.
    #[serde(default)]
    pub grant: Grant,
    /// Where a person consents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorize_url: Option<Template>,
    /// Where tokens are got.
    pub token_url: Template,
    /// Where they are renewed, if elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_url: Option<Template>,
    /// Where a device's code is got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_url: Option<Template>,
    /// How tokens are given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke: Option<Revocation>,
    /// How the client shows who it is.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// The form of requests to the token endpoint.
    #[serde(default)]
    pub body: BodyForm,
    /// The scopes that are asked for where provisioning has no `scopes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// What stands between scopes.
    #[serde(default = "space")]
    pub scope_separator: String,
    /// The name of the parameter, where it is not `scope`.
    #[serde(default = "scope")]
    pub scope_parameter: String,
    /// Whether a proof of possession (PKCE, S256) is sent.
    #[serde(default = "yes")]
    pub pkce: bool,
    /// Further parameters of the consent page.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub authorize_params: BTreeMap<String, Template>,
    /// Further parameters of the request for a token.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub token_params: BTreeMap<String, Template>,
    /// Further parameters of a renewal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refresh_params: BTreeMap<String, Template>,
    /// Further headers of both.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub token_headers: BTreeMap<String, Template>,
    /// Where the token's answer has what.
    #[serde(default)]
    pub token: TokenAnswer,
    /// The callback's parameter with the code, where it is not `code`.
    #[serde(default = "code")]
    pub code_parameter: String,
    /// Values that the provider adds to the callback, by name: its parameter there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub callback: BTreeMap<String, String>,
    /// Requests after consent whose answers have values, as the address of a data centre.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discover: Vec<Discovery>,
    /// What a person chooses after consent, as one of several organisations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
    /// When a token is renewed.
    #[serde(default)]
    pub refresh: Refresh,
    /// The provider renews a token no earlier than so many seconds before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_within_s: Option<u32>,
    /// How long a token lives, in seconds, where the answer does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_s: Option<u32>,
    /// Where the token goes on a call; without any, `Authorization: Bearer {{access_token}}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inject: Vec<Inject>,
}

/// How tokens are given back (RFC 7009, or the provider's own way).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// Where.
    pub url: Template,
    /// `POST`, if nothing is said.
    #[serde(default = "post")]
    pub method: String,
    /// The parameters of the body; without any, `token` with the refresh token, or the access token where
    /// there is none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Template>,
    /// Further headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Template>,
    /// Whether the client shows who it is, as at the token endpoint.
    #[serde(default = "yes")]
    pub client: bool,
}

/// Where a token's answer has what. Its own scalar fields are values anyway, by their names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenAnswer {
    /// Values by name: their place (JSON Pointer) in the answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// How an answer with status 200 says that it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorRule>,
}

/// An answer that failed, whatever its status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// The place (JSON Pointer) that tells.
    pub at: String,
    /// What stands there when it failed; without it, anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// Where the reason stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A request after consent whose answer has values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// The request; the credential is added as to a call.
    pub request: Request,
    /// Values by name: their place (JSON Pointer) in the answer.
    pub values: BTreeMap<String, String>,
}

/// What a person chooses after consent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The question.
    pub label: String,
    /// The request whose answer lists what there is.
    pub request: Request,
    /// Where the list stands in it; empty: the answer is the list.
    #[serde(default)]
    pub items: String,
    /// Where an item has its name.
    pub title: String,
    /// The values of the chosen item, by name: their place in it.
    pub values: BTreeMap<String, String>,
}

/// A signature method of OAuth 1.0a.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signature {
    /// HMAC-SHA256.
    #[default]
    #[serde(rename = "HMAC-SHA256")]
    HmacSha256,
    /// HMAC-SHA1.
    #[serde(rename = "HMAC-SHA1")]
    HmacSha1,
    /// No signature, over TLS alone.
    #[serde(rename = "PLAINTEXT")]
    Plaintext,
}

/// OAuth 1.0a with a token that is there already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth1 {
    /// The method.
    #[serde(default)]
    pub signature: Signature,
    /// The client's key.
    pub consumer_key: Template,
    /// The client's secret.
    pub consumer_secret: Template,
    /// The token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Template>,
    /// The token's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret: Option<Template>,
    /// The realm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<Template>,
    /// Further headers and parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inject: Vec<Inject>,
}

/// An algorithm of a signed claim.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSA with SHA-256.
    #[default]
    RS256,
    /// ECDSA on P-256.
    ES256,
    /// HMAC with SHA-256.
    HS256,
}

/// A signed claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtBearer {
    /// The algorithm.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// The key: PEM, or the text of HS256.
    pub key: Template,
    /// Further fields of the header, as `kid`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub header: BTreeMap<String, Template>,
    /// The claims; `iat` and `exp` are added.
    pub claims: BTreeMap<String, Template>,
    /// How long the claim is good, in seconds.
    #[serde(default = "hour")]
    pub lifetime_s: u32,
    /// Where it is exchanged for a token; without it, it is the access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<Template>,
    /// Further parameters of the exchange.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub token_params: BTreeMap<String, Template>,
    /// Where the exchange's answer has what.
    #[serde(default)]
    pub token: TokenAnswer,
    /// Where the token goes; without any, `Authorization: Bearer {{access_token}}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inject: Vec<Inject>,
}

/// AWS' Signature Version 4.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSigv4 {
    /// The key's id.
    pub access_key_id: Template,
    /// The key.
    pub secret_access_key: Template,
    /// The token of temporary keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<Template>,
    /// The region.
    pub region: Template,
    /// The service, as `s3`; without it, the first label of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Template>,
}

/// A client certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MutualTls {
    /// The certificates, in PEM.
    pub certificate: Template,
    /// Their key, in PEM.
    pub private_key: Template,
    /// Further headers and parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inject: Vec<Inject>,
}

impl Auth {
    /// The word of `kind`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Oauth2(_) => "oauth2",
            Self::Oauth1(_) => "oauth1",
            Self::JwtBearer(_) => "jwt_bearer",
            Self::ApiKey(_) => "api_key",
            Self::Basic(_) => "basic",
            Self::AwsSigv4(_) => "aws_sigv4",
            Self::MutualTls(_) => "mutual_tls",
            Self::Custom(_) => "custom",
            Self::Fields(_) => "fields",
        }
    }

    /// All kinds.
    pub const KINDS: [&str; 9] = [
        "oauth2",
        "oauth1",
        "jwt_bearer",
        "api_key",
        "basic",
        "aws_sigv4",
        "mutual_tls",
        "custom",
        "fields",
    ];

    /// Where credentials go on a call, besides signatures.
    #[must_use]
    pub fn inject(&self) -> Vec<Inject> {
        match self {
            Self::Oauth2(it) if it.inject.is_empty() => vec![bearer()],
            Self::Oauth2(it) => it.inject.clone(),
            Self::JwtBearer(it) if it.inject.is_empty() => vec![bearer()],
            Self::JwtBearer(it) => it.inject.clone(),
            Self::Basic(it) if it.inject.is_empty() => vec![Inject {
                at: InjectAt::Basic,
                name: String::new(),
                value: Template::literal("{{username}}:{{password}}"),
            }],
            Self::ApiKey(it) | Self::Basic(it) | Self::Custom(it) => it.inject.clone(),
            Self::Oauth1(it) => it.inject.clone(),
            Self::MutualTls(it) => it.inject.clone(),
            Self::AwsSigv4(_) | Self::Fields(_) => Vec::new(),
        }
    }

    /// The grant, where it is OAuth 2.
    #[must_use]
    pub fn oauth2(&self) -> Option<&OAuth2> {
        match self {
            Self::Oauth2(it) => Some(it),
            Self::Oauth1(_)
            | Self::JwtBearer(_)
            | Self::ApiKey(_)
            | Self::Basic(_)
            | Self::AwsSigv4(_)
            | Self::MutualTls(_)
            | Self::Custom(_)
            | Self::Fields(_) => None,
        }
    }

    /// Whether somebody has to consent in a browser.
    #[must_use]
    pub fn needs_consent(&self) -> bool {
        self.oauth2()
            .is_some_and(|it| matches!(it.grant, Grant::AuthorizationCode | Grant::DeviceCode))
    }

    /// Whether tokens are got for the values that were entered.
    #[must_use]
    pub fn has_tokens(&self) -> bool {
        matches!(self, Self::Oauth2(_) | Self::JwtBearer(_))
    }

    /// Whether it is known when a token ends.
    pub(crate) fn tells_end(&self) -> bool {
        self.has_tokens() && self.oauth2().is_none_or(|it| it.refresh == Refresh::Expiry)
    }
}

fn bearer() -> Inject {
    Inject {
        at: InjectAt::Header,
        name: "Authorization".to_owned(),
        value: Template::literal("Bearer {{access_token}}"),
    }
}

fn space() -> String {
    " ".to_owned()
}

fn scope() -> String {
    "scope".to_owned()
}

fn code() -> String {
    "code".to_owned()
}

fn post() -> String {
    "POST".to_owned()
}

fn yes() -> bool {
    true
}

fn hour() -> u32 {
    3600
}
