//! What a run prints, and what becomes of it.

use serde_json::{Value, json};

use crate::client::Client;

/// A tenant of an integration whose release has this form and metadata schema; its path.
async fn tenant(client: &Client, form: Option<Value>, metadata_schema: Option<Value>) -> String {
    let id = client.integration("shop").await;
    let inside = &client.inside;
    inside
        .release_with_form(id, "v1", form, metadata_schema)
        .await;
    let body = json!({
        "name": "acme", "integration_id": id, "integration_release_channel": "Latest",
    });
    let made = client.post("/v2/tenants", body).await.expect(200);
    format!("/v2/tenants/{}", made["id"])
}

/// Runs the tenant in a mode and ends the run with a line of output.
async fn run(client: &Client, tenant: &str, mode: &str, line: &str) -> Value {
    let path = format!("{tenant}/sync?mode={mode}");
    client.post(&path, Value::Null).await.expect(202);
    let (run, claim) = client.inside.take_run().await;
    client.inside.end_run(&run, &claim, line).await;
    client
        .get(&format!("/v2/runs/{}", run.id))
        .await
        .expect(200)
}

#[tokio::test]
async fn options_of_metadata_come_from_init_runs_too() {
    let client = Client::new().await;
    let form = json!({"schema": {"properties": {"shade": {"$ref": "#/metadata/shades"}}}});
    let path = tenant(&client, Some(form), None).await;
    let choose = |shade: &str| client.patch(&path, json!({"configs": {"shade": shade}}));
    choose("any").await.expect(200);
    run(&client, &path, "init", r#"{"shades": ["light"]}"#).await;
    let shown = client.get(&path).await.expect(200);
    assert_eq!(shown["status"]["dynamic_configs"]["shades"][0], "light");
    let problem = json!([{"name": "shade", "message": "Input should be 'light'"}]);
    assert_eq!(shown["configs_problems"], problem);
    let release = client.get(&format!("{path}/release")).await.expect(200);
    let schema = &release["config_schema"]["schema"];
    assert_eq!(schema["properties"]["shade"]["enum"], json!(["light"]));
    assert_eq!(schema["metadata"]["shades"]["enum"], json!(["light"]));
    choose("dark").await.expect(422);
    let known = json!({"shades": ["dark"]});
    let metadata = format!("{path}/metadata");
    client.patch(&metadata, known).await.expect(200);
    choose("light").await.expect(422);
    choose("dark").await.expect(200);
}
