//! A node as JSON.

use serde_json::{Map, Number, Value};

use super::node::{Node, NodeValue};
use super::scalar::{Meaning, Scalar};
use crate::problem::{Report, below, item, shown};

/// The JSON value of `node`, with the order of keys kept. What JSON cannot hold is recorded, with
/// `key` as the path of the node, and becomes null.
///
/// Recursive: the composer bounds the height of a tree.
pub(crate) fn to_json(node: &Node, key: &str, report: &mut Report) -> Value {
    match &node.value {
        NodeValue::Scalar(scalar) => scalar_to_json(scalar).unwrap_or_else(|message| {
            report.problem(node.place, key, message);
            Value::Null
        }),
        NodeValue::Sequence(items) => items
            .iter()
            .enumerate()
            .map(|(index, value)| to_json(value, &item(key, index), report))
            .collect(),
        NodeValue::Mapping(entries) => {
            let mut object = Map::new();
            for entry in entries {
                let value = to_json(&entry.value, &below(key, &entry.key), report);
                object.insert(entry.key.to_string(), value);
            }
            Value::Object(object)
        }
    }
}

fn scalar_to_json(scalar: &Scalar) -> Result<Value, String> {
    match scalar.meaning() {
        Meaning::Null => Ok(Value::Null),
        Meaning::Bool(value) => Ok(Value::Bool(value)),
        Meaning::Text => Ok(Value::String(scalar.text.clone())),
        Meaning::Integer => integer(&scalar.text),
        Meaning::Float => float(&scalar.text),
    }
    .map_err(|NoNumber| {
        format!(
            "`{}` is no number that JSON can hold; write it in quotes if it is meant as text",
            shown(&scalar.text)
        )
    })
}

/// The text means a number, but none within the range of JSON's.
struct NoNumber;

fn integer(text: &str) -> Result<Value, NoNumber> {
    if let Some(octal) = text.strip_prefix("0o") {
        return unsigned(octal, 8);
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return unsigned(hexadecimal, 16);
    }
    text.parse::<i64>()
        .map(Value::from)
        .or_else(|_| unsigned(text, 10))
}

fn unsigned(digits: &str, radix: u32) -> Result<Value, NoNumber> {
    u64::from_str_radix(digits, radix)
        .map(Value::from)
        .map_err(|_| NoNumber)
}

fn float(text: &str) -> Result<Value, NoNumber> {
    // Rust reads `inf` and `nan` too, but without the dot that YAML wants: those fail here.
    let value: f64 = text.parse().map_err(|_| NoNumber)?;
    Number::from_f64(value).map(Value::Number).ok_or(NoNumber)
}
