//! `configs`: the shape of the settings' schema and form.
//!
//! Lenient on purpose. The original's own documents and samples bend JSON Schema in several ways;
//! what works there must work here, so only a shape that nothing can read is a problem. Whatever
//! may surprise its author is a warning. Null stands for absent everywhere below `configs`.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::{property, uischema, unknown_keys, warn_of_patterns, wrong_shape};
use crate::configs::config_variable_name;
use crate::problem::{Report, below, item, shown};
use crate::suggest;
use crate::yaml::{Entry, Node, to_json};

/// Names that are compared with a wrong one. A schema may have many thousands, and as many wrong
/// references to them.
const SEARCHED: usize = 100;

/// The keys of `configs`.
pub(crate) const KEYS: &[&str] = &["schema", "uischema"];

/// The schema as far as the checks need it; everything may be absent.
#[derive(Default)]
pub(super) struct Schema<'a> {
    pub(super) properties: Names<'a>,
    pub(super) definitions: Names<'a>,
    /// The properties of `metadata_schema.schema`, which `#/metadata/…` points to.
    pub(super) metadata: Names<'a>,
}

/// Entries that are asked for by name, as often as there are names.
#[derive(Default)]
pub(super) struct Names<'a> {
    entries: &'a [Entry],
    by_name: HashMap<&'a str, &'a Entry>,
}

impl<'a> Names<'a> {
    fn new(entries: &'a [Entry]) -> Self {
        let by_name = entries.iter().map(|entry| (&*entry.key, entry)).collect();
        Self { entries, by_name }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Entry> {
        self.by_name.get(name).copied()
    }

    /// ` (did you mean …?)` for a name that is not among these, where one is near.
    pub(super) fn hint(&self, name: &str) -> String {
        let known: Vec<&str> = self
            .entries
            .iter()
            .map(|entry| &*entry.key)
            .take(SEARCHED)
            .collect();
        suggest::hint(name, &known)
    }
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
    unknown_keys(&entry.value, "configs", KEYS, report);
    let schema = present(&entry.value, "schema").map_or_else(Schema::default, |schema| {
        check_schema(schema, metadata_properties(root), report)
    });
    if let Some(form) = present(&entry.value, "uischema") {
        uischema::check(form, &schema, report);
    }
    let configs = to_json(&entry.value, "configs", report);
    warn_of_patterns(&configs["schema"], entry.key_place, "configs", report);
    Some(configs)
}

/// The entry of `key`, unless it is null.
pub(super) fn present<'a>(node: &'a Node, key: &str) -> Option<&'a Entry> {
    node.get(key).filter(|entry| !entry.value.is_null())
}

fn metadata_properties(root: &Node) -> Names<'_> {
    let entries = root
        .get("metadata_schema")
        .and_then(|entry| {
            entry
                .value
                .get("schema")?
                .value
                .get("properties")?
                .value
                .entries()
        })
        .unwrap_or_default();
    Names::new(entries)
}

fn check_schema<'a>(entry: &'a Entry, metadata: Names<'a>, report: &mut Report) -> Schema<'a> {
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
        properties: Names::new(objects(node, PATH, "properties", report)),
        definitions: Names::new(objects(node, PATH, "definitions", report)),
        metadata,
    };
    if let Some(kind) = present(node, "type")
        && kind.value.text() != Some("object")
    {
        let message = "settings are always an object; write `type: object`";
        report.warning(kind.value.place, "configs.schema.type", message);
    }
    for one in schema.properties.entries {
        property::check(one, &schema, report);
    }
    for one in schema.definitions.entries {
        property::check_default(
            &one.value,
            &below("configs.schema.definitions", &one.key),
            report,
        );
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
    for (index, one) in items.iter().enumerate() {
        let path = item(PATH, index);
        let Some(name) = one.written() else {
            let message = format!("expected the name of a property, found {}", one.described());
            report.problem(one.place, &path, message);
            continue;
        };
        if schema.properties.get(name).is_none() {
            let message = format!(
                "there is no property `{}`{}, so nothing can satisfy this",
                shown(name),
                schema.properties.hint(name)
            );
            report.warning(one.place, &path, message);
        }
    }
}

/// Two properties of one variable: the run would see only one of them.
fn check_variables(schema: &Schema<'_>, report: &mut Report) {
    let mut taken: BTreeMap<String, &Entry> = BTreeMap::new();
    for entry in schema.properties.entries {
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
