//! Values of the API in words for people.

use jiff::{Timestamp, Unit};
use serde_json::Value;

use crate::client::Answer;
use crate::printer::{Block, Printer, Table};

/// A field as text; empty where it is missing or null.
pub(super) fn text(value: &Value, field: &str) -> String {
    plain(&value[field])
}

/// A value as text; lists with commas.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) if fields.is_empty() => String::new(),
        Value::Object(_) => value.to_string(),
    }
}

/// An instant to the second, in UTC.
pub(super) fn time(value: &Value, field: &str) -> String {
    let Some(instant) = instant(&value[field]) else {
        return text(value, field);
    };
    instant.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// From one instant to the other, as `1.2 s` or `3 min 5 s`; empty while one is missing.
pub(super) fn between(from: &Value, to: &Value) -> String {
    match (instant(from), instant(to)) {
        (Some(from), Some(to)) => {
            let millis = (to - from).total(Unit::Millisecond).unwrap_or(0.0);
            duration_ms(millis)
        }
        _ => String::new(),
    }
}

/// A number of milliseconds for people.
pub(crate) fn duration_ms(millis: f64) -> String {
    let millis = millis.max(0.0).round();
    if millis < 1_000.0 {
        format!("{millis} ms")
    } else if millis < 60_000.0 {
        format!("{:.1} s", millis / 1_000.0)
    } else {
        let seconds = (millis / 1_000.0).round();
        format!("{} min {} s", (seconds / 60.0).floor(), seconds % 60.0)
    }
}

fn instant(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// The phase of a run.
pub(super) fn phase(run: &Value) -> String {
    text(&run["status"], "phase")
}

/// The answer itself where JSON is wanted; else what `show` makes of it.
pub(super) fn answer(
    answer: &Answer,
    as_json: bool,
    to: &mut Printer,
    show: impl FnOnce(&Value, &mut Printer),
) {
    if as_json {
        to.line(answer.text.trim_end());
    } else {
        show(&answer.value, to);
    }
}

/// A list as a table; `empty` is what to do where there is nothing.
pub(super) fn rows(
    value: &Value,
    headings: &[&'static str],
    row: impl Fn(&Value) -> Vec<String>,
    empty: &str,
    to: &mut Printer,
) {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        to.note(empty);
        return;
    }
    let mut table = Table::new(headings);
    for item in items {
        table.row(row(item));
    }
    table.print(to);
}

/// All fields of an object, those that `order` names first; times to the second.
pub(super) fn block(value: &Value, order: &[&str], hide: &[&str], to: &mut Printer) {
    let Some(fields) = value.as_object() else {
        to.line(&plain(value));
        return;
    };
    let mut block = Block::default();
    let first = order.iter().filter(|name| fields.contains_key(**name));
    let rest = fields.keys().map(String::as_str);
    let rest = rest.filter(|name| !order.contains(name) && !hide.contains(name));
    for name in first.copied().chain(rest) {
        let shown = if name.ends_with("_date") {
            time(value, name)
        } else {
            text(value, name)
        };
        block.add(&name.replace('_', " "), shown);
    }
    block.print(to);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_short_and_durations_have_units() {
        let run = json!({
            "a_date": "2026-01-02T03:04:05.678Z",
            "b_date": "2026-01-02T03:05:10.178Z",
            "odd": "yesterday",
        });
        assert_eq!(time(&run, "a_date"), "2026-01-02 03:04:05Z");
        assert_eq!(time(&run, "odd"), "yesterday");
        assert_eq!(time(&run, "none"), "");
        assert_eq!(between(&run["a_date"], &run["b_date"]), "1 min 5 s");
        assert_eq!(between(&run["a_date"], &run["none"]), "");
        assert_eq!(duration_ms(999.4), "999 ms");
        assert_eq!(duration_ms(1_500.0), "1.5 s");
        assert_eq!(duration_ms(-3.0), "0 ms");
    }

    #[test]
    fn values_become_words() {
        assert_eq!(plain(&json!([1, "a", true])), "1, a, yes");
        assert_eq!(plain(&json!({})), "");
        assert_eq!(plain(&json!({"a": null})), r#"{"a":null}"#);
    }
}
