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

    fn choice(&self, schema: &'s Map<String, Value>) -> Choice<'s> {
        let Origin { of, many } = self.origin(schema);
        match of {
            Of::Found(options) => Choice::Among { options, many },
            Of::StandsIn(options) => open_or(Some(options), many),
            Of::Form(options) => open_or(options, many),
            Of::Own(options) => options.map_or(Choice::None, |options| Choice::Among {
                options,
                many: many && !options.values().any(Value::is_array),
            }),
        }
    }
}

/// The options of a property.
struct Origin<'a> {
    of: Of<'a>,
    /// Whether its value is a list of them.
    many: bool,
}

/// Where options come from.
enum Of<'a> {
    /// A run has found them.
    Found(Options<'a>),
    /// The schema of the metadata has them, as long as the metadata has none.
    StandsIn(Options<'a>),
    /// The form has them, for who refers to options; none: not yet.
    Form(Option<Options<'a>>),
    /// The property has them, and refers to none; or it is not chosen from options.
    Own(Option<Options<'a>>),
}

impl<'s> Settings<'s> {
    /// The options that a property has by a reference, in place of what the form itself says, and
    /// whether its value is a list of them.
    pub(super) fn replacing<'a>(
        &self,
        schema: &'a Map<String, Value>,
    ) -> Option<(Options<'a>, bool)>
    where
        's: 'a,
    {
        let Origin { of, many } = self.origin(schema);
        match of {
            Of::Found(options) | Of::StandsIn(options) => Some((options, many)),
            Of::Form(_) | Of::Own(_) => None,
        }
    }

    /// Options that a run has found go before written ones, and a property's own before those of
    /// its definition.
    fn origin<'a>(&self, schema: &'a Map<String, Value>) -> Origin<'a>
    where
        's: 'a,
    {
        let own = written(schema);
        let own_type = schema.get("type");
        let mut at = schema;
        for _ in 0..MOST_REFERENCES {
            let name = match reference_of(at) {
                Some(Reference::Definition(name)) => name,
                Some(Reference::Metadata(name)) => {
                    let many = is_array(own_type);
                    let of = self.in_metadata(&name, own);
                    return Origin { of, many };
                }
                Some(Reference::Other) | None => break,
            };
            let target = self.definition(&name).and_then(Value::as_object);
            let many = match own_type {
                Some(_) => is_array(own_type),
                None => target.is_some_and(is_list),
            };
            if let Some(options) = self.printed(&name).filter(|_| takes_options(target)) {
                let of = Of::Found(options);
                return Origin { of, many };
            }
            let Some(target) = target else {
                let of = Of::Form(own);
                return Origin { of, many };
            };
            if let Some(options) = written(target).or_else(|| written(items(target)?)) {
                let of = Of::Form(own.or(Some(options)));
                return Origin { of, many };
            }
            at = target;
        }
        Origin {
            of: Of::Own(own),
            many: is_array(own_type),
        }
    }

    fn in_metadata<'a>(&self, name: &str, own: Option<Options<'a>>) -> Of<'a>
    where
        's: 'a,
    {
        match (self.of_metadata(name), own) {
            (Some(options), _) => Of::Found(options),
            (None, Some(own)) => Of::Form(Some(own)),
            (None, None) => self
                .metadata_placeholder(name)
                .map_or(Of::Form(None), Of::StandsIn),
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
pub(super) fn written(schema: &Map<String, Value>) -> Option<Options<'_>> {
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

pub(super) fn items(schema: &Map<String, Value>) -> Option<&Map<String, Value>> {
    schema.get("items")?.as_object()
}

/// Whether values of the schema are lists.
pub(super) fn is_list(schema: &Map<String, Value>) -> bool {
    is_array(schema.get("type")) || (!schema.contains_key("type") && items(schema).is_some())
}
