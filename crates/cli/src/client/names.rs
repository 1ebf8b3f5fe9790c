//! From what people call a thing to its id.

use marquetry_manifest::nearest;
use serde_json::Value;

use super::{Client, PageArgs, list};
use crate::failure::Failure;

/// The id of an integration that is named by id or by name.
pub(crate) async fn find_integration(client: &Client, name: &str) -> anyhow::Result<i64> {
    if let Some(id) = as_id(name) {
        return Ok(id);
    }
    let all = list(client, "/v2/integrations", &[], &PageArgs::ALL).await?;
    let found = named(&all.value, name);
    match found.first().and_then(|item| item["id"].as_i64()) {
        Some(id) => Ok(id),
        None => Err(unknown("integration", name, &all.value).into()),
    }
}

/// The id of a tenant that is named by id, by name, or as `integration/tenant`.
pub(crate) async fn find_tenant(client: &Client, name: &str) -> anyhow::Result<i64> {
    if let Some(id) = as_id(name) {
        return Ok(id);
    }
    let (query, tenant) = match name.split_once('/') {
        Some((integration, tenant)) => {
            let id = find_integration(client, integration).await?;
            (vec![("integration_id", id.to_string())], tenant)
        }
        None => (Vec::new(), name),
    };
    let all = list(client, "/v2/tenants", &query, &PageArgs::ALL).await?;
    let found = named(&all.value, tenant);
    match found.as_slice() {
        [] => Err(unknown("tenant", tenant, &all.value).into()),
        [one] => one["id"]
            .as_i64()
            .ok_or_else(|| Failure::new("the server answered a tenant without an id").into()),
        many => Err(ambiguous(client, tenant, many).await?.into()),
    }
}

fn as_id(name: &str) -> Option<i64> {
    name.parse().ok().filter(|id| *id > 0)
}

fn named<'a>(all: &'a Value, name: &str) -> Vec<&'a Value> {
    let items = all.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter(|item| item["name"] == name).collect()
}

fn unknown(kind: &str, name: &str, all: &Value) -> Failure {
    let items = all.as_array().map(Vec::as_slice).unwrap_or_default();
    let names = items.iter().filter_map(|item| item["name"].as_str());
    let remedy = nearest(name, names).map_or_else(
        || format!("see which there are: marquetry {kind}s list"),
        |near| format!("did you mean `{near}`? all of them: marquetry {kind}s list"),
    );
    Failure::new(format!("there is no {kind} named `{name}`")).remedy(remedy)
}

async fn ambiguous(client: &Client, name: &str, found: &[&Value]) -> anyhow::Result<Failure> {
    let integrations = list(client, "/v2/integrations", &[], &PageArgs::ALL).await?;
    let integrations = integrations.value.as_array().cloned().unwrap_or_default();
    let candidates = found.iter().map(|tenant| {
        let of = integrations
            .iter()
            .find(|integration| integration["id"] == tenant["integration_id"])
            .and_then(|integration| integration["name"].as_str());
        match of {
            Some(of) => format!("{} (id {})", format_args!("{of}/{name}"), tenant["id"]),
            None => format!(
                "id {} of integration {}",
                tenant["id"], tenant["integration_id"]
            ),
        }
    });
    let candidates: Vec<String> = candidates.collect();
    let sentence = format!("{} tenants are named `{name}`", found.len());
    Ok(Failure::new(sentence)
        .details(candidates)
        .remedy("name one by its id, or as integration/tenant"))
}
