//! Equality of JSON values: 1 and 1.0 are the same number.

use serde_json::{Number, Value};

/// Whether two values are the same to JSON Schema.
pub(crate) fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => same_number(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, one)| other.get(key).is_some_and(|other| equal(one, other)))
        }
        _ => one == other,
    }
}

/// Whether a value is one of several.
pub(crate) fn is_in<'a>(mut options: impl Iterator<Item = &'a Value>, value: &Value) -> bool {
    options.any(|option| equal(option, value))
}

fn same_number(one: &Number, other: &Number) -> bool {
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one.as_f64() == other.as_f64(),
        _ => false,
    }
}

/// The exact value of a number without a fraction, within the range of JSON's whole numbers.
pub(super) fn whole(number: &Number) -> Option<i128> {
    let signed = number.as_i64().map(i128::from);
    let exact = signed.or_else(|| number.as_u64().map(i128::from));
    exact.or_else(|| number.as_f64().and_then(whole_float))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked before, and there is no fraction"
)]
fn whole_float(float: f64) -> Option<i128> {
    /// Twice the range of 64 bits.
    const LIMIT: f64 = 36_893_488_147_419_103_232.0;
    (float.fract() == 0.0 && float.abs() <= LIMIT).then_some(float as i128)
}

/// A text that equal values have in common and others do not.
pub(crate) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Number(number) => match whole(number) {
            Some(exact) => text.push_str(&exact.to_string()),
            None => text.push_str(&number.to_string()),
        },
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in sorted {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Null | Value::Bool(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        for (one, other, same) in [
            (json!(1), json!(1.0), true),
            (json!(0), json!(-0.0), true),
            (json!([1, {"a": 2}]), json!([1.0, {"a": 2.0}]), true),
            (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}), true),
            (json!(1), json!("1"), false),
            (json!(1), json!(true), false),
            (
                json!(9_007_199_254_740_993_u64),
                json!(9_007_199_254_740_992_u64),
                false,
            ),
            (
                json!(9_007_199_254_740_993_u64),
                json!(9_007_199_254_740_992.0),
                false,
            ),
            (json!(10_000_000_000_000_000_u64), json!(1e16), true),
            (json!(u64::MAX), json!(18_446_744_073_709_551_616.0), false),
            (json!(1e300), json!(1e300), true),
            (json!(0.1), json!(0.2), false),
            (json!([1]), json!([1, 1]), false),
            (json!({"a": null}), json!({"b": null}), false),
        ] {
            assert_eq!(equal(&one, &other), same, "{one} {other}");
            assert_eq!(canonical(&one) == canonical(&other), same, "{one} {other}");
        }
    }
}
