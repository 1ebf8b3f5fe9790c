//! `configs`: the shape of the settings' schema and form.
//!
//! Lenient on purpose. The original's own documents and samples bend JSON Schema in several ways;
//! what works there must work here, so only a shape that nothing can read is a problem. Whatever
//! may surprise its author is a warning. Null stands for absent everywhere below `configs`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{property, uischema, unknown_keys, wrong_shape};
use crate::configs::config_variable_name;
use crate::problem::{Report, below, item, shown};
use crate::suggest;
use crate::yaml::{Entry, Node, to_json};

/// The schema as far as the checks need it; everything may be absent.
#[derive(Default)]
pub(super) struct Schema<'a> {
    pub(super) properties: &'a [Entry],
    pub(super) definitions: &'a [Entry],
    /// The properties of `metadata_schema.schema`, which `#/metadata/…` points to.
    pub(super) metadata: &'a [Entry],
}

pub(super) fn configs(root: &Node, report: &mut Report) -> Option<Value> {
    let entry = root.get("configs").filter(|entry| !entry.value.is_null())?;
    if entry.value.entries().is_none() {
        wrong_shape(
            entry,
            "configs",
            "an object with `schema` and `uischema`",
            report,
        );
        return None;
    }
    unknown_keys(&entry.value, "configs", &["schema", "uischema"], report);
    let schema = present(&entry.value, "schema").map_or_else(Schema::default, |schema| {
        check_schema(schema, metadata_properties(root), report)
    });
    if let Some(form) = present(&entry.value, "uischema") {
        uischema::check(form, &schema, report);
    }
    Some(to_json(&entry.value, "configs", report))
}

/// The entry of `key`, unless it is null.
pub(super) fn present<'a>(node: &'a Node, key: &str) -> Option<&'a Entry> {
    node.get(key).filter(|entry| !entry.value.is_null())
}

fn metadata_properties(root: &Node) -> &[Entry] {
    root.get("metadata_schema")
        .and_then(|entry| {
            entry
                .value
                .get("schema")?
                .value
                .get("properties")?
                .value
                .entries()
        })
        .unwrap_or_default()
}

fn check_schema<'a>(entry: &'a Entry, metadata: &'a [Entry], report: &mut Report) -> Schema<'a> {
    const PATH: &str = "configs.schema";
    let node = &entry.value;
    if node.entries().is_none() {
        wrong_shape(
            entry,
            PATH,
            "an object such as `{type: object, properties: {…}}`",
            report,
        );
        return Schema::default();
    }
    let schema = Schema {
        properties: objects(node, PATH, "properties", report),
        definitions: objects(node, PATH, "definitions", report),
        metadata,
    };
    if let Some(kind) = present(node, "type")
        && kind.value.text() != Some("object")
    {
        let message = "settings are always an object; write `type: object`";
        report.warning(kind.value.place, "configs.schema.type", message);
    }
    for one in schema.properties {
        property::check(one, &schema, report);
    }
    check_required(node, &schema, report);
    check_variables(&schema, report);
    schema
}

/// The entries of the object under `key`, each of which must be an object itself.
fn objects<'a>(node: &'a Node, path: &str, key: &str, report: &mut Report) -> &'a [Entry] {
    let Some(entry) = present(node, key) else {
        return &[];
    };
    let path = below(path, key);
    let Some(entries) = entry.value.entries() else {
        wrong_shape(
            entry,
            &path,
            "an object with one entry for each name",
            report,
        );
        return &[];
    };
    for one in entries {
        if one.value.entries().is_none() {
            let expected = "an object such as `{type: string}`";
            wrong_shape(one, &below(&path, &one.key), expected, report);
        }
    }
    entries
}

fn check_required(node: &Node, schema: &Schema<'_>, report: &mut Report) {
    const PATH: &str = "configs.schema.required";
    let Some(entry) = present(node, "required") else {
        return;
    };
    let Some(items) = entry.value.items() else {
        wrong_shape(entry, PATH, "a list of property names", report);
        return;
    };
    let known: Vec<&str> = schema.properties.iter().map(|one| &*one.key).collect();
    for (index, one) in items.iter().enumerate() {
        let path = item(PATH, index);
        let Some(name) = one.written() else {
            let message = format!("expected the name of a property, found {}", one.described());
            report.problem(one.place, &path, message);
            continue;
        };
        if !known.contains(&name) {
            let message = format!(
                "there is no property `{}`{}, so nothing can satisfy this",
                shown(name),
                suggest::hint(name, &known)
            );
            report.warning(one.place, &path, message);
        }
    }
}

/// Two properties of one variable: the run would see only one of them.
fn check_variables(schema: &Schema<'_>, report: &mut Report) {
    let mut taken: BTreeMap<String, &Entry> = BTreeMap::new();
    for entry in schema.properties {
        let variable = config_variable_name(&entry.key);
        if let Some(first) = taken.get(&variable) {
            let message = format!(
                "becomes {} like `{}` in line {}; rename one of them",
                shown(&variable),
                shown(&first.key),
                first.key_place.line
            );
            let path = below("configs.schema.properties", &entry.key);
            report.warning(entry.key_place, &path, message);
        } else {
            taken.insert(variable, entry);
        }
    }
}
