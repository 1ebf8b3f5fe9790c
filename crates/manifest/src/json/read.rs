//! JSON text as a value, as far as it can be kept, and what of it cannot.

use std::ops::Range;

use serde_json::{Map, Value};
use thiserror::Error;

use super::scan::{Kind, NotJson, Scanner, Token};
use crate::schema::{Fault, Step};

/// How many levels of lists and objects a value that is kept may have.
pub const DEEPEST: usize = 127;
/// How many numbers are named.
const MOST_NAMED: usize = 100;

/// A text that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Its value: half of a surrogate pair became U+FFFD, and each number among the faults `null`.
    pub value: Value,
    /// Every number that no value holds as it was written, up to 100.
    pub faults: Vec<Fault>,
}

/// Why there is no value of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotKept {
    /// It is no JSON.
    #[error("is not JSON")]
    NotJson,
    /// It has too many levels.
    #[error("has lists and objects nested more than {DEEPEST} deep")]
    TooDeep,
}

impl From<NotJson> for NotKept {
    fn from(NotJson: NotJson) -> Self {
        Self::NotJson
    }
}

/// Reads a text.
///
/// # Errors
/// When it is no JSON, or nested more than [`DEEPEST`] deep.
pub fn read(text: &str) -> Result<Kept, NotKept> {
    let found = look(text)?;
    let mended = mended(text, found.edits);
    Ok(Kept {
        value: serde_json::from_str(&mended).map_err(|_| NotKept::NotJson)?,
        faults: found.faults,
    })
}

/// The numbers in a text that would not be kept as they are; none where there is no value of it.
pub fn lost_numbers(text: &str) -> Vec<Fault> {
    look(text).map_or_else(|_| Vec::new(), |found| found.faults)
}

/// What a text has that no value holds.
struct Found {
    faults: Vec<Fault>,
    edits: Vec<(Range<usize>, &'static str)>,
}

fn look(text: &str) -> Result<Found, NotKept> {
    let mut scanner = Scanner::new(text);
    let mut place: Vec<Level> = Vec::new();
    let mut faults = Vec::new();
    let mut edits = Vec::new();
    while let Some(token) = scanner.token()? {
        if let (Some(level), Token::Open(_) | Token::Number(_) | Token::Other) =
            (place.last_mut(), &token)
        {
            level.values += 1;
        }
        match token {
            Token::Open(kind) => {
                if place.len() == DEEPEST {
                    return Err(NotKept::TooDeep);
                }
                place.push(Level::new(kind));
            }
            Token::Close => drop(place.pop()),
            Token::Key(key) => place.last_mut().into_iter().for_each(|level| {
                level.key = key.clone();
            }),
            Token::Number(range) => {
                if let Some((kind, message)) = fault(&text[range.clone()]) {
                    if faults.len() < MOST_NAMED {
                        faults.push(Fault {
                            path: path(text, &place),
                            kind,
                            message: message.to_owned(),
                            context: Map::new(),
                        });
                    }
                    edits.push((range, "null"));
                }
            }
            Token::Other => {}
        }
    }
    let lone = scanner.into_lone_surrogates().into_iter();
    edits.extend(lone.map(|range| (range, "\\ufffd")));
    Ok(Found { faults, edits })
}

/// A list or an object that is open, and where in it the text is.
struct Level {
    kind: Kind,
    key: Range<usize>,
    values: usize,
}

impl Level {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            key: 0..0,
            values: 0,
        }
    }
}

fn path(text: &str, place: &[Level]) -> Vec<Step> {
    let step = |level: &Level| match level.kind {
        Kind::List => Step::Index(level.values.saturating_sub(1)),
        Kind::Object => Step::Key(key(&text[level.key.clone()])),
    };
    place.iter().map(step).collect()
}

/// The key that a text in quotes means.
fn key(quoted: &str) -> String {
    match read(quoted).map(|kept| kept.value) {
        Ok(Value::String(key)) => key,
        _ => quoted.to_owned(),
    }
}

