//! Connector definitions: how a system is connected, what a connection gives to code, and where a
//! credential goes on a call.
//!
//! A definition is a data file: one for each connector, with the schema that [`SCHEMA`] holds. Those
//! that are shipped are compiled in ([`built_in()`]); operators add their own or override these.
//!
//! Invariants: pure, no network, clock or chance; safe on hostile input, for a definition may come
//! over the API and an answer from a foreign system. Nothing here keeps a secret longer than a call.
#![warn(missing_docs)]

mod auth;
mod built_in;
mod call;
mod check;
mod definition;
mod field;
mod hosts;
mod read;
mod strict;
mod template;
mod template_url;
mod token;
mod variables;
mod webhook;

pub use auth::{
    Algorithm, Auth, AwsSigv4, BodyForm, Choice, ClientAuth, Discovery, ErrorRule, Grant, Inject,
    InjectAt, JwtBearer, MutualTls, OAuth1, OAuth2, Refresh, Revocation, Signature, Simple,
    TokenAnswer,
};
pub use built_in::{built_in, built_in_names};
pub use call::{CallUrlError, address_names, call_url, host_entries};
pub use definition::{Check, Definition, Expect, Request};
pub use field::{Field, FieldFault, FieldKind, FieldOption, check_values, defaults};
pub use hosts::may_go;
pub use read::{DefinitionFault, read};
pub use template::{Template, TemplateError, Values};
pub use token::{TokenError, TokenFault, Tokens, read_answer, read_refusal};
pub use variables::{is_secret, secret_variables, variable_names};
pub use webhook::{
    EventId, Handshake, HandshakeKind, Route, Signing, SigningKind, Subscription, Webhook,
    WebhookLevel,
};

/// The published schema of a definition, in JSON Schema.
pub const SCHEMA: &str = include_str!("../schema/connector.json");
