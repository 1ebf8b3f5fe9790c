//! What all operations have alike, and what they look like: so that no handler has to say it.

use http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{
    ContentBuilder, ObjectBuilder, OpenApi, PathItem, Ref, RefOr, Required, Response,
    ResponseBuilder,
};

/// Real requests and answers of every operation, written by the tests that make them.
const EXAMPLES: &str = include_str!("examples.json");

/// Where what others call lies.
const HOOKS: &str = "/hooks/";

/// Adds the refusals that every operation of a kind may answer, the header of repeatable
/// requests, and an example of everything.
pub(super) fn complete(document: &mut OpenApi) {
    let examples: Map<String, Value> =
        serde_json::from_str(EXAMPLES).expect("the examples are JSON");
    for (path, item) in &mut document.paths.paths {
        // Keys are an account's; whoever calls a hook has none, and its call is idempotent as it is.
        if let Some(post) = &mut item.post
            && !path.starts_with(HOOKS)
        {
            repeatable(post);
        }
        for operation in operations(item) {
            refusals(operation);
            let name = operation.operation_id.clone().unwrap_or_default();
            illustrate(operation, examples.get(&name).unwrap_or(&Value::Null));
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}

fn repeatable(operation: &mut Operation) {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(marquetry_app::idempotency::LONGEST));
    let header = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "For 24 hours, the same request with the same key is done once and answered alike.",
        ))
        .schema(Some(text))
        .build();
    operation
        .parameters
        .get_or_insert_default()
        .push(RefOr::T(header));
    let under_way =
        "It is not in a state for this, or the first request with this key is under way";
    refuse(operation, StatusCode::CONFLICT, under_way);
}

fn refusals(operation: &mut Operation) {
    let name = operation.operation_id.as_deref().unwrap_or_default();
    if matches!(name, "syncTenant" | "runTenant" | "syncByIntegration") {
        let text = "Too many triggers of the tenant wait; see Retry-After";
        refuse(operation, StatusCode::TOO_MANY_REQUESTS, text);
    }
    if operation.request_body.is_some() {
        let late = "The body did not arrive in time";
        refuse(operation, StatusCode::REQUEST_TIMEOUT, late);
        let large = "The body is larger than 6 MiB";
        refuse(operation, StatusCode::PAYLOAD_TOO_LARGE, large);
    }
    if operation.operation_id.as_deref() != Some("getHealth") {
        let fault = "Our fault; the server's log has the cause";
        refuse(operation, StatusCode::INTERNAL_SERVER_ERROR, fault);
        let away = "The platform cannot do it now; see Retry-After";
        refuse(operation, StatusCode::SERVICE_UNAVAILABLE, away);
    }
}

/// Adds an answer with a message, unless the handler has described it.
fn refuse(operation: &mut Operation, status: StatusCode, description: &str) {
    let status = status.as_str().to_owned();
    operation
        .responses
        .responses
        .entry(status)
        .or_insert_with(|| {
            let schema = Ref::from_schema_name("ErrorMessage");
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let response = ResponseBuilder::new().description(description);
            response.content("application/json", content).build().into()
        });
}

/// Shows an example of everything: what the handler gives itself, what the tests' walk came by, or what
/// any operation of the kind may answer.
fn illustrate(operation: &mut Operation, example: &Value) {
    let first = first_named(operation);
    if let Some(RefOr::T(body)) = &mut operation.request_body
        && let Some(RefOr::T(content)) = body.content.get_mut("application/json")
        && !example["request"].is_null()
    {
        content.example = Some(example["request"].clone());
    }
    let status = example["status"].as_str().unwrap_or_default().to_owned();
    for (code, response) in &mut operation.responses.responses {
        let RefOr::T(Response { content, .. }) = response else {
            continue;
        };
        for (kind, content) in content {
            let RefOr::T(content) = content else {
                continue;
            };
            content.example = if kind == "text/event-stream" {
                Some(json!({"id": "7", "event": "message", "data": "a line"}))
            } else if *code == status {
                Some(example["answer"].clone())
            } else {
                let own = content.example.take();
                let met = || example["refusals"].get(code).cloned();
                own.or_else(met).or_else(|| refusal(code, first.as_deref()))
            };
        }
    }
}

/// The name of what the path names first.
fn first_named(operation: &Operation) -> Option<String> {
    let mut all = operation.parameters.iter().flatten();
    all.find_map(|parameter| match parameter {
        RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path => {
            Some(parameter.name.clone())
        }
        RefOr::T(_) | RefOr::Ref(_) => None,
    })
}

/// A refusal that the walk does not come by.
fn refusal(status: &str, named: Option<&str>) -> Option<Value> {
    let message = match (status, named) {
        ("403", _) => return Some(json!({"detail": "Not authorized"})),
        ("422", Some(name)) => {
            return Some(json!({"detail": [{
                "loc": ["path", name],
                "msg": "Input should be a valid string",
                "type": "string_type",
                "input": null,
            }]}));
        }
        ("404", Some(name)) => &format!("{} 7 was not found", name.trim_end_matches("_id")),
        ("404", _) => "there is no such route",
        ("408", _) => "the request body did not arrive in time; send it again",
        ("409", _) => {
            "a request with this Idempotency-Key is under way; ask again when it has ended"
        }
        ("413", _) => "the request body is larger than 6 MiB; send less",
        ("429", _) => "10000 triggers wait for tenant 7",
        ("500", _) => "an internal error occurred; the server's log has the cause",
        ("503", _) => "the database cannot do it now; try again",
        _ => return None,
    };
    Some(json!({"message": message}))
}
