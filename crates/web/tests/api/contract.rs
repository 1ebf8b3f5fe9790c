//! Every operation of the contract that this version serves, with its parameters, answers and
//! fields.

use serde_json::{Value, json};

fn contract() -> Value {
    serde_json::from_str(include_str!("contract.json")).unwrap()
}

fn document() -> Value {
    serde_json::to_value(marquetry_web::openapi()).unwrap()
}

/// A schema without references, and without the alternative of null.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return resolve(document, &document["components"]["schemas"][name]);
    }
    let several = schema["oneOf"].as_array();
    match several.and_then(|all| all.iter().find(|one| one["type"] != "null")) {
        Some(one) => resolve(document, one),
        None => schema,
    }
}

fn name_of(schema: &Value) -> Option<String> {
    if schema["type"] == "array" {
        return name_of(&schema["items"]).map(|name| format!("[{name}]"));
    }
    let reference = schema["$ref"].as_str()?;
    reference.rsplit('/').next().map(str::to_owned)
}

#[test]
fn every_operation_has_its_parameters_and_answers() {
    let document = document();
    for wanted in contract()["operations"].as_array().unwrap() {
        let (method, path) = (wanted["method"].as_str(), wanted["path"].as_str());
        let (method, path) = (method.unwrap(), path.unwrap());
        let found = &document["paths"][path][method];
        assert!(found.is_object(), "{method} {path} is missing");
        assert_eq!(found["operationId"], wanted["operation_id"]);
        let ours = found["tags"]
            .as_array()
            .is_some_and(|tags| tags.contains(&json!("extension")));
        assert_eq!(!ours, wanted["original"], "{method} {path}: tag");
        for parameter in wanted["parameters"].as_array().unwrap() {
            check_parameter(&document, found, parameter);
        }
        for (status, schema) in wanted["responses"].as_object().unwrap() {
            let response = &found["responses"][status];
            assert!(response.is_object(), "{method} {path}: {status} is missing");
            if let Some(schema) = schema.as_str() {
                let shown = &response["content"]["application/json"]["schema"];
                assert_eq!(
                    name_of(shown).as_deref(),
                    Some(schema),
                    "{method} {path} {status}"
                );
            }
        }
        if let Some(schema) = wanted["body"]["schema"].as_str() {
            let shown = &found["requestBody"]["content"]["application/json"]["schema"];
            assert_eq!(
                name_of(shown).as_deref(),
                Some(schema),
                "{method} {path}: body"
            );
        }
        if let Some(required) = wanted["body"]["required"].as_bool() {
            let shown = found["requestBody"]["required"].as_bool().unwrap_or(false);
            assert_eq!(shown, required, "{method} {path}: body");
        }
    }
}

fn check_parameter(document: &Value, operation: &Value, wanted: &Value) {
    let parameters = operation["parameters"].as_array().unwrap();
    let found = parameters
        .iter()
        .find(|found| found["name"] == wanted["name"] && found["in"] == wanted["in"]);
    let found = found.unwrap_or_else(|| panic!("{wanted} is missing"));
    let required = found["required"].as_bool().unwrap_or(false);
    assert_eq!(required, wanted["required"], "{wanted}");
    let schema = resolve(document, &found["schema"]);
    let kind = schema["type"]
        .as_array()
        .map_or(&schema["type"], |kinds| &kinds[0]);
    assert_eq!(kind, &wanted["type"], "{found}");
    for word in ["default", "enum"] {
        if !wanted[word].is_null() {
            assert_eq!(schema[word], wanted[word], "{found}");
        }
    }
}

#[test]
fn every_shape_has_its_fields() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    for (name, wanted) in contract()["schemas"].as_object().unwrap() {
        let found = &schemas[name];
        assert!(found.is_object(), "{name} is missing");
        for field in wanted["fields"].as_array().unwrap() {
            let field = field.as_str().unwrap();
            assert!(
                found["properties"][field].is_object(),
                "{name}.{field} is missing"
            );
        }
        let required = found["required"].as_array().cloned().unwrap_or_default();
        for field in wanted["required"].as_array().unwrap() {
            assert!(required.contains(field), "{name}.{field} is not required");
        }
    }
}
