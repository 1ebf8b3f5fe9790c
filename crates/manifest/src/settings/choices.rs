//! Which options a property has.

use serde_json::{Map, Value};

use super::{Settings, reference_of};
use crate::reference::Reference;
use crate::schema::{Choice, Dialect, Options};

/// How many references in a row are followed.
const MOST_REFERENCES: usize = 8;

impl<'s> Dialect<'s> for Settings<'s> {
    const SETTINGS: bool = true;

    fn resolve(&self, reference: &str) -> Option<&'s Value> {
        match Reference::read(reference) {
            Reference::Definition(name) => self.definition(&name),
            Reference::Metadata(_) => None,
            Reference::Other => {
                let schema = self.configs?.get("schema")?;
                schema.pointer(reference.strip_prefix('#')?)
            }
        }
    }

    /// Options that a run has found go before written ones, and a property's own before those of
    /// its definition.
    fn choice(&self, schema: &'s Map<String, Value>) -> Choice<'s> {
        let own = written(schema);
        let own_type = schema.get("type");
        let mut at = schema;
        for _ in 0..MOST_REFERENCES {
            let name = match reference_of(at) {
                Some(Reference::Definition(name)) => name,
                Some(Reference::Metadata(name)) => {
                    return self.metadata_choice(&name, own, is_array(own_type));
                }
                Some(Reference::Other) | None => break,
            };
            let target = self.definition(&name).and_then(Value::as_object);
            let many = match own_type {
                Some(_) => is_array(own_type),
                None => target.is_some_and(is_list),
            };
            if let Some(options) = self.printed(&name).filter(|_| takes_options(target)) {
                return Choice::Among { options, many };
            }
            let Some(target) = target else {
                return open_or(own, many);
            };
            if let Some(options) = written(target).or_else(|| written(items(target)?)) {
                return open_or(own.or(Some(options)), many);
            }
            at = target;
        }
        own.map_or(Choice::None, |options| Choice::Among {
            options,
            many: is_array(own_type) && !options.values().any(Value::is_array),
        })
    }
}

impl<'s> Settings<'s> {
    fn metadata_choice(&self, name: &str, own: Option<Options<'s>>, many: bool) -> Choice<'s> {
        match self.of_metadata(name) {
            Some(options) => Choice::Among { options, many },
            None => open_or(own.or_else(|| self.metadata_placeholder(name)), many),
        }
    }
}

/// Written options that are referred to hold until a run finds others, unless they offer no
/// choice: then they stand there so that the form has something to show.
fn open_or(options: Option<Options<'_>>, many: bool) -> Choice<'_> {
    match options {
        Some(options) if !is_placeholder(options) => Choice::Among { options, many },
        _ => Choice::Open,
    }
}

fn is_placeholder(options: Options<'_>) -> bool {
    let says_so = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| text.to_lowercase().contains("placeholder"))
    };
    options.list.len() <= 1
        || options.list.iter().all(|option| {
            says_so(option)
                || [option.get("const"), option.get("title")]
                    .into_iter()
                    .flatten()
                    .any(says_so)
        })
}

/// The options in the schema itself: `enum`, or a `oneOf` of nothing but `const`.
fn written(schema: &Map<String, Value>) -> Option<Options<'_>> {
    if let Some(Value::Array(list)) = schema.get("enum") {
        return Some(Options {
            list,
            literal: true,
        });
    }
    let list = schema.get("oneOf")?.as_array()?;
    let all = list.iter().all(|option| option.get("const").is_some());
    (all && !list.is_empty()).then_some(Options {
        list,
        literal: false,
    })
}

/// A definition of an object with properties is no list of options, whatever a run prints.
pub(super) fn takes_options(definition: Option<&Map<String, Value>>) -> bool {
    !definition.is_some_and(|definition| definition.contains_key("properties"))
}

fn is_array(kind: Option<&Value>) -> bool {
    kind.and_then(Value::as_str) == Some("array")
}

fn items(schema: &Map<String, Value>) -> Option<&Map<String, Value>> {
    schema.get("items")?.as_object()
}

/// Whether values of the schema are lists.
pub(super) fn is_list(schema: &Map<String, Value>) -> bool {
    is_array(schema.get("type")) || (!schema.contains_key("type") && items(schema).is_some())
}
