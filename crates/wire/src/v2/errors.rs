//! The three bodies of errors.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What is wrong, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorMessage {
    /// The sentence.
    pub message: String,
}

/// Why the caller may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// `Not authorized`.
    pub detail: String,
}

/// Everything that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = HTTPValidationError)]
pub struct HttpValidationError {
    /// Each fault.
    pub detail: Vec<ValidationError>,
}

/// One fault of a request.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ValidationError {
    /// Where: `body`, `query` or `path`, then names and indexes.
    pub loc: Vec<LocPart>,
    /// The sentence.
    pub msg: String,
    /// A stable word.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// What was sent, unless it is long.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    pub input: Option<Value>,
    /// The values that the sentence speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    pub ctx: Option<Map<String, Value>>,
}

/// A part of a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum LocPart {
    /// A name.
    Name(String),
    /// An index of a list.
    Index(i64),
}
