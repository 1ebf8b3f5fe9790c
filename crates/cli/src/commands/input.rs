//! Arguments that hold JSON or secrets.

use std::fs;
use std::io::{self, Read};

use marquetry_manifest::Step;
use marquetry_manifest::json::lost_numbers;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::failure::Failure;

/// How JSON is given.
const FORMS: &str = "JSON such as '{\"add\": 5}', the name of a file with JSON, or - for stdin";

/// The content of `-` (stdin) or of a file.
pub(super) fn file(name: &str) -> anyhow::Result<String> {
    read(name).map_err(|error| {
        let what = if name == "-" { "stdin" } else { name };
        Failure::new(format!("{what} cannot be read: {error}"))
            .remedy("name a file with text, or - for stdin")
            .into()
    })
}

fn read(name: &str) -> io::Result<String> {
    if name == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(name)
    }
}

/// JSON, given as it is, by a file's name, or as `-` for stdin, as a value.
pub(super) fn json(argument: &str) -> anyhow::Result<Value> {
    json_among(argument, FORMS)
}

/// The same where it is one of the `forms` in which an argument can be given.
pub(super) fn json_among(argument: &str, forms: &str) -> anyhow::Result<Value> {
    let raw = raw_among(argument, forms)?;
    refuse_lost(raw.get(), "")?;
    serde_json::from_str(raw.get()).map_err(|error| {
        Failure::new(format!("the JSON cannot be read: {error}"))
            .remedy("give at most 127 levels of lists and objects, and surrogates in pairs")
            .into()
    })
}

/// The same, to be sent as it was written.
pub(super) fn raw(argument: &str) -> anyhow::Result<Box<RawValue>> {
    raw_among(argument, FORMS)
}

fn raw_among(argument: &str, forms: &str) -> anyhow::Result<Box<RawValue>> {
    let remedy = format!("give {forms}");
    let start = argument.trim_start();
    let inline = start.starts_with(['{', '[', '"']) || start.trim_end() == "null";
    let text = if inline {
        argument.to_owned()
    } else {
        read(argument).map_err(|error| {
            let sentence = if argument == "-" {
                format!("stdin cannot be read: {error}")
            } else {
                format!("there is no file `{argument}` that can be read: {error}")
            };
            Failure::new(sentence).remedy(&remedy)
        })?
    };
    serde_json::from_str(&text).map_err(|error| {
        let place = if inline { "the argument" } else { argument };
        Failure::new(format!("{place} is not JSON: {error}"))
            .remedy(&remedy)
            .into()
    })
}

/// `NAME=VALUE` pairs as an object. A value that is JSON is taken as JSON (`5`, `true`), any other
/// as text.
pub(super) fn settings(pairs: &[String]) -> anyhow::Result<Map<String, Value>> {
    let mut found = Map::new();
    for pair in pairs {
        let (name, text) = split(pair)?;
        refuse_lost(text, name)?;
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        found.insert(name.to_owned(), value);
    }
    Ok(found)
}

/// Numbers that would not arrive as they are written, within the field `name` where there is one.
/// The text may hold a secret, so no message shows it.
fn refuse_lost(text: &str, name: &str) -> anyhow::Result<()> {
    let Some(mut fault) = lost_numbers(text).into_iter().next() else {
        return Ok(());
    };
    if !name.is_empty() {
        fault.path.insert(0, Step::Key(name.to_owned()));
    }
    Err(Failure::new(fault.to_string())
        .remedy("put the number in double quotes: '\"18446744073709551616\"'")
        .into())
}

/// A file of `NAME=VALUE` lines as an object of texts; empty lines and `#` comments are skipped.
pub(super) fn variables(name: &str) -> anyhow::Result<Map<String, Value>> {
    let mut found = Map::new();
    for line in file(name)?.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // The line may hold a secret, so no message shows it.
        let Some((key, value)) = line.split_once('=') else {
            return Err(Failure::new(format!("{name} has a line without `=`"))
                .remedy("write one NAME=VALUE in each line")
                .into());
        };
        found.insert(key.trim().to_owned(), Value::String(value.to_owned()));
    }
    Ok(found)
}

fn split(pair: &str) -> anyhow::Result<(&str, &str)> {
    match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(Failure::new(format!("`{pair}` is no NAME=VALUE"))
            .remedy("write it as step=2")
            .into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pairs_become_values() {
        let pairs = ["step=2", "loud=true", "name=a=b", "empty="].map(str::to_owned);
        let found = Value::Object(settings(&pairs).unwrap());
        let wanted = json!({"step": 2, "loud": true, "name": "a=b", "empty": ""});
        assert_eq!(found, wanted);
        let large = settings(&["id=18446744073709551616".to_owned()]).unwrap_err();
        let words =
            "id: Input should be a whole number of at most 64 bits; write a larger one as text";
        assert_eq!(large.to_string(), words);
        let text = settings(&["id=\"18446744073709551616\"".to_owned()]).unwrap();
        assert_eq!(text["id"], "18446744073709551616");
        assert!(settings(&["=x".to_owned()]).is_err());
        assert!(settings(&["x".to_owned()]).is_err());
    }

    #[test]
    fn json_comes_inline_or_from_a_file() {
        assert_eq!(json(r#" {"a": 1}"#).unwrap(), json!({"a": 1}));
        assert_eq!(json("null").unwrap(), Value::Null);
        let large = r#"{"a": [18446744073709551616]}"#;
        let refused = json(large).unwrap_err().to_string();
        assert!(refused.starts_with("a[0]: Input should be"), "{refused}");
        assert_eq!(raw(large).unwrap().get(), large);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json").display().to_string();
        fs::write(&path, "[1]").unwrap();
        assert_eq!(json(&path).unwrap(), json!([1]));
        fs::write(&path, "nonsense").unwrap();
        assert!(json(&path).unwrap_err().to_string().contains("is not JSON"));
        assert!(
            json("/nowhere")
                .unwrap_err()
                .to_string()
                .contains("there is no file `/nowhere`")
        );
    }

    #[test]
    fn a_file_of_variables_is_read_line_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env").display().to_string();
        fs::write(&path, "# note\n\nTOKEN=a=b \nB=\n").unwrap();
        let found = Value::Object(variables(&path).unwrap());
        assert_eq!(found, json!({"TOKEN": "a=b", "B": ""}));
        fs::write(&path, "geheim\n").unwrap();
        assert!(!variables(&path).unwrap_err().to_string().contains("geheim"));
    }
}
