//! Definitions that tests share.

use std::fs;
use std::path::Path;

use marquetry_connector::{Definition, Values, read};
use serde_json::{Value, json};

/// The shipped files: name and text.
pub(crate) fn files() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("connectors");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let read = entries.map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, fs::read(entry.path()).unwrap())
    });
    read.collect()
}

/// Reads what must be good.
pub(crate) fn definition(json: &Value) -> Definition {
    read(json.to_string().as_bytes()).unwrap()
}

/// A definition with these parts, and whatever else is needed.
pub(crate) fn with(parts: &Value) -> Definition {
    let mut whole = json!({"name": "x", "title": "X", "auth": {"kind": "fields"}});
    for (name, part) in parts.as_object().unwrap() {
        whole[name] = part.clone();
    }
    definition(&whole)
}

pub(crate) fn values(pairs: &[(&str, &str)]) -> Values {
    let pairs = pairs.iter();
    pairs.map(|&(a, b)| (a.to_owned(), b.to_owned())).collect()
}

/// Definitions that have every property there is: one of each kind of `auth`.
pub(crate) fn full() -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("full.json")).unwrap();
    let auths = all["auth"].as_array().unwrap().iter();
    auths
        .map(|auth| {
            let mut whole = all["rest"].clone();
            whole["auth"] = auth.clone();
            whole
        })
        .collect()
}
