//! A rough reading of Rust source: enough for checks that look for words.

/// The source without its line comments and without the tests at its end. Lines keep their numbers.
/// A `//` inside a string cuts that line short, which no check here minds.
pub(crate) fn code(source: &str) -> String {
    let before_tests = source.split("#[cfg(test)]").next().unwrap_or_default();
    without_comments(before_tests)
}

/// The source without its line comments.
pub(crate) fn without_comments(source: &str) -> String {
    let lines = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether `text` holds `word` with no letter, digit or underscore on either side.
pub(crate) fn names(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + word.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

/// Whether the character may stand in a Rust name.
pub(crate) fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::{code, names};

    #[test]
    fn comments_and_tests_are_no_code() {
        let source = "fn a() {} // fn b()\n/// fn c()\n#[cfg(test)]\nmod tests { fn d() {} }";
        assert_eq!(code(source), "fn a() {} \n");
    }

    #[test]
    fn a_word_is_whole() {
        assert!(names("store::runs::claim(tx)", "runs::claim"));
        assert!(!names("runs::claim_all(tx)", "runs::claim"));
        assert!(!names("dry_runs::claim(tx)", "runs::claim"));
        assert!(names("runs::claim_all; runs::claim", "runs::claim"));
    }
}
