//! The form as a tenant sees it: with its options in place of the placeholders.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::choices::{is_list, takes_options, written};
use super::defaults::Defaults;
use super::{Settings, reference_of};
use crate::reference::Reference;
use crate::schema::{Options, is_in};

/// How many options may be repeated within properties; those over it stand once only.
const MOST_REPEATED: usize = 20_000;

impl<'s> Settings<'s> {
    /// The manifest's `configs` with the tenant's options: definitions hold what init runs
    /// printed. A `#/metadata/x` leads into an object `metadata` of the schema, and the options
    /// also stand beside the reference.
    pub fn filled(&self) -> Option<Value> {
        let mut configs = self.configs?.clone();
        if let Some(Value::Object(schema)) = configs.get_mut("schema") {
            let names = Names::of(schema);
            let mut defaults = Defaults::new(*self);
            defaults.strip_below(schema);
            self.fill_definitions(schema, names.definitions, &mut defaults);
            self.fill_metadata(schema, names.metadata);
        }
        Some(configs)
    }

    fn fill_definitions(
        &self,
        schema: &mut Map<String, Value>,
        mut wanted: BTreeSet<String>,
        defaults: &mut Defaults<'s>,
    ) {
        if let Some(Value::Object(definitions)) = schema.get("definitions") {
            wanted.extend(definitions.keys().cloned());
        }
        for name in wanted {
            let Some(options) = self.printed(&name) else {
                continue;
            };
            let definitions = schema.entry("definitions").or_insert_with(|| json!({}));
            if let Value::Object(definitions) = definitions
                && let Value::Object(definition) =
                    definitions.entry(name).or_insert_with(|| json!({}))
                && takes_options(Some(definition))
            {
                defaults.strip_definition(definition, options);
                put(definition, options);
            }
        }
    }

    fn fill_metadata(&self, schema: &mut Map<String, Value>, wanted: BTreeSet<String>) {
        let mut known = BTreeMap::new();
        for name in wanted {
            let found = self.of_metadata(&name);
            if let Some(options) = found.or_else(|| self.metadata_placeholder(&name)) {
                let is_found = found.is_some();
                known.insert(name, Known { options, is_found });
            }
        }
        if known.is_empty() {
            return;
        }
        let mut left = MOST_REPEATED;
        for part in schema.values_mut() {
            put_beside(part, &known, &mut left);
        }
        let place = schema.entry("metadata").or_insert_with(|| json!({}));
        if let Value::Object(place) = place {
            for (name, known) in known {
                let mut entry = Map::new();
                put(&mut entry, known.options);
                place.insert(name, Value::Object(entry));
            }
        }
    }
}

/// What the references of a schema name.
#[derive(Default)]
pub(super) struct Names {
    pub(super) definitions: BTreeSet<String>,
    pub(super) metadata: BTreeSet<String>,
}

impl Names {
    pub(super) fn of(schema: &Map<String, Value>) -> Self {
        let mut names = Self::default();
        collect(schema.values(), &mut names);
        names
    }
}

/// Recursive: the parser bounds the height of a manifest.
fn collect<'a>(values: impl Iterator<Item = &'a Value>, names: &mut Names) {
    for value in values {
        match value {
            Value::Object(fields) => {
                match reference_of(fields) {
                    Some(Reference::Definition(name)) => drop(names.definitions.insert(name)),
                    Some(Reference::Metadata(name)) => drop(names.metadata.insert(name)),
                    Some(Reference::Other) | None => {}
                }
                collect(fields.values(), names);
            }
            Value::Array(items) => collect(items.iter(), names),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// Options of a key of the metadata.
struct Known<'s> {
    options: Options<'s>,
    /// In the metadata itself; else they stand in, and not for those that a property has.
    is_found: bool,
}

fn put_beside(value: &mut Value, known: &BTreeMap<String, Known<'_>>, left: &mut usize) {
    match value {
        Value::Object(fields) => {
            for part in fields.values_mut() {
                put_beside(part, known, left);
            }
            if let Some(Reference::Metadata(name)) = reference_of(fields)
                && let Some(known) = known.get(&name)
                && (known.is_found || written(fields).is_none())
                && let Some(fewer) = left.checked_sub(known.options.list.len())
            {
                *left = fewer;
                put(fields, known.options);
            }
        }
        Value::Array(items) => {
            for item in items {
                put_beside(item, known, left);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Writes options into a schema, or into its `items` where its values are lists.
fn put(schema: &mut Map<String, Value>, options: Options<'_>) {
    schema.shift_remove("enum");
    schema.shift_remove("oneOf");
    if is_list(schema) {
        let items = schema.entry("items").or_insert_with(|| json!({}));
        if let Value::Object(items) = items {
            put_list(items, options);
        }
    } else {
        put_list(schema, options);
    }
}

/// Scalars become an `enum`, and a list with titles a `oneOf`. A type or a default that no
/// option has would contradict them.
fn put_list(schema: &mut Map<String, Value>, options: Options<'_>) {
    schema.shift_remove("enum");
    schema.shift_remove("oneOf");
    let fits = |kind: &Value| {
        options.values().all(|value| match (kind.as_str(), value) {
            (Some("string"), Value::String(_))
            | (Some("boolean"), Value::Bool(_))
            | (Some("number"), Value::Number(_)) => true,
            (Some("integer"), Value::Number(number)) => !number.is_f64(),
            _ => false,
        })
    };
    if schema.get("type").is_some_and(|kind| !fits(kind)) {
        schema.shift_remove("type");
    }
    if schema
        .get("default")
        .is_some_and(|default| !is_in(options.values(), default))
    {
        schema.shift_remove("default");
    }
    if options.list.iter().any(Value::is_object) {
        let titled = options.list.iter().filter_map(titled).collect();
        schema.insert("oneOf".to_owned(), Value::Array(titled));
    } else {
        let values = options.values().cloned().collect();
        schema.insert("enum".to_owned(), Value::Array(values));
    }
}

fn titled(option: &Value) -> Option<Value> {
    let (value, title) = match option {
        Value::Object(fields) => (fields.get("const")?, fields.get("title")),
        Value::Array(_) => return None,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (option, None),
    };
    let title = match (title, value) {
        (Some(Value::String(title)), _) => title.clone(),
        (_, Value::String(text)) => text.clone(),
        _ => value.to_string(),
    };
    Some(json!({"const": value, "title": title}))
}
