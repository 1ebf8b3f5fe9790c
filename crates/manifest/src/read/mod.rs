//! From the tree to a [`Manifest`].

mod commands;
mod configs;
mod narrowing;
mod property;
mod uischema;

pub(crate) use commands::LONGEST as COMMAND_LIMIT;
pub(crate) use configs::KEYS as SCHEMA_KEYS;
pub(crate) use narrowing::{KEYS as NARROWING_KEYS, LATER as NARROWING_LATER, LONGEST_SECONDS};
pub use property::LONGEST_NAME;
pub(crate) use property::TYPES as PROPERTY_TYPES;
pub(crate) use uischema::{SCOPED as SCOPED_ELEMENTS, TYPES as ELEMENTS};

use std::rc::Rc;

use serde_json::Value;

use crate::base::Base;
use crate::manifest::{Manifest, Narrowing};
use crate::problem::{Place, Problem, Report, below, shown};
use crate::schema::unusable_patterns;
use crate::suggest;
use crate::yaml::{Entry, Node, compose, prepare, to_json};

/// Largest manifest file that is read, in bytes.
pub const MANIFEST_LIMIT: usize = 1024 * 1024;

/// The keys of a manifest.
pub(crate) const KEYS: &[&str] = &[
    "version",
    "base",
    "build",
    "run",
    "configs",
    "connectors",
    "metadata_schema",
    "marquetry",
];

/// The keys of `metadata_schema`.
pub(crate) const METADATA_KEYS: &[&str] = &["schema", "uischema"];

/// Format versions seen so far; others are read in the same way, with a warning.
pub(crate) const VERSIONS: &[&str] = &["0.4", "0.5", "1.0"];

/// A manifest that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What it says.
    pub manifest: Manifest,
    /// What may not be as its author thinks, by place; the build shows them.
    pub warnings: Vec<Problem>,
}

/// Reads a manifest. `file_name` is only repeated in problems.
///
/// # Errors
/// Everything that is wrong with the file, by place: never empty.
pub fn parse(file_name: &str, text: &[u8]) -> Result<Parsed, Vec<Problem>> {
    let mut report = Report::new(file_name);
    let manifest = read(text, &mut report);
    let warnings = report.close()?;
    let manifest = manifest.expect("a manifest that cannot be read has a problem recorded");
    Ok(Parsed { manifest, warnings })
}

fn read(text: &[u8], report: &mut Report) -> Option<Manifest> {
    if text.len() > MANIFEST_LIMIT {
        let message = format!(
            "the file is over {MANIFEST_LIMIT} bytes; move what is not a manifest elsewhere"
        );
        report.problem(Place::START, "", message);
        return None;
    }
    let text = prepare(text, report)?;
    let root = compose(&text, report)?;
    if root.entries().is_none() {
        let message = format!(
            "the file holds {}, not an object; a manifest has the keys `version`, `base`, `build` and `run`",
            root.described()
        );
        report.problem(root.place, "", message);
        return None;
    }
    unknown_keys(&root, "", KEYS, report);
    // Each part is read before any of them ends the reading, so that all problems come at once.
    let version = version(&root, report);
    let base = base(&root, report);
    let build = commands::command(&root, "build", report);
    let run = commands::command(&root, "run", report);
    let connectors = connectors(&root, report);
    let metadata_schema = metadata_schema(&root, report);
    let configs = configs::configs(&root, report);
    let marquetry = root
        .get("marquetry")
        .map_or_else(Narrowing::default, |entry| {
            narrowing::narrowing(entry, report)
        });
    Some(Manifest {
        version: version?,
        base: base?,
        build: build?,
        run: run?,
        connectors,
        configs,
        metadata_schema,
        marquetry,
    })
}

/// Warns of keys that have no meaning: mostly they are misspelt.
fn unknown_keys(node: &Node, path: &str, known: &[&str], report: &mut Report) {
    for entry in node.entries().unwrap_or_default() {
        if !known.contains(&&*entry.key) {
            let message = format!("unknown key, ignored{}", suggest::hint(&entry.key, known));
            report.warning(entry.key_place, &below(path, &entry.key), message);
        }
    }
}

