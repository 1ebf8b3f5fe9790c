//! Looking through JSON without building it: a parsed value takes up to seventy times its bytes.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// What a JSON text holds at its top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Object,
    /// Anything else.
    Other,
}

/// The kind of a whole JSON text. Refuses exactly what parsing it to a `Value` refuses:
/// `IgnoredAny` would let bad numbers, surrogates and any depth pass.
pub(crate) fn kind(bytes: &[u8]) -> serde_json::Result<Kind> {
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let kind = Look.deserialize(&mut parser)?;
    parser.end()?;
    Ok(kind)
}

struct Look;

impl<'de> DeserializeSeed<'de> for Look {
    type Value = Kind;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Kind, E> {
        Ok(Kind::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Kind, E> {
        Ok(Kind::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Kind, E> {
        Ok(Kind::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Kind, E> {
        Ok(Kind::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Kind, E> {
        Ok(Kind::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        while items.next_element_seed(Look)?.is_some() {}
        Ok(Kind::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Kind, A::Error> {
        while fields.next_entry_seed(Look, Look)?.is_some() {}
        Ok(Kind::Object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_same_is_refused_with_the_same_words_as_in_parsing() {
        let deep = "[".repeat(200);
        for text in [
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1,}",
            "{1:2}",
            "[1,",
            "[1,]",
            "nul",
            "1e999",
            "NaN",
            "\"\\ud800\"",
            "\"\\x\"",
            "\"\u{0}\"",
            "{} {}",
            "\n{\n  \"a\": x}",
            "'a'",
            "-",
            "01",
            &deep,
        ] {
            let ours = kind(text.as_bytes()).unwrap_err().to_string();
            let theirs = serde_json::from_str::<Value>(text).unwrap_err().to_string();
            assert_eq!(ours, theirs, "{text}");
        }
        assert!(kind(b"{\"a\": \"\xff\"}").is_err());
        assert!(kind(b"{\"\xff\": 1}").is_err());
    }

    #[test]
    fn the_top_decides() {
        for (text, wanted) in [
            (" null ", Kind::Null),
            (
                " {\"a\": [null, 1, -1, 1.5, true, \"x\", {}]}\n",
                Kind::Object,
            ),
            ("[{}]", Kind::Other),
            ("\"{}\"", Kind::Other),
            ("1.5", Kind::Other),
            ("false", Kind::Other),
        ] {
            assert_eq!(kind(text.as_bytes()).unwrap(), wanted, "{text}");
        }
    }
}
