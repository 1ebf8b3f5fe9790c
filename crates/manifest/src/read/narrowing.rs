//! `marquetry:`, the keys that the original does not have.

use super::{unknown_keys, value_place, wrong_shape};
use crate::manifest::{Egress, Narrowing};
use crate::problem::{Report, below, shown};
use crate::suggest;
use crate::yaml::Entry;

/// A day; no integration may be given more.
pub(crate) const LONGEST_SECONDS: u32 = 86_400;

/// The keys of `marquetry`.
pub(crate) const KEYS: &[&str] = &["timeout_seconds", "egress"];

/// Keys that have a meaning, and no effect yet. Who writes one counts on it.
pub(crate) const LATER: &[&str] = &["secrets", "resume"];

pub(super) fn narrowing(entry: &Entry, report: &mut Report) -> Narrowing {
    let mut narrowing = Narrowing::default();
    if entry.value.is_null() {
        return narrowing;
    }
    if entry.value.entries().is_none() {
        let expected = "an object with `timeout_seconds` or `egress`";
        wrong_shape(entry, "marquetry", expected, report);
        return narrowing;
    }
    for key in LATER {
        if let Some(entry) = entry.value.get(key) {
            let message = "not supported by this version; it narrows what runs may do, so it is not ignored: take it out";
            report.problem(
                entry.key_place,
                &below("marquetry", key),
                message.to_owned(),
            );
        }
    }
    let known: Vec<&str> = KEYS.iter().chain(LATER).copied().collect();
    unknown_keys(&entry.value, "marquetry", &known, report);
    if let Some(timeout) = entry.value.get("timeout_seconds") {
        narrowing.timeout_seconds = timeout_seconds(timeout, report);
    }
    if let Some(reach) = entry.value.get("egress") {
        narrowing.egress = egress(reach, report);
    }
    narrowing
}

fn timeout_seconds(entry: &Entry, report: &mut Report) -> Option<u32> {
    let seconds = entry
        .value
        .written()
        .and_then(|text| text.parse().ok())
        .filter(|seconds| (1..=LONGEST_SECONDS).contains(seconds));
    if seconds.is_none() {
        let message = format!("expected whole seconds from 1 to {LONGEST_SECONDS}, such as `300`");
        report.problem(value_place(entry), "marquetry.timeout_seconds", message);
    }
    seconds
}

fn egress(entry: &Entry, report: &mut Report) -> Option<Egress> {
    let words = Egress::ALL.map(Egress::as_str);
    let Some(word) = entry.value.text() else {
        let expected = format!("one of {}", words.join(", "));
        wrong_shape(entry, "marquetry.egress", &expected, report);
        return None;
    };
    let egress = Egress::from_word(word);
    if egress.is_none() {
        let message = format!(
            "unknown reach `{}`{}; use one of {}",
            shown(word),
            suggest::hint(word, &words),
            words.join(", ")
        );
        report.problem(entry.value.place, "marquetry.egress", message);
    }
    egress
}
