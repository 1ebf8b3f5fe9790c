//! What of the JSON of a request can be kept.

use marquetry_manifest::json;
use marquetry_model::FieldError;

use crate::settings::refusal;

/// The numbers in a body that would not be kept as they were sent, with their places; none where
/// the body cannot be read at all.
pub fn lost_numbers(body: &[u8]) -> Vec<FieldError> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let faults = json::lost_numbers(text).into_iter();
    faults.map(|fault| refusal(None, fault)).collect()
}
