//! Regular expressions of schemas.

use std::collections::HashMap;

use fancy_regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::{Checker, Dialect};

/// Longest expression that is used, in bytes.
const LONGEST: usize = 4096;
/// Steps for making one, and for each piece of text that it is tried on.
const MAKING: u64 = 5_000;
const PIECE: usize = 16;
/// How often one match may go back.
const BACKTRACKS: usize = 20_000;
/// The largest automaton of one expression, in bytes.
const SIZE: usize = 1 << 20;

/// The expressions of one check, each made once; none for one that cannot be used.
#[derive(Default)]
pub(super) struct Patterns<'s>(HashMap<&'s str, Option<Regex>>);

/// The expression, if it can be used.
fn compile(pattern: &str) -> Option<Regex> {
    if pattern.len() > LONGEST {
        return None;
    }
    let mut builder = RegexBuilder::new(pattern);
    builder.backtrack_limit(BACKTRACKS);
    builder.delegate_size_limit(SIZE);
    builder.delegate_dfa_size_limit(SIZE);
    builder.build().ok()
}

impl<'s, D: Dialect<'s>> Checker<'s, D> {
    /// Whether the expression is found in the text. One that cannot be used says nothing; one
    /// that would take too long is not found.
    pub(super) fn matches(&mut self, pattern: &'s str, text: &str) -> bool {
        let known = self.patterns.0.contains_key(pattern);
        let price = (text.len() / PIECE) as u64 + if known { 1 } else { MAKING };
        if !self.spend(price) {
            return true;
        }
        let regex = self.patterns.0.entry(pattern);
        match regex.or_insert_with(|| compile(pattern)) {
            None => true,
            Some(regex) => match regex.is_match(text) {
                Ok(found) => found,
                Err(_) => {
                    // It went back to its limit, and the next text may do the same.
                    self.spend(MAKING);
                    false
                }
            },
        }
    }
}

/// The expressions anywhere in a schema that cannot be used.
pub(crate) fn unusable(schema: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    walk(schema, &mut found);
    found
}

fn walk<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(pattern)) = fields.get("pattern")
                && compile(pattern).is_none()
            {
                found.push(pattern);
            }
            if let Some(Value::Object(patterns)) = fields.get("patternProperties") {
                found.extend(
                    patterns
                        .keys()
                        .map(String::as_str)
                        .filter(|pattern| compile(pattern).is_none()),
                );
            }
            for value in fields.values() {
                walk(value, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                walk(item, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
