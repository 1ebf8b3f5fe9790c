//! What a system can tell by itself: how its messages are known to be its own, and whose they are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::definition::Request;
use crate::field::FieldOption;
use crate::template::Template;

/// A system's webhooks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Whether each tenant has an address of its own, or the integration has one for all.
    #[serde(default)]
    pub level: WebhookLevel,
    /// How a message shows that it is genuine.
    #[serde(default)]
    pub signature: Signing,
    /// What the system wants to be answered before it sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Handshake>,
    /// Where a message has its own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// How a message to an integration's address finds its tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// The events that can be chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<FieldOption>,
    /// The calls that subscribe and unsubscribe, where the system has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<Subscription>,
    /// What to do by hand at the provider, where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
}

/// Whose address it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookLevel {
    /// One for each tenant.
    #[default]
    Tenant,
    /// One for the integration.
    Integration,
}

/// A way of signing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SigningKind {
    /// None: the address is the secret.
    #[default]
    None,
    /// HMAC over the message.
    HmacSha256,
    /// HMAC with SHA-1.
    HmacSha1,
    /// The Standard Webhooks specification.
    StandardWebhooks,
    /// The same text in each message.
    SharedToken,
}

/// How a message shows that it is genuine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// The way.
    #[serde(default)]
    pub kind: SigningKind,
    /// The secret; a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Template>,
    /// The header with the signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// What stands before it there, as `sha256=` or `v0=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// `hex` or `base64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// What is signed: `{body}`, `{timestamp}`, `{method}`, `{url}` in their order, as `v0:{timestamp}:{body}`;
    /// without it, the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The header with the time, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_header: Option<String>,
    /// How old a message may be, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_s: Option<u32>,
}

/// What a system wants to be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// The way.
    pub kind: HandshakeKind,
    /// Where the challenge stands: a place (JSON Pointer) of the body, or a query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// A way of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandshakeKind {
    /// A challenge in the body is answered as text (Slack).
    EchoBody,
    /// A challenge in the query is answered as text (Meta).
    EchoQuery,
    /// 401 to a message with a wrong signature, 200 to one with a right one (Xero).
    SignatureOnly,
}

/// Where a message has its own id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventId {
    /// A header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// A place (JSON Pointer) of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// How a message finds its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// A place (JSON Pointer) of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Or a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The value of a connection that must equal it.
    pub value: String,
}

/// Calls that subscribe and unsubscribe. `{{webhook_url}}` and `{{events}}` are values of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// The call that subscribes.
    pub create: Request,
    /// Values of its answer by name: their place (JSON Pointer) there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// Whether there is a call for each event, with `{{event}}`.
    #[serde(default)]
    pub each_event: bool,
    /// The call that unsubscribes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<Request>,
}
