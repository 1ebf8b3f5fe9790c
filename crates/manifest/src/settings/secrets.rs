//! Settings whose values are shown to nobody.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::reference_of;
use crate::reference::Reference;

/// What is answered in place of a secret. Sent back, it means the value that is there.
pub const MASK: &str = "********";

/// How many references in a row are followed.
const MOST_REFERENCES: usize = 8;

/// The properties of a form (the manifest's `configs`) that hold secrets: `format: password` or
/// `writeOnly: true`, in the property, anywhere below it, or in its definition.
pub fn secret_names(configs: Option<&Value>) -> BTreeSet<String> {
    let Some(schema) = configs.and_then(|configs| configs.get("schema")) else {
        return BTreeSet::new();
    };
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return BTreeSet::new();
    };
    properties
        .iter()
        .filter(|(_, described)| is_secret(schema, described))
        .map(|(name, _)| name.clone())
        .collect()
}

/// Puts [`MASK`] in place of every secret.
pub fn masked<'a>(configs: &mut Map<String, Value>, secrets: impl IntoIterator<Item = &'a String>) {
    for name in secrets {
        if let Some(value) = configs.get_mut(name) {
            *value = MASK.into();
        }
    }
}

fn is_secret(schema: &Value, described: &Value) -> bool {
    let mut at = described;
    for _ in 0..MOST_REFERENCES {
        if is_marked(at) {
            return true;
        }
        let target = match at.as_object().and_then(reference_of) {
            Some(Reference::Definition(name)) => schema
                .get("definitions")
                .and_then(|definitions| definitions.get(name)),
            _ => None,
        };
        let Some(target) = target else {
            return false;
        };
        at = target;
    }
    false
}

/// Recursive: the parser bounds the height of a manifest.
fn is_marked(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            fields.get("format").and_then(Value::as_str) == Some("password")
                || fields.get("writeOnly") == Some(&Value::Bool(true))
                || fields.values().any(is_marked)
        }
        Value::Array(items) => items.iter().any(is_marked),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