/// The entry of a key that must be there.
fn required<'a>(
    root: &'a Node,
    key: &str,
    example: &str,
    report: &mut Report,
) -> Option<&'a Entry> {
    let entry = root.get(key);
    if entry.is_none() {
        let message = format!("missing; add a line such as `{key}: {example}`");
        report.problem(root.place, key, message);
    }
    entry
}

/// Where to point for a value: to itself, or to its key when there is nothing to point to.
fn value_place(entry: &Entry) -> Place {
    if entry.value.is_null() {
        entry.key_place
    } else {
        entry.value.place
    }
}

/// Records that a value has the wrong shape.
fn wrong_shape(entry: &Entry, path: &str, expected: &str, report: &mut Report) {
    let message = format!("expected {expected}, found {}", entry.value.described());
    report.problem(value_place(entry), path, message);
}

fn version(root: &Node, report: &mut Report) -> Option<String> {
    let entry = required(root, "version", "1.0", report)?;
    let Some(written) = entry.value.written().filter(|text| !text.trim().is_empty()) else {
        wrong_shape(entry, "version", "a format version such as `1.0`", report);
        return None;
    };
    if !VERSIONS.contains(&written) {
        let message = format!(
            "unknown format version `{}`, read as the newest known; known are {}",
            shown(written),
            VERSIONS.join(", ")
        );
        report.warning(entry.value.place, "version", message);
    }
    Some(written.to_owned())
}

fn base(root: &Node, report: &mut Report) -> Option<Base> {
    let entry = required(root, "base", "node:20", report)?;
    let Some(written) = entry.value.written().filter(|text| !text.trim().is_empty()) else {
        let expected = "a language with an optional version, such as `node:20` without a blank";
        wrong_shape(entry, "base", expected, report);
        return None;
    };
    match Base::read(written) {
        Ok(base) => Some(base),
        Err(message) => {
            report.problem(entry.value.place, "base", message);
            None
        }
    }
}

fn connectors(root: &Node, report: &mut Report) -> Vec<String> {
    let Some(entry) = root
        .get("connectors")
        .filter(|entry| !entry.value.is_null())
    else {
        return Vec::new();
    };
    let Some(items) = entry.value.items() else {
        let message = format!(
            "ignored: expected a list of connector names, found {}",
            entry.value.described()
        );
        report.warning(value_place(entry), "connectors", message);
        return Vec::new();
    };
    items
        .iter()
        .enumerate()
        .filter_map(|(index, one)| {
            let name = one.written().map(str::to_owned);
            if name.is_none() {
                let message = format!(
                    "ignored: expected the name of a connector, found {}",
                    one.described()
                );
                report.warning(
                    one.place,
                    &crate::problem::item("connectors", index),
                    message,
                );
            }
            name
        })
        .collect()
}

fn metadata_schema(root: &Node, report: &mut Report) -> Option<Value> {
    const KEY: &str = "metadata_schema";
    let entry = root.get(KEY).filter(|entry| !entry.value.is_null())?;
    let node: &Rc<Node> = &entry.value;
    if node.entries().is_none() {
        wrong_shape(entry, KEY, "an object with the key `schema`", report);
        return None;
    }
    unknown_keys(node, KEY, METADATA_KEYS, report);
    match node.get("schema") {
        None => {
            let message = "missing; put the JSON Schema of the metadata under this key";
            report.problem(entry.key_place, "metadata_schema.schema", message);
        }
        Some(schema) if schema.value.entries().is_none() => {
            wrong_shape(
                schema,
                "metadata_schema.schema",
                "an object, a JSON Schema",
                report,
            );
        }
        Some(_) => {}
    }
    let metadata = to_json(node, KEY, report);
    warn_of_patterns(&metadata["schema"], entry.key_place, KEY, report);
    Some(metadata)
}

/// A regular expression that cannot be used is passed over when values are checked.
fn warn_of_patterns(schema: &Value, at: Place, path: &str, report: &mut Report) {
    for pattern in unusable_patterns(schema) {
        let message = format!(
            "the pattern `{}` cannot be used and is ignored",
            shown(pattern)
        );
        report.warning(at, &below(path, "schema"), message);
    }
}
