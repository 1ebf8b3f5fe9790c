//! The defaults of a form that count.
//!
//! A default is what its author knew. Where a run has found options since, or the metadata has them,
//! one that is not among these is none: nobody could choose it.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::choices::{is_list, items};
use super::{Settings, reference_of};
use crate::reference::Reference;
use crate::schema::{Options, canonical};

/// How many references in a row are followed.
const MOST_REFERENCES: usize = 8;

/// The defaults of one tenant's form.
pub(crate) struct Defaults<'s> {
    settings: Settings<'s>,
    /// The values of lists of options, by where the list lies: several properties may share one that
    /// is long.
    known: HashMap<*const Value, HashSet<String>>,
}

impl<'s> Defaults<'s> {
    pub(crate) fn new(settings: Settings<'s>) -> Self {
        let known = HashMap::new();
        Self { settings, known }
    }

    /// The default of a property: its own, else that of the definition it refers to.
    pub(crate) fn of(&mut self, described: &'s Value) -> Option<&'s Value> {
        let mut chain = chain(self.settings, described.as_object()?);
        chain.find_map(|part| {
            let default = part.get("default").filter(|default| !default.is_null())?;
            self.fits(described, default).then_some(default)
        })
    }

    /// Takes out of a form, as a tenant sees it, the defaults that do not count.
    pub(super) fn strip(&mut self, schema: &mut Value) {
        match schema {
            Value::Object(fields) => {
                let default = fields.get("default").cloned();
                if default.is_some_and(|default| !self.fits_fields(fields, &default)) {
                    fields.shift_remove("default");
                }
                self.strip_below(fields);
            }
            Value::Array(parts) => parts.iter_mut().for_each(|part| self.strip(part)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// The same of a definition that gets these options.
    pub(super) fn strip_definition(
        &mut self,
        definition: &mut Map<String, Value>,
        options: Options<'s>,
    ) {
        let many = is_list(definition);
        let default = definition.get("default");
        if default.is_some_and(|default| !self.among(options, many, default)) {
            definition.shift_remove("default");
        }
    }

    /// Only where schemas stand: a property may be called `default`.
    pub(super) fn strip_below(&mut self, schema: &mut Map<String, Value>) {
        for (keyword, part) in schema {
            match (keyword.as_str(), part) {
                ("properties" | "definitions", Value::Object(parts)) => {
                    parts.values_mut().for_each(|part| self.strip(part));
                }
                ("items" | "allOf" | "anyOf" | "oneOf" | "then" | "else", part) => self.strip(part),
                _ => {}
            }
        }
    }

    /// Whether all that is chosen from found options is among them. Recursive: the parser bounds the
    /// height of a manifest, and with it that of a default.
    fn fits(&mut self, schema: &Value, value: &Value) -> bool {
        schema
            .as_object()
            .is_none_or(|fields| self.fits_fields(fields, value))
    }

    fn fits_fields(&mut self, fields: &Map<String, Value>, value: &Value) -> bool {
        if let Some((options, many)) = self.settings.replacing(fields) {
            return self.among(options, many, value);
        }
        // One part alone says what is below, or parts that refer to each other take for ever.
        let mut parts = chain(self.settings, fields);
        match value {
            Value::Array(values) => parts
                .find_map(items)
                .is_none_or(|items| values.iter().all(|value| self.fits_fields(items, value))),
            Value::Object(values) => {
                let properties = parts.find_map(|part| part.get("properties"));
                let described = |name| Some((properties?.get(name)?, values.get(name)?));
                let mut described = values.keys().filter_map(described);
                described.all(|(described, value)| self.fits(described, value))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        }
    }

    fn among(&mut self, options: Options<'_>, many: bool, value: &Value) -> bool {
        if !many {
            return self.knows(options, value);
        }
        let chosen = value.as_array();
        chosen.is_some_and(|chosen| chosen.iter().all(|one| self.knows(options, one)))
    }

    fn knows(&mut self, options: Options<'_>, value: &Value) -> bool {
        let values = self.known.entry(options.list.as_ptr());
        let values = values.or_insert_with(|| options.values().map(canonical).collect());
        values.contains(&canonical(value))
    }
}

/// A schema and the definitions that it refers to, one after the other.
fn chain<'a, 's: 'a>(
    settings: Settings<'s>,
    fields: &'a Map<String, Value>,
) -> impl Iterator<Item = &'a Map<String, Value>> {
    let next = move |fields: &&'a Map<String, Value>| match reference_of(fields) {
        Some(Reference::Definition(name)) => settings.definition(&name)?.as_object(),
        Some(Reference::Metadata(_) | Reference::Other) | None => None,
    };
    std::iter::successors(Some(fields), next).take(MOST_REFERENCES)
}
