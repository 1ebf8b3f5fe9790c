//! The OpenAPI document, and what it lets one say of all operations at once.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::client::Client;

fn operations() -> Vec<(Method, String, Value)> {
    let document = serde_json::to_value(marquetry_web::openapi()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase().parse().unwrap();
            all.push((method, path.clone(), operation.clone()));
        }
    }
    all
}

fn is_open(operation: &Value) -> bool {
    operation["security"] == json!([{}]) || operation["security"] == json!([])
}

/// A path with something that is wrong in every way in place of the parameters.
fn fill(path: &str) -> String {
    let parts = path.split('/').map(|part| {
        if part.starts_with('{') {
            "not-a-number"
        } else {
            part
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn it_is_the_stored_one() {
    let document = marquetry_web::openapi();
    assert!(
        document == marquetry_web::openapi(),
        "the same on every call"
    );
    insta::assert_json_snapshot!("openapi", document);
}

#[test]
fn every_reference_leads_somewhere() {
    let document = serde_json::to_value(marquetry_web::openapi()).unwrap();
    let text = document.to_string();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let place = part.split('"').next().unwrap();
        assert!(document.pointer(place).is_some(), "{place}");
    }
}

/// A path whatever its parameters are called.
fn bare(path: &str) -> String {
    let path = path.split('?').next().unwrap();
    let parts = path.split('/');
    let parts = parts.map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn the_table_of_routes_has_every_operation_and_marks_what_is_ours() {
    let mut served: Vec<(String, bool)> = operations()
        .iter()
        .map(|(method, path, operation)| {
            let is_ours = operation["tags"] == json!(["extension"]);
            (format!("{method} {}", bare(path)), is_ours)
        })
        .collect();
    // The page is no operation of the document that it shows.
    served.push(("GET /docs".to_owned(), true));
    let mut told = Vec::new();
    let table = include_str!("../../../../docs/api.md");
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.split('|').nth(1).unwrap();
        for route in cell.split('`').skip(1).step_by(2) {
            if let Some((method, path)) = route.split_once(' ') {
                told.push((format!("{method} {}", bare(path)), cell.contains("(e)")));
            }
        }
    }
    served.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, served);
}

#[test]
fn operation_ids_are_unique() {
    let mut ids: Vec<String> = operations()
        .iter()
        .map(|(_, _, operation)| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[tokio::test]
async fn nothing_but_the_key_is_looked_at_without_a_key() {
    let client = Client::new().await;
    let revoked = revoked_key(&client).await;
    for (method, path, operation) in operations() {
        if is_open(&operation) {
            continue;
        }
        let path = format!("{}?limit=x&mode=x", fill(&path));
        for key in [None, Some("wrong"), Some(revoked.as_str())] {
            let mut request = Request::builder().method(method.clone()).uri(&path);
            if let Some(key) = key {
                request = request.header("x-api-key", key);
            }
            let request = request.body(Body::from("{")).unwrap();
            let answer = client.send(request).await;
            let body = answer.expect(403);
            assert_eq!(body, json!({"detail": "Not authorized"}), "{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("403"), "{method} {path}");
        }
    }
}

async fn revoked_key(client: &Client) -> String {
    let made = client
        .post("/v2/keys", json!({"name": "old"}))
        .await
        .expect(201);
    client
        .delete(&format!("/v2/keys/{}", made["id"]))
        .await
        .expect(200);
    made["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_operation_answers_only_what_it_declares() {
    let client = Client::new().await;
    for (method, path, operation) in operations() {
        for place in [
            "not-a-number",
            "999999",
            "99999999999999999999",
            "-1",
            "%ff",
        ] {
            let filled = fill(&path).replace("not-a-number", place);
            for body in ["", "null", "{}", "[]", "{\"a\":", "\"\\ud800\""] {
                let answer = client.raw(method.clone(), &filled, body).await;
                let status = answer.status.as_str();
                let declared = operation["responses"].get(status).is_some();
                // A path that is no UTF-8 names no route at all.
                let nothing = place == "%ff" && status == "404";
                assert!(declared || nothing, "{method} {filled} {body}: {status}");
            }
        }
    }
}

#[test]
fn everything_has_an_example() {
    for (method, path, operation) in operations() {
        let answers = operation["responses"].as_object().unwrap();
        for (status, answer) in answers {
            for content in answer["content"].as_object().into_iter().flatten() {
                let shown = &content.1["example"];
                assert!(!shown.is_null(), "{method} {path} {status}");
            }
        }
        let body = &operation["requestBody"]["content"]["application/json"];
        assert!(
            body.is_null() || !body["example"].is_null(),
            "{method} {path}"
        );
    }
}

/// What a fault may name: a header, or a parameter or field that the operation has.
fn names(document: &Value, operation: &Value, loc: &[Value]) -> bool {
    let part = loc[0].as_str().unwrap();
    let Some(name) = loc.get(1) else {
        return part == "body";
    };
    if part != "body" {
        let mut parameters = operation["parameters"].as_array().into_iter().flatten();
        return parameters.any(|one| {
            one["in"] == part
                && one["name"].as_str().unwrap().to_lowercase() == name.as_str().unwrap()
        });
    }
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    // One that may be absent is the shape, or null.
    let schema = schema.pointer("/oneOf/0").unwrap_or(schema);
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => schema,
    };
    // Where it breaks off, or a field that is not known.
    name.is_number() || schema["properties"].get(name.as_str().unwrap()).is_some() || loc.len() == 2
}

#[test]
fn examples_of_refusals_are_of_their_operation() {
    let document = serde_json::to_value(marquetry_web::openapi()).unwrap();
    for (method, path, operation) in operations() {
        let example = |status: &str| {
            operation["responses"][status]["content"]["application/json"]["example"].clone()
        };
        for fault in example("422")["detail"].as_array().into_iter().flatten() {
            let loc = fault["loc"].as_array().unwrap();
            assert!(
                names(&document, &operation, loc),
                "{method} {path}: {loc:?}"
            );
        }
        let Some(message) = example("404")["message"].as_str().map(str::to_owned) else {
            continue;
        };
        let mut parts = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix("_id}"));
        if let Some(thing) = parts.next_back() {
            let thing = if path.starts_with("/hooks/") {
                "push hook"
            } else if path.contains("{connector_name}") {
                "connector"
            } else {
                thing
            };
            assert!(message.starts_with(thing), "{method} {path}: {message}");
        }
    }
}

#[test]
fn every_post_may_be_repeated() {
    for (method, path, operation) in operations() {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let mut headers = parameters.filter(|parameter| parameter["in"] == "header");
        let has = headers.any(|header| header["name"] == "Idempotency-Key");
        let repeatable = method == Method::POST && !path.starts_with("/hooks/");
        assert_eq!(has, repeatable, "{method} {path}");
    }
}
