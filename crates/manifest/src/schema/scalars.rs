//! Types, numbers and texts.

use serde_json::{Map, Number, Value};

use super::equal::whole;
use super::{Checker, Dialect, Faults, format};

/// Whether the value has the type, or one of the types. An unknown word says nothing.
pub(super) fn check_type(kind: Option<&Value>, value: &Value, faults: &mut Faults) -> bool {
    let word = match kind {
        Some(Value::String(word)) => word.as_str(),
        Some(Value::Array(words)) => {
            let mut words = words.iter().filter_map(Value::as_str).peekable();
            let first = words.peek().copied().unwrap_or_default();
            if words.any(|word| has_type(word, value)) || first.is_empty() {
                return true;
            }
            first
        }
        _ => return true,
    };
    if has_type(word, value) {
        return true;
    }
    let (kind, message) = match word {
        "boolean" => ("bool_type", "Input should be a valid boolean"),
        "integer" if value.is_number() => (
            "int_from_float",
            "Input should be a valid integer, got a number with a fractional part",
        ),
        "integer" => ("int_type", "Input should be a valid integer"),
        "number" => ("float_type", "Input should be a valid number"),
        "string" => ("string_type", "Input should be a valid string"),
        "array" => ("list_type", "Input should be a valid list"),
        "null" => ("none_required", "Input should be None"),
        _ => ("dict_type", "Input should be a valid dictionary"),
    };
    faults.add(kind, message);
    false
}

fn has_type(word: &str, value: &Value) -> bool {
    match word {
        "boolean" => value.is_boolean(),
        "integer" => value.as_number().is_some_and(is_whole),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    }
}

/// 1.0 is a whole number, as JSON Schema says.
fn is_whole(number: &Number) -> bool {
    !number.is_f64() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
}

/// The bounds of a number. `min` and `max` are how the original's manifests write them.
pub(super) fn check_number<'s, D: Dialect<'s>>(
    schema: &Map<String, Value>,
    number: &Number,
    faults: &mut Faults,
) {
    type Holds = fn(std::cmp::Ordering) -> bool;
    const BOUNDS: [(&str, &str, &str, &str, Holds); 4] = [
        (
            "minimum",
            "greater_than_equal",
            "ge",
            "greater than or equal to",
            |o| o.is_ge(),
        ),
        (
            "maximum",
            "less_than_equal",
            "le",
            "less than or equal to",
            |o| o.is_le(),
        ),
        (
            "exclusiveMinimum",
            "greater_than",
            "gt",
            "greater than",
            |o| o.is_gt(),
        ),
        ("exclusiveMaximum", "less_than", "lt", "less than", |o| {
            o.is_lt()
        }),
    ];
    for (keyword, kind, name, words, holds) in BOUNDS {
        let short = D::SETTINGS
            .then(|| match keyword {
                "minimum" => schema.get("min"),
                "maximum" => schema.get("max"),
                _ => None,
            })
            .flatten();
        let draft_4 = match keyword {
            "exclusiveMinimum" => exclusive(schema, keyword, "minimum"),
            "exclusiveMaximum" => exclusive(schema, keyword, "maximum"),
            _ => None,
        };
        for bound in [schema.get(keyword), short, draft_4].into_iter().flatten() {
            if let Value::Number(limit) = bound
                && !compare(number, limit).is_none_or(holds)
            {
                let sentence = format!("Input should be {words} {{}}");
                faults.add_bound(kind, name, bound, &sentence);
            }
        }
    }
    if let Some(bound @ Value::Number(step)) = schema.get("multipleOf")
        && !is_multiple(number, step)
    {
        faults.add_bound(
            "multiple_of",
            "multiple_of",
            bound,
            "Input should be a multiple of {}",
        );
    }
}

/// Draft 4 has `exclusiveMinimum: true` beside `minimum`.
fn exclusive<'a>(schema: &'a Map<String, Value>, keyword: &str, bound: &str) -> Option<&'a Value> {
    (schema.get(keyword) == Some(&Value::Bool(true)))
        .then(|| schema.get(bound))
        .flatten()
}

fn compare(one: &Number, other: &Number) -> Option<std::cmp::Ordering> {
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

fn is_multiple(number: &Number, step: &Number) -> bool {
    if let (Some(number), Some(step)) = (whole(number), whole(step)) {
        return step <= 0 || number % step == 0;
    }
    let (Some(number), Some(step)) = (number.as_f64(), step.as_f64()) else {
        return true;
    };
    if step <= 0.0 {
        return true;
    }
    let times = number / step;
    // 0.3 is a multiple of 0.1, whatever binary fractions make of it.
    (times - times.round()).abs() <= 1e-9 * times.abs().max(1.0)
}

impl<'s, D: Dialect<'s>> Checker<'s, D> {
    /// Lengths, patterns and, of settings, formats.
    pub(super) fn check_text(
        &mut self,
        schema: &'s Map<String, Value>,
        text: &str,
        faults: &mut Faults,
    ) {
        let bounds = ["minLength", "maxLength"].map(|key| (schema.get(key), limit(schema, key)));
        if bounds.iter().any(|(_, limit)| limit.is_some()) {
            let length = text.chars().count();
            if let (Some(bound), Some(least)) = bounds[0]
                && length < least
            {
                let sentence = "String should have at least {} characters";
                faults.add_bound("string_too_short", "min_length", bound, sentence);
            }
            if let (Some(bound), Some(most)) = bounds[1]
                && length > most
            {
                let sentence = "String should have at most {} characters";
                faults.add_bound("string_too_long", "max_length", bound, sentence);
            }
        }
        if let Some(bound @ Value::String(pattern)) = schema.get("pattern")
            && !self.matches(pattern, text)
        {
            let sentence = "String should match pattern {}";
            faults.add_bound("string_pattern_mismatch", "pattern", bound, sentence);
        }
        if D::SETTINGS
            && let Some(Value::String(name)) = schema.get("format")
            && let Some((kind, message)) = format::fault(name, text)
        {
            faults.add(kind, message);
        }
    }
}

/// A bound of a length, where it is one.
pub(super) fn limit(schema: &Map<String, Value>, key: &str) -> Option<usize> {
    let bound = schema.get(key)?.as_f64()?;
    // Comparing with the largest length is enough for anything above it.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float becomes the nearest length that there is"
    )]
    (bound >= 0.0).then_some(bound as usize)
}
