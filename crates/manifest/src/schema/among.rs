//! Whether a value is one of many, without comparing it with each of them.

use std::collections::HashMap;

use serde_json::Value;

use super::equal::canonical;
use super::scalars::check_type;
use super::{Checker, Dialect, Faults, Options};

/// Bytes of a value that are looked up for one step.
const PIECE: usize = 64;
/// What may stand beside the `const` of an alternative without saying anything about values.
const SILENT: [&str; 9] = [
    "$comment",
    "const",
    "default",
    "deprecated",
    "description",
    "examples",
    "readOnly",
    "title",
    "type",
];

/// The lists of one check by their addresses and what they are, each read once; none for
/// alternatives that are not all constants.
#[derive(Default)]
pub(super) struct Lists(HashMap<(usize, Kind), Option<List>>);

/// What a list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Options,
    Alternatives,
}

/// Values, ready to be looked up.
struct List {
    /// How often each is there.
    counts: HashMap<String, usize>,
    /// The bytes of the longest one; no longer value is among them.
    longest: usize,
}

impl List {
    fn of<'a>(values: impl Iterator<Item = &'a Value>) -> Self {
        let mut counts = HashMap::new();
        let mut longest = 0;
        for value in values {
            let text = canonical(value);
            longest = longest.max(text.len());
            *counts.entry(text).or_insert(0) += 1;
        }
        Self { counts, longest }
    }

    /// How often the value is there, and the bytes that it took to find out.
    fn count(&self, value: &Value) -> (usize, usize) {
        if value.as_str().is_some_and(|text| text.len() > self.longest) {
            return (0, 0);
        }
        let text = canonical(value);
        (self.counts.get(&text).copied().unwrap_or(0), text.len())
    }
}

impl<'s, D: Dialect<'s>> Checker<'s, D> {
    /// Notes a value that is none of the options.
    pub(super) fn check_among(&mut self, options: Options<'s>, value: &Value, faults: &mut Faults) {
        let read = || Some(List::of(options.values()));
        if self.count((options.list, Kind::Options), read, value) == Some(0) {
            faults.add_expected(options.values(), options.list.len());
        }
    }

    /// How many of the alternatives are fitted by the value; none when they are not all constants.
    pub(super) fn count_constants(
        &mut self,
        alternatives: &'s [Value],
        value: &Value,
    ) -> Option<usize> {
        let read = || {
            let all: Option<Vec<_>> = alternatives.iter().map(constant).collect();
            Some(List::of(all?.into_iter()))
        };
        self.count((alternatives, Kind::Alternatives), read, value)
    }

    fn count(
        &mut self,
        (list, kind): (&'s [Value], Kind),
        read: impl FnOnce() -> Option<List>,
        value: &Value,
    ) -> Option<usize> {
        let place = (list.as_ptr().addr(), kind);
        if !self.lists.0.contains_key(&place) && !self.spend(list.len() as u64) {
            return None;
        }
        let known = self.lists.0.entry(place).or_insert_with(read);
        let (count, bytes) = known.as_ref()?.count(value);
        self.spend(1 + (bytes / PIECE) as u64).then_some(count)
    }
}

/// The value of an alternative that nothing else fits.
fn constant(alternative: &Value) -> Option<&Value> {
    let fields = alternative.as_object()?;
    let value = fields.get("const")?;
    let is_silent = fields.keys().all(|key| SILENT.contains(&key.as_str()));
    let has_type = check_type(fields.get("type"), value, &mut Faults::quiet());
    (is_silent && has_type).then_some(value)
}
