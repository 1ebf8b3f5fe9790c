//! Pydantic's lax mode: which texts and numbers count as which scalars.

use serde_json::{Map, Value};

/// Kind, sentence and the values that the sentence speaks of.
pub(super) type Wrong = (&'static str, String, Option<Map<String, Value>>);

pub(super) fn wrong(kind: &'static str, text: &str) -> Wrong {
    (kind, text.to_owned(), None)
}

/// A whole number: also `"12"`, `"1_000"`, `12.0`, `true`.
pub(super) fn integer(value: &Value) -> Result<i64, Wrong> {
    const TOO_LARGE: &str = "Unable to parse input string as an integer, exceeded maximum size";
    match value {
        Value::Bool(value) => Ok(i64::from(*value)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Ok(number),
            (None, Some(number)) if number.fract() != 0.0 => Err(wrong(
                "int_from_float",
                "Input should be a valid integer, got a number with a fractional part",
            )),
            (None, number) => number
                .and_then(whole)
                .ok_or_else(|| wrong("int_parsing_size", TOO_LARGE)),
        },
        Value::String(text) => match digits(text) {
            Some(digits) => digits
                .parse()
                .map_err(|_| wrong("int_parsing_size", TOO_LARGE)),
            None => Err(wrong(
                "int_parsing",
                "Input should be a valid integer, unable to parse string as an integer",
            )),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(wrong("int_type", "Input should be a valid integer"))
        }
    }
}

/// A number of things, of which there may be any number: a text of more digits than fit is as many as
/// can be.
pub(super) fn count(value: &Value) -> Result<i64, Wrong> {
    integer(value).or_else(|wrong| {
        let digits = value.as_str().and_then(digits).ok_or(wrong)?;
        let least = digits.starts_with('-');
        Ok(if least { i64::MIN } else { i64::MAX })
    })
}

/// A float without a fraction, when it is an `i64`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked before"
)]
fn whole(number: f64) -> Option<i64> {
    const LIMIT: f64 = 9_007_199_254_740_992.0;
    (number.abs() <= LIMIT).then_some(number as i64)
}

/// The digits of an integer's text without decoration; none when it is no integer.
fn digits(text: &str) -> Option<String> {
    let text = text.trim();
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let rest = match rest.split_once('.') {
        Some((rest, zeros)) if zeros.bytes().all(|byte| byte == b'0') => rest,
        Some(_) => return None,
        None => rest,
    };
    let grouped = rest.split('_').all(|group| !group.is_empty());
    let plain = rest
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'_');
    (grouped && plain).then(|| format!("{sign}{}", rest.replace('_', "")))
}

/// A finite number: also its text.
pub(super) fn number(value: &Value) -> Result<f64, Wrong> {
    let found = match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => Some(text.trim().parse().map_err(|_| {
            wrong(
                "float_parsing",
                "Input should be a valid number, unable to parse string as a number",
            )
        })?),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            return Err(wrong("float_type", "Input should be a valid number"));
        }
    };
    found
        .filter(|number| number.is_finite())
        .ok_or_else(|| wrong("finite_number", "Input should be a finite number"))
}

/// True or false: also 1, 0 and the usual words.
pub(super) fn boolean(value: &Value) -> Result<bool, Wrong> {
    let found = match value {
        Value::Bool(value) => Some(*value),
        Value::Number(number) => match number.as_f64() {
            Some(1.0) => Some(true),
            Some(0.0) => Some(false),
            _ => None,
        },
        Value::String(text) => word(text),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            return Err(wrong("bool_type", "Input should be a valid boolean"));
        }
    };
    found.ok_or_else(|| {
        wrong(
            "bool_parsing",
            "Input should be a valid boolean, unable to interpret input",
        )
    })
}

fn word(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "t" | "y" => Some(true),
        "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn integers() {
        let good = [
            (json!(12), 12),
            (json!("12"), 12),
            (json!(" +1_000 "), 1000),
            (json!("-3.00"), -3),
            (json!(12.0), 12),
            (json!(true), 1),
            (json!(i64::MAX), i64::MAX),
        ];
        for (value, number) in good {
            assert_eq!(integer(&value), Ok(number), "{value}");
        }
        let bad = [
            (json!("x"), "int_parsing"),
            (json!(""), "int_parsing"),
            (json!("1.5"), "int_parsing"),
            (json!("1__0"), "int_parsing"),
            (json!("-"), "int_parsing"),
            (json!(1.5), "int_from_float"),
            (json!(1e300), "int_parsing_size"),
            (json!(u64::MAX), "int_parsing_size"),
            (json!("9223372036854775808"), "int_parsing_size"),
            (json!(null), "int_type"),
            (json!([1]), "int_type"),
        ];
        for (value, kind) in bad {
            assert_eq!(integer(&value).unwrap_err().0, kind, "{value}");
        }
    }

    #[test]
    fn counts_have_no_end() {
        for (value, number) in [
            (json!("7"), 7),
            (json!("9223372036854775808"), i64::MAX),
            (json!("-9223372036854775809"), i64::MIN),
        ] {
            assert_eq!(count(&value), Ok(number), "{value}");
        }
        for (value, kind) in [
            (json!("x"), "int_parsing"),
            (json!(1.5), "int_from_float"),
            (json!(null), "int_type"),
        ] {
            assert_eq!(count(&value).unwrap_err().0, kind, "{value}");
        }
    }

    #[test]
    fn booleans() {
        for value in [json!("YES"), json!("on"), json!(1), json!("t"), json!(1.0)] {
            assert_eq!(boolean(&value), Ok(true), "{value}");
        }
        for value in [json!("no"), json!("F"), json!(0), json!("off")] {
            assert_eq!(boolean(&value), Ok(false), "{value}");
        }
        assert_eq!(boolean(&json!("maybe")).unwrap_err().0, "bool_parsing");
        assert_eq!(boolean(&json!(2)).unwrap_err().0, "bool_parsing");
        assert_eq!(boolean(&json!(null)).unwrap_err().0, "bool_type");
    }

    #[test]
    fn numbers_are_finite() {
        assert_eq!(number(&json!("0.5")), Ok(0.5));
        assert_eq!(number(&json!("inf")).unwrap_err().0, "finite_number");
        assert_eq!(number(&json!("nan")).unwrap_err().0, "finite_number");
        assert_eq!(number(&json!("x")).unwrap_err().0, "float_parsing");
    }
}
