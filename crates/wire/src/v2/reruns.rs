//! Reruns, and state that is set by hand.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// How a run shall be repeated. Without a field: as that run was, with the present release, unsaved.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunRun {
    /// The settings: as at that run, as they are now, or these.
    #[schema(inline)]
    pub configs: Option<OriginOrObject>,
    /// The state that it is given, as the last successful output.
    #[schema(inline)]
    pub std_out: Option<OriginOrObject>,
    /// Whether later runs see what it prints, and that it ran.
    #[serde(default)]
    #[schema(default = false)]
    pub save: bool,
    /// The release of that run, or the one that the tenant runs now.
    pub release: Option<Origin>,
}

/// As it was, or as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// As at that run.
    Original,
    /// As it is now.
    Current,
}

/// As it was, as it is, or an object instead.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum OriginOrObject {
    /// One of the two.
    Origin(Origin),
    /// Written by hand.
    #[schema(value_type = HashMap<String, Value>)]
    Object(Map<String, Value>),
}

/// What the next run shall see.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetTenantState {
    /// What a run would print: an object, or JSON as text; `null`: no output at all.
    #[serde(deserialize_with = "given")]
    #[schema(required = true, inline)]
    pub std_out: Option<Output>,
}

/// An output, as it is written by hand.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Output {
    /// As a run prints it.
    Text(String),
    /// The same, not yet as text.
    #[schema(value_type = HashMap<String, Value>)]
    Object(Map<String, Value>),
}

impl Output {
    /// As a run prints it.
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Object(object) => Value::Object(object).to_string(),
        }
    }
}

/// What the next run will see.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TenantState {
    /// JSON, as a run would print it; `null`: no output at all.
    #[schema(required = true)]
    pub std_out: Option<String>,
}

/// A field that must be there, though it may be null.
fn given<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Output>, D::Error> {
    Option::deserialize(from)
}
