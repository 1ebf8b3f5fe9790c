//! From an OpenAPI document to what it says.

use serde_json::{Value, json};

use super::{Field, Operation, Surface, Type};

/// Reads a whole document.
pub(super) fn read(document: &Value) -> Surface {
    let mut surface = Surface::default();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let route = format!("{} {path}", method.to_uppercase());
            surface
                .operations
                .insert(route, read_operation(document, operation));
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        if let Some(words) = words(schema) {
            surface.types.insert(name.clone(), Type::Words(words));
        } else if let Some(properties) = schema["properties"].as_object() {
            let field = |(name, one): (&String, &Value)| {
                let required = schema["required"].as_array();
                let required = required.is_some_and(|names| names.contains(&json!(name)));
                (name.clone(), field(document, one, required))
            };
            let fields = properties.iter().map(field).collect();
            surface.types.insert(name.clone(), Type::Object(fields));
        }
    }
    surface
}

fn read_operation(document: &Value, operation: &Value) -> Operation {
    let mut found = Operation {
        name: operation["operationId"].as_str().unwrap().to_owned(),
        extension: operation["tags"] == json!(["extension"]),
        ..Operation::default()
    };
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let (name, place) = (&parameter["name"], &parameter["in"]);
        if place == "header" {
            // Of all that post; see document.rs.
            continue;
        }
        let key = format!("{} {}", place.as_str().unwrap(), name.as_str().unwrap());
        let required = parameter["required"].as_bool().unwrap_or(false);
        let one = field(document, &parameter["schema"], required);
        found.parameters.insert(key, one);
    }
    if let Some(body) = operation.get("requestBody") {
        let required = body["required"].as_bool().unwrap_or(false);
        let schema = &body["content"]["application/json"]["schema"];
        found.body = Some(field(document, schema, required));
    }
    for (status, answer) in operation["responses"].as_object().unwrap() {
        let content = answer["content"].as_object();
        let kinds = content.into_iter().flatten().map(|(kind, content)| {
            let shown = expression(document, &content["schema"]);
            match kind.as_str() {
                "application/json" => shown,
                kind => format!("{shown} {kind}"),
            }
        });
        let kinds: Vec<String> = kinds.collect();
        let kind = if kinds.is_empty() {
            "-".to_owned()
        } else {
            kinds.join(" + ")
        };
        found.answers.insert(status.clone(), kind);
    }
    found
}

fn field(document: &Value, schema: &Value, required: bool) -> Field {
    Field {
        kind: expression(document, schema),
        required,
        default: schema.get("default").cloned(),
    }
}

fn words(schema: &Value) -> Option<Vec<String>> {
    let words = schema["enum"].as_array()?.iter();
    Some(
        words
            .map(|word| word.as_str().unwrap().to_owned())
            .collect(),
    )
}

/// A schema as the tables write it.
fn expression(document: &Value, schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        let part = &document["components"]["schemas"][name];
        let named = part["properties"].is_object() || part["enum"].is_array();
        return if named {
            name.to_owned()
        } else {
            expression(document, part)
        };
    }
    for several in ["oneOf", "anyOf"] {
        if let Some(list) = schema[several].as_array() {
            let parts: Vec<String> = list.iter().map(|one| expression(document, one)).collect();
            return parts.join("|");
        }
    }
    if let Some(kinds) = schema["type"].as_array() {
        let kinds: Vec<String> = kinds
            .iter()
            .map(|kind| single(document, schema, kind.as_str().unwrap()))
            .collect();
        return kinds.join("|");
    }
    single(document, schema, schema["type"].as_str().unwrap_or("any"))
}

fn single(document: &Value, schema: &Value, kind: &str) -> String {
    match kind {
        "array" => format!("[{}]", expression(document, &schema["items"])),
        "string" if schema["format"] == "date-time" => "date-time".to_owned(),
        "string" => words(schema).map_or_else(
            || kind.to_owned(),
            |words| format!("<{}>", words.join(", ")),
        ),
        _ => kind.to_owned(),
    }
}
