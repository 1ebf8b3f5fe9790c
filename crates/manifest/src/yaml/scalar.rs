//! What a scalar means, by the core schema of YAML 1.2.

/// The text of a scalar and what decides its meaning.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(super) style: Style,
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes: the text decides.
    Plain,
    /// In quotes, as a block, or tagged `!!str`: always text.
    Text,
}

/// The kinds of the core schema. Numbers are only recognised, not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Null,
    Bool(bool),
    Integer,
    Float,
    Text,
}

impl Scalar {
    pub(super) fn meaning(&self) -> Meaning {
        match self.style {
            Style::Text => Meaning::Text,
            Style::Plain => plain(&self.text),
        }
    }
}

fn plain(text: &str) -> Meaning {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Meaning::Null,
        "true" | "True" | "TRUE" => Meaning::Bool(true),
        "false" | "False" | "FALSE" => Meaning::Bool(false),
        _ if is_integer(text) => Meaning::Integer,
        _ if is_float(text) => Meaning::Float,
        _ => Meaning::Text,
    }
}

fn is_integer(text: &str) -> bool {
    let all = |digits: &str, fits: fn(&u8) -> bool| {
        !digits.is_empty() && digits.bytes().all(|b| fits(&b))
    };
    if let Some(octal) = text.strip_prefix("0o") {
        return all(octal, |b| matches!(b, b'0'..=b'7'));
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return all(hexadecimal, u8::is_ascii_hexdigit);
    }
    all(unsigned(text), u8::is_ascii_digit)
}

fn is_float(text: &str) -> bool {
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let text = unsigned(text);
    if matches!(text, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(unsigned(exponent))),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(whole)
        && digits(part)
        && !(whole.is_empty() && part.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

/// `text` without one leading sign.
fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_core_schema() {
        let table: &[(Meaning, &[&str])] = &[
            (Meaning::Null, &["", "~", "null", "Null", "NULL"]),
            (Meaning::Bool(true), &["true", "True", "TRUE"]),
            (Meaning::Bool(false), &["false", "False", "FALSE"]),
            (Meaning::Integer, &["0", "-1", "+12", "007", "0o17", "0xFf"]),
            (
                Meaning::Float,
                &[
                    "1.0", "0.4", "-.5", "1.", "+1e3", "1.5E-7", ".inf", "-.INF", ".nan",
                ],
            ),
            (
                Meaning::Text,
                &[
                    "yes",
                    "no",
                    "on",
                    "off",
                    "nULL",
                    "tRUE",
                    "1.0.0",
                    "0o8",
                    "0x",
                    "-",
                    "+",
                    ".",
                    "1e",
                    "1e+",
                    "e1",
                    "+-1",
                    "1_000",
                    "-.nan",
                    "2026-07-01",
                    "12:30",
                    "1 ",
                    "٣",
                ],
            ),
        ];
        for (meaning, texts) in table {
            for text in *texts {
                assert_eq!(plain(text), *meaning, "{text:?}");
            }
        }
    }

    #[test]
    fn quotes_make_text() {
        let quoted = |text: &str| Scalar {
            text: text.to_owned(),
            style: Style::Text,
        };
        for text in ["", "true", "1.0", "null"] {
            assert_eq!(quoted(text).meaning(), Meaning::Text);
        }
    }
}
