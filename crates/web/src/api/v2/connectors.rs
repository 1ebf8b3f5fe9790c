//! Definitions of connectors.

use axum::extract::State;
use http::StatusCode;
use marquetry_app::connectors::{
    Definition, Known, Origin, connector_delete, connector_get, connector_list, connector_put,
};
use marquetry_wire::v2::{ConnectorDefinition, ErrorMessage};
use serde_json::{Map, Value};

use super::Answer;
use super::paths::ConnectorPath;
use crate::extract::{Admin, Caller, Checked, Raw, list_query};
use crate::openapi::{InputRefusals, Refusals};
use crate::reply;
use crate::state::Web;

/// What is ours in an answer, and none of a definition.
const OWN: [&str; 2] = ["origin", "overrides"];

list_query! {
    /// What the list of definitions takes.
    ConnectorsQuery of marquetry_app::lists::CONNECTORS {
        /// Only those with this in their name or title.
        search: String,
        /// Only those of this category.
        category: String,
    }
}

/// The definitions of connectors that count, by name.
#[utoipa::path(get, path = "/v2/connectors", operation_id = "listConnectors", tag = "extension",
    params(ConnectorsQuery),
    responses((status = 200, description = "The definitions", body = Vec<ConnectorDefinition>), InputRefusals))]
pub(crate) async fn list(
    State(web): State<Web>,
    Caller(ctx, _): Caller,
    input: Checked<(), ConnectorsQuery>,
) -> Answer {
    let page = input.query.page(&web, &input.uri)?;
    let search = input.query.search.unwrap_or_default().to_lowercase();
    let category = input.query.category.filter(|it| !it.is_empty());
    let fits = |definition: &Definition| {
        let named =
            definition.name.contains(&search) || definition.title.to_lowercase().contains(&search);
        named
            && category
                .as_ref()
                .is_none_or(|it| definition.categories.contains(it))
    };
    let found = connector_list(&ctx, &page, fits).await?;
    Ok(reply::list(
        &web,
        &input.uri,
        &page,
        &found.map(|known| shown(&known)),
    ))
}

/// The definition of a connector.
#[utoipa::path(get, path = "/v2/connectors/{connector_name}", operation_id = "getConnector",
    tag = "extension", params(ConnectorPath),
    responses((status = 200, description = "The definition", body = ConnectorDefinition), Refusals))]
pub(crate) async fn get(Caller(ctx, _): Caller, input: Checked<ConnectorPath>) -> Answer {
    let known = connector_get(&ctx, &input.path.connector_name).await?;
    Ok(reply::ok(&shown(&known)))
}

/// Adds a definition, or puts it in place of the one of its name; the schema is at `/schemas/connector.json`.
#[utoipa::path(put, path = "/v2/connectors/{connector_name}", operation_id = "putConnector",
    tag = "extension", params(ConnectorPath), request_body = ConnectorDefinition,
    responses((status = 200, description = "It was replaced", body = ConnectorDefinition),
        (status = 201, description = "It is new", body = ConnectorDefinition), InputRefusals))]
pub(crate) async fn put(
    Caller(ctx, _): Caller<Admin>,
    input: Checked<ConnectorPath, (), Raw>,
) -> Answer {
    let text = without_own(&input.body.0);
    let (known, is_new) = connector_put(&ctx, &input.path.connector_name, &text).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(reply::json(status, &shown(&known)))
}

/// Forgets a definition that was given here; a shipped one of its name counts again.
#[utoipa::path(delete, path = "/v2/connectors/{connector_name}", operation_id = "deleteConnector",
    tag = "extension", params(ConnectorPath),
    responses((status = 200, description = "What is forgotten", body = ConnectorDefinition),
        (status = 409, description = "It is shipped, in a file, or in use", body = ErrorMessage),
        Refusals))]
pub(crate) async fn delete(Caller(ctx, _): Caller<Admin>, input: Checked<ConnectorPath>) -> Answer {
    let gone = connector_delete(&ctx, &input.path.connector_name).await?;
    Ok(reply::ok(&shown(&gone)))
}

fn shown(known: &Known) -> Value {
    let origin = match known.origin {
        Origin::BuiltIn => "built_in",
        Origin::File => "file",
        Origin::Custom => "custom",
    };
    let mut json = serde_json::to_value(&*known.definition).unwrap_or_default();
    if let Some(fields) = json.as_object_mut() {
        fields.insert("origin".to_owned(), origin.into());
        fields.insert("overrides".to_owned(), known.overrides.into());
    }
    json
}

/// What was answered here can be sent back.
fn without_own(body: &[u8]) -> Vec<u8> {
    let Ok(mut fields) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return body.to_vec();
    };
    fields.retain(|name, _| !OWN.contains(&name.as_str()));
    serde_json::to_vec(&fields).unwrap_or_default()
}
