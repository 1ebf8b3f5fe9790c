//! The texts by which secrets are found in a log.

use serde_json::Value;

/// The texts themselves, and their lines: whoever prints a text of several lines prints them one by
/// one, indented or not. Lines that frame a key are in every log that has a key in it. A text that is
/// JSON, as the key file of a service account, is read by code, which then prints what it found.
pub(crate) fn with_lines<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut all = Vec::new();
    for text in texts {
        with_own_lines(text, &mut all);
        if text.trim_start().starts_with(['{', '['])
            && let Ok(value) = serde_json::from_str(text)
        {
            within(&value, &mut all);
        }
    }
    all
}

fn with_own_lines(text: &str, into: &mut Vec<String>) {
    into.push(text.to_owned());
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| *line != text && !line.starts_with("-----"));
    into.extend(lines.map(str::to_owned));
}

fn within(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => with_own_lines(text, into),
        Value::Array(items) => items.iter().for_each(|item| within(item, into)),
        Value::Object(fields) => fields.values().for_each(|item| within(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_several_lines_is_found_by_each() {
        let key = "-----BEGIN KEY-----\r\nfirst-line\r\n\tsecond-line\n-----END KEY-----\n";
        assert_eq!(
            with_lines(["one-text", "one-line\n", key]),
            [
                "one-text",
                "one-line\n",
                "one-line",
                key,
                "first-line",
                "second-line"
            ]
        );
    }

    #[test]
    fn what_is_in_json_is_found_as_code_reads_it() {
        let file = r#"{"a": {"key": "one\ntwo"}, "b": ["three"], "c": 4}"#;
        assert_eq!(
            with_lines([file, "{no json"]),
            [file, "one\ntwo", "one", "two", "three", "{no json"]
        );
    }
}
