//! From schemas to shapes.

use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Bounds, Fields, Shape};

impl Shape {
    /// The shape that a type's schema describes.
    pub(crate) fn of<T: ToSchema>() -> Self {
        let mut parts = Vec::new();
        T::schemas(&mut parts);
        let parts = parts.into_iter();
        let parts = parts.map(|(name, schema)| (name, to_json(&schema)));
        compile(&to_json(&T::schema()), &parts.collect())
    }
}

pub(super) fn to_json(schema: &impl serde::Serialize) -> Value {
    serde_json::to_value(schema).expect("a schema is JSON")
}

/// The shape of a schema; `parts` are those that it may refer to.
pub(super) fn compile(schema: &Value, parts: &Map<String, Value>) -> Shape {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        let part = parts.get(name).expect("a schema brings what it refers to");
        return compile(part, parts);
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        if let Some(list) = schema[several].as_array() {
            return one_of(list, parts);
        }
    }
    if let Some(kinds) = schema["type"].as_array() {
        let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
        let real = kinds.iter().copied().find(|kind| *kind != "null");
        let shape = single(real.unwrap_or_default(), schema, parts);
        return if kinds.contains(&"null") {
            Shape::Nullable(Box::new(shape))
        } else {
            shape
        };
    }
    single(schema["type"].as_str().unwrap_or_default(), schema, parts)
}

fn one_of(list: &[Value], parts: &Map<String, Value>) -> Shape {
    let is_null = |schema: &&Value| schema["type"] == "null";
    let mut shapes: Vec<Shape> = list
        .iter()
        .filter(|schema| !is_null(schema))
        .map(|schema| compile(schema, parts))
        .collect();
    let shape = match shapes.len() {
        1 => shapes.remove(0),
        _ => Shape::OneOf(shapes),
    };
    if list.iter().any(|schema| is_null(&schema)) {
        Shape::Nullable(Box::new(shape))
    } else {
        shape
    }
}

fn single(kind: &str, schema: &Value, parts: &Map<String, Value>) -> Shape {
    let bounds = Bounds {
        least: schema["minimum"]
            .as_i64()
            .or_else(|| whole(&schema["minimum"])),
        most: schema["maximum"]
            .as_i64()
            .or_else(|| whole(&schema["maximum"])),
    };
    match kind {
        "string" => text(schema),
        "integer" => Shape::Integer(bounds),
        "number" => Shape::Number(bounds),
        "boolean" => Shape::Boolean,
        "array" => Shape::List(Box::new(compile(&schema["items"], parts))),
        "object" => match schema["properties"].as_object() {
            Some(_) => Shape::Object(Fields::of_object(schema, parts)),
            None => Shape::Dict(Box::new(compile(&schema["additionalProperties"], parts))),
        },
        _ => Shape::Any,
    }
}

/// Bounds are written as floats in some schemas.
#[expect(
    clippy::cast_possible_truncation,
    reason = "bounds of schemas are small whole numbers"
)]
fn whole(bound: &Value) -> Option<i64> {
    bound.as_f64().map(|bound| bound as i64)
}

fn text(schema: &Value) -> Shape {
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().filter_map(Value::as_str);
        return Shape::Word(words.map(str::to_owned).collect());
    }
    if schema["format"] == "date-time" {
        Shape::DateTime
    } else {
        Shape::Text
    }
}
