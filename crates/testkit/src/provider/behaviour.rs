//! How a provider behaves: what differs between real ones, and what goes wrong with them.

use std::time::Duration;

use serde_json::{Map, Value};

/// What a provider does for as long as it is not told otherwise.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// What the person answers who is asked for consent.
    pub consent: Consent,
    /// Whose data the next consent is for: `sub` of the answers of the API.
    pub account: String,
    /// What comes back with the code besides, such as the `realmId` of Intuit.
    pub callback_extra: Vec<(String, String)>,
    /// Whether a code is given without a PKCE challenge.
    pub pkce: Pkce,
    /// How long a code is good.
    pub code_lifetime: Duration,
    /// How long a device code is good.
    pub device_lifetime: Duration,
    /// How often a device may ask, in whole seconds.
    pub device_interval: Duration,
    /// How a client proves who it is.
    pub client_authentication: ClientAuthentication,
    /// What the body of a request for tokens may be.
    pub request_body: RequestBody,
    /// How long access tokens that are issued from now on are good.
    pub token_lifetime: Duration,
    /// How long refresh tokens that are issued from now on are good.
    pub refresh_lifetime: Duration,
    /// What becomes of refresh tokens.
    pub refresh_tokens: RefreshTokens,
    /// How the lifetime is told.
    pub expires_in: ExpiresIn,
    /// What the answer with tokens is written in.
    pub token_format: TokenFormat,
    /// The field in which the tokens stand, such as `authed_user`; at the top when there is none.
    pub nested_in: Option<String>,
    /// What stands at the top of an answer with tokens besides, such as `instance_url`; these win
    /// against the provider's own fields.
    pub extra: Map<String, Value>,
    /// The names of the organisations that a consent is for.
    pub organisations: Vec<String>,
    /// Where the API takes its key.
    pub api_key_in: ApiKeyIn,
    /// The region and the service that a signature of AWS must be for. The service `s3` encodes paths
    /// once, all others twice.
    pub aws_scope: (String, String),
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            consent: Consent::Given,
            account: "person-1".to_owned(),
            callback_extra: Vec::new(),
            pkce: Pkce::Optional,
            code_lifetime: Duration::from_secs(60),
            device_lifetime: Duration::from_secs(600),
            device_interval: Duration::from_secs(1),
            client_authentication: ClientAuthentication::Either,
            request_body: RequestBody::Either,
            token_lifetime: Duration::from_secs(3600),
            refresh_lifetime: Duration::from_secs(30 * 24 * 3600),
            refresh_tokens: RefreshTokens::Rotating,
            expires_in: ExpiresIn::Number,
            token_format: TokenFormat::Json,
            nested_in: None,
            extra: Map::new(),
            organisations: vec!["First".to_owned(), "Second".to_owned()],
            api_key_in: ApiKeyIn::Either,
            aws_scope: ("eu-central-1".to_owned(), "execute-api".to_owned()),
        }
    }
}

/// What a person answers who is asked for consent.
#[derive(Clone, Debug)]
pub enum Consent {
    /// Yes, at once.
    Given,
    /// No, with this `error_description`.
    Denied(String),
}

/// Whether a code needs PKCE. A challenge that is given is always checked, and only `S256` is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pkce {
    /// A code is given without, too.
    Optional,
    /// No code without.
    Required,
}

/// How a client proves who it is where tokens are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// By the header or by the body, but not by both.
    Either,
    /// By `Authorization: Basic` alone.
    Basic,
    /// By `client_id` and `client_secret` in the body alone.
    Body,
    /// It has no secret: it only names itself, in the body.
    Public,
}

/// What the body of a request for tokens may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// A form or JSON, as its `Content-Type` says.
    Either,
    /// A form alone, as the standard wants it.
    Form,
    /// JSON alone.
    Json,
}

/// What becomes of a refresh token when it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshTokens {
    /// It is spent, and there is a new one. Who uses a spent one ends the whole family.
    Rotating,
    /// It stays good, and each answer says it again.
    Repeated,
    /// It stays good, and the answer to a refresh has none.
    Silent,
    /// There are none at all.
    Never,
}

/// How an answer tells a token's lifetime. The token ends in time in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiresIn {
    /// A number of seconds.
    Number,
    /// The same as text.
    Text,
    /// Not at all.
    Absent,
}

/// What an answer with tokens is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFormat {
    /// JSON.
    Json,
    /// A form.
    Form,
    /// A form, except for who accepts JSON by name, as at GitHub.
    FormUnlessAsked,
}

/// Where the API takes its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiKeyIn {
    /// In the header or in the query.
    Either,
    /// In the header `X-Api-Key`.
    Header,
    /// In the query, as `api_key`.
    Query,
}

/// What goes wrong with a request. Unless said otherwise the provider does nothing else for it.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// It is worked off at once, and answered so much later.
    Slow(Duration),
    /// The connection is closed without an answer.
    Closed,
    /// It is worked off, and then the connection is closed without an answer.
    AnswerLost,
    /// An error of the server with a body that is no JSON.
    Status(u16),
    /// 429 with a `Retry-After` of so many seconds.
    RateLimited(u64),
    /// 400 with this `error`, such as `invalid_grant`.
    OAuthError(String),
    /// 400 with `invalid_grant`, whose description repeats all that was sent, as real ones have done.
    Echoed,
    /// 200 with `{"ok":false,"error":…}`.
    NotOk(String),
    /// 200 with a page for people.
    Html,
    /// 200 with JSON of so many bytes, whose length is not told before.
    Oversize(usize),
}

/// A trouble that is to come.
pub(super) struct Planned {
    pub(super) path: String,
    /// How often still; for ever without a number.
    pub(super) times: Option<usize>,
    pub(super) trouble: Trouble,
}

/// The next trouble of a path.
pub(super) fn take(planned: &mut Vec<Planned>, path: &str) -> Option<Trouble> {
    let at = planned.iter().position(|planned| planned.path == path)?;
    let trouble = planned[at].trouble.clone();
    if let Some(times) = &mut planned[at].times {
        *times -= 1;
        if *times == 0 {
            planned.remove(at);
        }
    }
    Some(trouble)
}
