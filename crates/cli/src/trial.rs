//! What is made on servers of our own to be tried: an integration with a release, and tenants.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::client::Client;

/// How long a build may take that does nothing.
const BUILD: Duration = Duration::from_secs(60);

/// An integration that executes this command, with a release; answers its id.
///
/// # Errors
/// The server refuses, or the build does not succeed.
pub(crate) async fn integration(
    client: &Client,
    settings: &Value,
    command: &str,
    files: &[(&str, &str)],
) -> anyhow::Result<i64> {
    let made = client.post("/v2/integrations", &[], Some(settings)).await?;
    let integration = id(&made.value)?;
    let folder = tempfile::tempdir()?;
    let manifest = format!(
        "version: 1.0\nbase: python\nbuild: \"true\"\nrun: {}\n",
        json!(command)
    );
    std::fs::write(folder.path().join("PANDIUM.yaml"), manifest)?;
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text)?;
    }
    let archive = crate::commands::archive(folder.path())?;
    let path = format!("/v2/integrations/{integration}/releases/upload");
    let build = client.upload(&path, &[], archive).await?;
    let path = format!("/v2/builds/{}", id(&build.value)?);
    let began = Instant::now();
    loop {
        let build = client.get(&path, &[]).await?.value;
        match build["status"].as_str() {
            Some("Succeeded") => return Ok(integration),
            Some("Pending" | "Running") if began.elapsed() < BUILD => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            _ => anyhow::bail!("the build did not succeed: {build}"),
        }
    }
}

/// So many tenants of it; answers their ids.
///
/// # Errors
/// The server refuses.
pub(crate) async fn tenants(
    client: &Client,
    integration: i64,
    count: usize,
) -> anyhow::Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(count);
    for n in 0..count {
        let body = json!({"name": format!("tenant-{n}"), "integration_id": integration});
        let made = client.post("/v2/tenants", &[], Some(&body)).await?;
        ids.push(id(&made.value)?);
    }
    Ok(ids)
}

/// The id of what was made.
///
/// # Errors
/// There is none.
pub(crate) fn id(value: &Value) -> anyhow::Result<i64> {
    value["id"]
        .as_i64()
        .with_context(|| format!("no id in {value}"))
}
