//! Objects with known names: bodies, and the parameters of path and query.

use marquetry_wire::v2::{LocPart, ValidationError};
use serde_json::{Map, Value};
use utoipa::openapi::Required;
use utoipa::openapi::path::ParameterIn;
use utoipa::{IntoParams, ToSchema};

use super::compile::{compile, to_json};
use super::{Shape, fault, is_secret};

/// The fields of an object.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    known: Vec<Field>,
    /// Whether other names are refused instead of ignored.
    closed: bool,
    /// Whether one of them holds or may hold secrets: then what stands in a wrong place may be one, too.
    secret: bool,
}

#[derive(Debug)]
struct Field {
    name: String,
    required: bool,
    shape: Shape,
}

impl Fields {
    /// The parameters that a type describes.
    pub(crate) fn of_params<T: IntoParams>() -> Self {
        let known = T::into_params(|| None).into_iter().map(|parameter| {
            let schema = parameter.schema.as_ref().map_or(Value::Null, to_json);
            let mut shape = compile(&schema, &Map::new());
            if matches!(shape, Shape::Text) && matches!(parameter.parameter_in, ParameterIn::Path) {
                // A text in a path names something or nothing; no text is wrong there.
                shape = Shape::Any;
            }
            Field {
                required: matches!(parameter.required, Required::True),
                shape,
                name: parameter.name,
            }
        });
        Self {
            known: known.collect(),
            closed: false,
            secret: false,
        }
    }

    pub(super) fn of_object(schema: &Value, parts: &Map<String, Value>) -> Self {
        let required: Vec<&str> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let properties = schema["properties"].as_object().into_iter().flatten();
        let known = properties.map(|(name, schema)| Field {
            name: name.clone(),
            required: required.contains(&name.as_str()),
            shape: compile(schema, parts),
        });
        let known: Vec<Field> = known.collect();
        Self {
            secret: known.iter().any(|field| is_secret(&field.name)),
            known,
            closed: schema["additionalProperties"] == Value::Bool(false),
        }
    }

    /// Those of a body.
    ///
    /// # Panics
    ///
    /// The type's schema is no object with known names.
    pub(crate) fn of_body<T: ToSchema>() -> Self {
        let Shape::Object(fields) = Shape::of::<T>() else {
            panic!("a body is an object with known names");
        };
        fields
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.shape(name).is_some()
    }

    pub(super) fn shape(&self, name: &str) -> Option<&Shape> {
        let field = self.known.iter().find(|field| field.name == name);
        field.map(|field| &field.shape)
    }

    /// Where a field stands among the others; an unknown one behind all.
    pub(crate) fn place(&self, name: &str) -> usize {
        let found = self.known.iter().position(|field| field.name == name);
        found.unwrap_or(self.known.len())
    }

    /// Those parameters of `part` (`path` or `query`) that fit; the others are faults.
    pub(crate) fn of_texts(
        &self,
        part: &str,
        found: Map<String, Value>,
        faults: &mut Vec<ValidationError>,
    ) -> Map<String, Value> {
        let mut loc = vec![LocPart::Name(part.to_owned())];
        self.fitting(found, Some(Value::Null), &mut loc, faults)
    }

    /// Those fields of a body that fit; the others are faults. None when it is no object.
    pub(crate) fn of_value(
        &self,
        value: Value,
        loc: &mut Vec<LocPart>,
        faults: &mut Vec<ValidationError>,
    ) -> Option<Map<String, Value>> {
        let Value::Object(found) = value else {
            const KIND: &str = "model_attributes_type";
            let text = "Input should be a valid dictionary or object to extract fields from";
            let input = (!self.secret).then_some(value);
            faults.push(fault(loc.clone(), KIND, text, input));
            return None;
        };
        Some(self.fitting(found, None, loc, faults))
    }

    /// What was sent, as it may be sent back.
    fn shown(&self, found: &Map<String, Value>) -> Value {
        let may = |name: &String| !self.secret || self.knows(name);
        let shown = found.iter().filter(|(name, _)| may(name));
        Value::Object(
            shown
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    /// Checks every field, and keeps those that fit; `absent` is what a missing one says that was
    /// sent instead, none: the object itself, as pydantic does.
    fn fitting(
        &self,
        mut found: Map<String, Value>,
        absent: Option<Value>,
        loc: &mut Vec<LocPart>,
        faults: &mut Vec<ValidationError>,
    ) -> Map<String, Value> {
        let missing = self
            .known
            .iter()
            .any(|field| field.required && !found.contains_key(&field.name));
        let absent = absent.or_else(|| missing.then(|| self.shown(&found)));
        let mut fitting = Map::new();
        for field in &self.known {
            loc.push(LocPart::Name(field.name.clone()));
            // Order of what is left does not matter: it is reported or dropped.
            match found.swap_remove(&field.name) {
                Some(value) => {
                    if let Some(value) = field.shape.check(value, loc, faults) {
                        fitting.insert(field.name.clone(), value);
                    }
                }
                None if field.required => {
                    let input = absent.clone();
                    faults.push(fault(loc.clone(), "missing", "Field required", input));
                }
                None => {}
            }
            loc.pop();
        }
        if self.closed {
            for (name, value) in found {
                loc.push(LocPart::Name(name));
                let text = "Extra inputs are not permitted";
                let input = (!self.secret).then_some(value);
                faults.push(fault(loc.clone(), "extra_forbidden", text, input));
                loc.pop();
            }
        }
        fitting
    }
}
