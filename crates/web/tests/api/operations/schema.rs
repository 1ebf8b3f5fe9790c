//! Whether a body is what the document says of it.

use serde_json::Value;

/// Everything in `value` that its schema does not allow.
pub(crate) fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(document, schema, value, "$", &mut found);
    found
}

fn check(document: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let part = document.pointer(&reference[1..]).unwrap();
        return check(document, part, value, place, found);
    }
    if let Some(several) = schema["oneOf"].as_array() {
        let fits = |one: &&Value| faults(document, one, value).is_empty();
        if several.iter().filter(fits).count() != 1 {
            found.push(format!("{place}: {value} is not one of {}", several.len()));
        }
        return;
    }
    if schema["type"].is_null() {
        return;
    }
    let kinds = schema["type"].as_array().cloned();
    let kinds = kinds.unwrap_or_else(|| vec![schema["type"].clone()]);
    if !kinds.iter().any(|kind| is(kind.as_str().unwrap(), value)) {
        found.push(format!("{place}: {value} is no {kinds:?}"));
        return;
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        found.push(format!("{place}: {value} is no word of {words:?}"));
    }
    if let (Some(text), "date-time") = (value.as_str(), schema["format"].as_str().unwrap_or(""))
        && !(text.len() == 24 && text.ends_with('Z'))
    {
        found.push(format!("{place}: {text} is no time in milliseconds"));
    }
    match value {
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                check(
                    document,
                    &schema["items"],
                    item,
                    &format!("{place}.{n}"),
                    found,
                );
            }
        }
        Value::Object(fields) => {
            for name in schema["required"].as_array().into_iter().flatten() {
                if !fields.contains_key(name.as_str().unwrap()) {
                    found.push(format!("{place}: {name} is missing"));
                }
            }
            let Some(known) = schema["properties"].as_object() else {
                return;
            };
            for (name, value) in fields {
                match known.get(name) {
                    None => found.push(format!("{place}.{name} is not described")),
                    Some(schema) => {
                        check(document, schema, value, &format!("{place}.{name}"), found);
                    }
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
