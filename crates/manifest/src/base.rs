//! `base`: the language and version that build and run the code.

use std::fmt;

use crate::suggest;

/// A language an integration may be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Written `clojure`; the original's documents also spell it `closure`.
    Clojure,
    /// JavaScript and TypeScript.
    Node,
    /// Python.
    Python,
    /// Ruby.
    Ruby,
    /// Java.
    Java,
    /// PHP.
    Php,
    /// C# and F#; written `.NET`.
    Dotnet,
    /// Written `golang` or `go`.
    Go,
    /// Kotlin.
    Kotlin,
    /// Rust.
    Rust,
}

/// Every spelling a manifest may use, lower case. The first one of a language is its own name.
const SPELLINGS: &[(&str, Language)] = &[
    ("clojure", Language::Clojure),
    ("closure", Language::Clojure),
    ("node", Language::Node),
    ("nodejs", Language::Node),
    ("javascript", Language::Node),
    ("typescript", Language::Node),
    ("python", Language::Python),
    ("ruby", Language::Ruby),
    ("java", Language::Java),
    ("php", Language::Php),
    ("dotnet", Language::Dotnet),
    (".net", Language::Dotnet),
    ("csharp", Language::Dotnet),
    ("go", Language::Go),
    ("golang", Language::Go),
    ("kotlin", Language::Kotlin),
    ("rust", Language::Rust),
];

/// What a version may have beside ASCII letters and digits; `-` last, as a class of a pattern wants it.
pub(crate) const VERSION_MARKS: &str = "._+-";

/// Longest version, in bytes.
pub(crate) const LONGEST_VERSION: usize = 64;

/// Every spelling of a language, lower case.
pub(crate) fn spellings() -> impl Iterator<Item = &'static str> {
    SPELLINGS.iter().map(|&(spelling, _)| spelling)
}

impl Language {
    /// Every language, in the order in which messages list them.
    pub const ALL: [Self; 10] = [
        Self::Clojure,
        Self::Node,
        Self::Python,
        Self::Ruby,
        Self::Java,
        Self::Php,
        Self::Dotnet,
        Self::Go,
        Self::Kotlin,
        Self::Rust,
    ];

    /// The platform's name of the language, such as `node` or `dotnet`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clojure => "clojure",
            Self::Node => "node",
            Self::Python => "python",
            Self::Ruby => "ruby",
            Self::Java => "java",
            Self::Php => "php",
            Self::Dotnet => "dotnet",
            Self::Go => "go",
            Self::Kotlin => "kotlin",
            Self::Rust => "rust",
        }
    }

    /// The language that `word` names in any letter case and any accepted spelling.
    pub fn from_word(word: &str) -> Option<Self> {
        SPELLINGS
            .iter()
            .find(|(spelling, _)| spelling.eq_ignore_ascii_case(word))
            .map(|&(_, language)| language)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A checked `base`, such as `node:20.9.0` or `Node`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The language.
    pub language: Language,
    /// The version as written after the colon; `None` leaves the choice to the platform.
    pub version: Option<String>,
    /// The whole value as written, without surrounding blanks.
    pub written: String,
}

impl Base {
    /// Reads `<language>` or `<language>:<version>`; the error is a sentence for the author.
    pub fn read(written: &str) -> Result<Self, String> {
        let written = written.trim();
        let (word, version) = match written.split_once(':') {
            Some((word, version)) => (word.trim(), Some(version.trim())),
            None => (written, None),
        };
        let language = Language::from_word(word).ok_or_else(|| unknown(word))?;
        if let Some(version) = version {
            check_version(version)?;
        }
        Ok(Self {
            language,
            version: version.map(str::to_owned),
            written: written.to_owned(),
        })
    }
}

fn unknown(word: &str) -> String {
    let known: Vec<&str> = Language::ALL.iter().map(|one| one.as_str()).collect();
    let spellings: Vec<&str> = spellings().collect();
    format!(
        "unknown language `{}`{}; use one of {}, each with an optional version such as `node:20`",
        crate::problem::shown(word),
        suggest::hint(word, &spellings),
        known.join(", "),
    )
}

/// Versions look like the tags of public images: they end up in file names and image names.
fn check_version(version: &str) -> Result<(), String> {
    if version.is_empty() {
        return Err(
            "no version after the colon; write one, such as `node:20`, or leave the colon out"
                .to_owned(),
        );
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || VERSION_MARKS.contains(c);
    if version.len() > LONGEST_VERSION || !version.chars().all(fits) {
        return Err(format!(
            "`{}` is no version; use letters, digits, `.`, `-`, `_` and `+` only, such as `20.9.0`",
            crate::problem::shown(version)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_base_seen_in_the_wild() {
        let seen = [
            ("python:3.7", Language::Python, Some("3.7")),
            ("Node", Language::Node, None),
            ("node:20.9.0", Language::Node, Some("20.9.0")),
            ("ruby:2.6", Language::Ruby, Some("2.6")),
            ("Java:11", Language::Java, Some("11")),
            ("php:8.0", Language::Php, Some("8.0")),
            (".NET:10.0", Language::Dotnet, Some("10.0")),
            ("golang:1.26", Language::Go, Some("1.26")),
            ("go", Language::Go, None),
            ("kotlin:2.4.10", Language::Kotlin, Some("2.4.10")),
            ("rust:1.97", Language::Rust, Some("1.97")),
            ("closure", Language::Clojure, None),
            ("CSharp:10.0", Language::Dotnet, Some("10.0")),
            ("JavaScript:20", Language::Node, Some("20")),
            ("TypeScript", Language::Node, None),
        ];
        for (written, language, version) in seen {
            let base = Base::read(written).unwrap();
            assert_eq!(base.language, language, "{written}");
            assert_eq!(base.version.as_deref(), version, "{written}");
            assert_eq!(base.written, written);
        }
    }

    #[test]
    fn an_unknown_language_lists_the_known_ones() {
        let message = Base::read("pyhton:3.11").unwrap_err();
        assert!(message.contains("did you mean `python`?"), "{message}");
        for language in Language::ALL {
            assert!(message.contains(language.as_str()), "{message}");
        }
    }

    #[test]
    fn refuses_versions_that_are_none() {
        for written in ["node:", "node: ", "node:20 && rm", "node:../x", "node:a:b"] {
            assert!(Base::read(written).is_err(), "{written}");
        }
        assert!(Base::read(&format!("node:{}", "1".repeat(65))).is_err());
    }

    #[test]
    fn every_language_reads_its_own_name() {
        for language in Language::ALL {
            assert_eq!(Language::from_word(language.as_str()), Some(language));
        }
    }
}
