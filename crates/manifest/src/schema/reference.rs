//! References within one schema.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Choice, Dialect};

/// How many values are looked at for an anchor.
const SEARCHED: usize = 10_000;

/// JSON Schema as it is written elsewhere: options are `enum`, formats say nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standard<'s> {
    /// The schema that references begin at.
    pub(crate) root: &'s Value,
}

impl<'s> Dialect<'s> for Standard<'s> {
    const SETTINGS: bool = false;

    fn resolve(&self, reference: &str) -> Option<&'s Value> {
        resolve(self.root, reference)
    }

    fn choice(&self, _: &'s Map<String, Value>) -> Choice<'s> {
        Choice::None
    }
}

/// Where a reference leads within `root`, if it does.
pub(crate) fn resolve<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    let id = root.get("$id").and_then(Value::as_str).unwrap_or_default();
    let id = id.trim_end_matches('#');
    let fragment = match reference.split_once('#') {
        Some((base, fragment)) if base.is_empty() || base == id => fragment,
        None if !id.is_empty() && reference == id => "",
        _ => return None,
    };
    let fragment = decoded(fragment);
    if fragment.is_empty() || fragment.starts_with('/') {
        return root.pointer(&fragment);
    }
    let mut left = SEARCHED;
    anchor(root, &fragment, &mut left)
}

fn anchor<'s>(schema: &'s Value, name: &str, left: &mut usize) -> Option<&'s Value> {
    *left = left.checked_sub(1)?;
    match schema {
        Value::Object(fields) => {
            let named = |key: &str| fields.get(key).and_then(Value::as_str);
            let is_it = named("$anchor") == Some(name)
                || named("$dynamicAnchor") == Some(name)
                || named("$id").and_then(|id| id.strip_prefix('#')) == Some(name);
            if is_it {
                return Some(schema);
            }
            fields.values().find_map(|value| anchor(value, name, left))
        }
        Value::Array(items) => items.iter().find_map(|item| anchor(item, name, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// A fragment of a URI without its percent signs.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let byte = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_stay_inside() {
        let schema = json!({
            "$id": "https://example.com/a",
            "definitions": {"a b": 1, "c/d": 2, "e": {"$anchor": "here", "x": 3}},
        });
        let found = |reference| resolve(&schema, reference);
        assert_eq!(found("#"), Some(&schema));
        assert_eq!(found("#/definitions/a%20b"), Some(&json!(1)));
        assert_eq!(found("#/definitions/c~1d"), Some(&json!(2)));
        assert_eq!(found("#here").unwrap()["x"], 3);
        assert_eq!(
            found("https://example.com/a#/definitions/a b"),
            Some(&json!(1))
        );
        assert_eq!(found("https://example.com/a"), Some(&schema));
        for nowhere in [
            "",
            "https://example.com/b",
            "other.json#/a",
            "#gone",
            "#/x",
            "#/%",
        ] {
            assert_eq!(found(nowhere), None, "{nowhere}");
        }
    }
}
