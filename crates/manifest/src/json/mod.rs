//! JSON that comes from elsewhere: what is JSON at all, and what of it can be kept as it is.
//!
//! The grammar allows more than a value here holds: half of a surrogate pair, numbers beyond 64
//! bits, any depth. Nothing of it may be lost without a word, and none of it may cost a stack.

mod read;
mod scan;

pub use read::{DEEPEST, Kept, NotKept, lost_numbers, read};

/// Whether a text is JSON by its grammar (RFC 8259), also where no program could make a value of
/// it; only such a line of output is passed to the next run.
pub fn is_json(text: &str) -> bool {
    depth(text).is_some()
}

/// How many lists and objects a text has within each other at most; none where it is not JSON.
pub fn depth(text: &str) -> Option<usize> {
    let mut scanner = scan::Scanner::new(text);
    let mut deepest = 0;
    while scanner.token().ok()?.is_some() {
        deepest = deepest.max(scanner.depth());
    }
    Some(deepest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;
    use crate::LAST_LINE_LIMIT;

    #[test]
    fn json_is_what_the_grammar_says() {
        let half = LAST_LINE_LIMIT / 2;
        let deep = "[".repeat(half) + &"]".repeat(half);
        let digits = "9".repeat(401);
        for text in [
            " {\"a\": [1, null]} ",
            "7",
            "-0.5e+3",
            "1E9",
            "\"\"",
            "[]",
            "{ }",
            "[ 1 , [ ] , { } ]",
            "{\"a\":\"\\ud83d\"}",
            "\"\\udc00\\ud83d\\ude00\\ud83d\"",
            "\"\\ud83d\\u0041\"",
            "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9é\u{7f}\"",
            "1e999",
            &digits,
            &deep,
            "{\"a\":1,\"a\":2}",
        ] {
            assert!(is_json(text), "{text:.40}");
        }
        for text in [
            "",
            " ",
            "done",
            "{} {}",
            "{",
            "}",
            "[",
            "]",
            "[}",
            "{]",
            "[1,]",
            "[,]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{1:2}",
            "{,}",
            "[1 2]",
            "1,",
            ",",
            ":",
            "01",
            "-",
            "+1",
            ".5",
            "1.",
            "1e",
            "1e+",
            "nul",
            "nullx",
            "True",
            "NaN",
            "'a'",
            "\"",
            "\"\\",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u+123\"",
            "\"a\nb\"",
            "\"\t\"",
            "\u{feff}1",
            "\u{a0}1",
            "\u{c}1",
        ] {
            assert!(!is_json(text), "{text}");
        }
        assert_eq!(depth(&deep), Some(half));
        assert_eq!(depth("[{\"a\":[]},[[],[[]]],1]"), Some(4));
        assert_eq!(depth("1"), Some(0));
        assert!(!is_json(&"[".repeat(LAST_LINE_LIMIT)));
        assert!(!is_json(&"{\"a\":".repeat(LAST_LINE_LIMIT / 5)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// Which passes over what it does not read by the grammar too.
        #[test]
        fn agrees_with_another_parser(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "{", "}", "[", "]", ",", ":", " ", "\"a\"", "\"\\ud83d\"", "\"", "\\", "0",
                    "1", "-", ".", "e", "+", "true", "null", "{\"a\":", "\n", "é", "[]", "{}",
                ]),
                0..9,
            ),
        ) {
            let text = pieces.concat();
            let other = serde_json::from_str::<Box<RawValue>>(&text).is_ok();
            prop_assert_eq!(is_json(&text), other, "{}", text);
        }
    }
}
