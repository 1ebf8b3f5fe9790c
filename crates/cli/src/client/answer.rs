//! What the server answers.

use marquetry_manifest::json;
use serde::Deserialize as _;
use serde_json::Value;

/// How many levels of lists and objects an answer may have. A payload has 127 at most, and a list
/// of tenants shows it six levels below.
const DEEPEST: usize = 200;

/// What the server answered, checked to be JSON.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Exactly as it came.
    pub text: String,
    /// The same, to look into.
    pub value: Value,
}

impl Answer {
    /// Reads a text.
    pub(super) fn read(text: String) -> serde_json::Result<Self> {
        let value = parse(&text)?;
        Ok(Self { text, value })
    }
}

/// The value of a text. The parser's own limit is 128 levels; beyond it the depth is measured first,
/// because reading, showing and dropping a value take stack for each.
pub(super) fn parse(text: &str) -> serde_json::Result<Value> {
    let usual = serde_json::from_str(text);
    if usual.is_ok() || json::depth(text).is_none_or(|depth| depth > DEEPEST) {
        return usual;
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit();
    Value::deserialize(&mut reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_answers_are_read_up_to_a_bound() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        for depth in [1, 127, 128, DEEPEST] {
            let answer = Answer::read(nested(depth)).unwrap();
            assert_eq!(answer.value.to_string(), answer.text);
        }
        for wrong in [
            nested(DEEPEST + 1),
            nested(100_000),
            "[".repeat(150),
            "<p>".to_owned(),
        ] {
            assert!(Answer::read(wrong).is_err());
        }
    }
}