/// Why a number is not kept as it is written, if it is not.
fn fault(number: &str) -> Option<(&'static str, &'static str)> {
    const BEYOND: &str =
        "Input should be a whole number of at most 64 bits; write a larger one as text";
    const INFINITE: &str = "Input should be a finite number; write one beyond 64 bits as text";
    if number
        .bytes()
        .all(|byte| byte == b'-' || byte.is_ascii_digit())
    {
        let fits = number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
        return (!fits).then_some(("int_parsing_size", BEYOND));
    }
    let fits = number.parse().is_ok_and(f64::is_finite);
    (!fits).then_some(("finite_number", INFINITE))
}

/// The text with parts of it replaced.
fn mended(text: &str, mut edits: Vec<(Range<usize>, &'static str)>) -> String {
    edits.sort_unstable_by_key(|(range, _)| range.start);
    let mut mended = String::with_capacity(text.len());
    let mut from = 0;
    for (range, instead) in edits {
        mended.push_str(&text[from..range.start]);
        mended.push_str(instead);
        from = range.end;
    }
    mended.push_str(&text[from..]);
    mended
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Value {
        let kept = read(text).unwrap();
        assert_eq!(kept.faults, [], "{text}");
        kept.value
    }

    #[test]
    fn halves_of_characters_are_replaced() {
        assert_eq!(
            value(r#"{"a\ud83d": ["\ud83d", "\ude00x", "\ud83d\ude00", "\ud83d\ud83d\ude00"]}"#),
            json!({"a\u{fffd}": ["\u{fffd}", "\u{fffd}x", "😀", "\u{fffd}😀"]})
        );
        assert_eq!(value(r#""\\ud83d""#), json!("\\ud83d"));
        assert_eq!(value(r#""\ud83d\\ude00""#), json!("\u{fffd}\\ude00"));
    }

    #[test]
    fn numbers_that_are_kept() {
        for (text, kept) in [
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("1e20", json!(1e20)),
            ("1.5", json!(1.5)),
            // Nearest to what is written, not one beside it.
            ("98.37282740013183", json!(98.372_827_400_131_83)),
            ("1e-999", json!(0.0)),
        ] {
            assert_eq!(value(text), kept, "{text}");
            assert_eq!(value(text).to_string(), kept.to_string());
        }
    }

    #[test]
    fn numbers_that_are_not_kept_are_named() {
        let digits = "9".repeat(401);
        let text = format!(
            r#"{{"a": 18446744073709551616, "b": [1, {{"\u0063": -9223372036854775809}}],
            "d": {digits}, "e": [[], {{}}, "x", null, 1e999], "f": -1.5e400, "g": 7}}"#
        );
        let kept = read(&text).unwrap();
        let found: Vec<String> = kept.faults.iter().map(ToString::to_string).collect();
        let whole = "Input should be a whole number of at most 64 bits; write a larger one as text";
        let finite = "Input should be a finite number; write one beyond 64 bits as text";
        assert_eq!(
            found,
            [
                format!("a: {whole}"),
                format!("b[1].c: {whole}"),
                format!("d: {whole}"),
                format!("e[4]: {finite}"),
                format!("f: {finite}"),
            ]
        );
        assert_eq!(kept.value["b"], json!([1, {"c": null}]));
        assert_eq!(kept.value["g"], 7);
        assert_eq!(lost_numbers(&text), kept.faults);
        assert_eq!(lost_numbers(&digits)[0].path, []);
        let many = format!("[{}0]", "18446744073709551616,".repeat(5_000));
        assert_eq!(lost_numbers(&many).len(), MOST_NAMED);
        assert_eq!(lost_numbers("{\"a\": 18446744073709551616"), []);
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(read(&nested(DEEPEST)).is_ok());
        assert_eq!(read(&nested(DEEPEST + 1)), Err(NotKept::TooDeep));
        assert_eq!(read(&"[".repeat(100_000)), Err(NotKept::TooDeep));
        assert_eq!(read("[1"), Err(NotKept::NotJson));
        assert_eq!(
            NotKept::TooDeep.to_string(),
            "has lists and objects nested more than 127 deep"
        );
    }
}
