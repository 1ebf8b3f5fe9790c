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

/// The log of a run, by its link.
async fn log(client: &Client, run: &Value) -> String {
    let link = client.get(&format!("/v2/runs/{}/log", run["id"])).await;
    let link = link.header("location").to_owned();
    client.get(&link).await.text()
}

#[tokio::test]
async fn options_of_metadata_come_from_init_runs_too() {
    let client = Client::new().await;
    let form = json!({"schema": {"properties": {"shade": {"$ref": "#/metadata/shades"}}}});
    let path = tenant(&client, Some(form), None).await;
    let choose = |shade: &str| client.patch(&path, json!({"configs": {"shade": shade}}));
    choose("any").await.expect(200);
    client.run(&path, "init", r#"{"shades": ["light"]}"#).await;
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

fn cursor() -> Value {
    let properties = json!({"cursor": {"type": "integer"}});
    json!({"schema": {"properties": properties, "required": ["cursor"]}})
}

#[tokio::test]
async fn metadata_is_kept_as_it_is_or_not_at_all() {
    let client = Client::new().await;
    let path = tenant(&client, None, Some(cursor())).await;
    let metadata = format!("{path}/metadata");
    let good =
        r#"{"cursor": 18446744073709551615, "name": "half \ud83d", "at": 98.37282740013183}"#;
    for line in [good, "{}"] {
        let ended = client.run(&path, "normal", line).await;
        assert_eq!(ended["status"]["phase"], "Succeeded", "{ended}");
        assert_eq!(ended["std_out"], line);
    }
    let kept = client.get(&metadata).await.text();
    let half = '\u{fffd}';
    let wanted = format!(
        r#""data":{{"cursor":18446744073709551615,"name":"half {half}","at":98.37282740013183}}"#
    );
    assert!(kept.contains(&wanted), "{kept}");

    let deep = format!("{}{}", "[".repeat(127), "]".repeat(127));
    let misfit = "standard output does not fit the metadata schema: cursor:";
    for (line, why) in [
        (
            r#"{"cursor": 18446744073709551616}"#.to_owned(),
            format!(
                "{misfit} Input should be a whole number of at most 64 bits; write a larger one \
                 as text"
            ),
        ),
        (
            r#"{"other": 1}"#.to_owned(),
            format!("{misfit} Field required"),
        ),
        (
            format!(r#"{{"cursor": 1, "deep": {deep}}}"#),
            "the last line of standard output has lists and objects nested more than 127 deep"
                .to_owned(),
        ),
    ] {
        let ended = client.run(&path, "normal", &line).await;
        assert_eq!(ended["status"]["phase"], "Failed (Metadata Validation)");
        assert_eq!(ended["message"], why);
        let said = format!("[marquetry] Failed (Metadata Validation): {why}\n");
        assert_eq!(log(&client, &ended).await, said);
        assert_eq!(client.get(&metadata).await.text(), kept);
    }
}

#[tokio::test]
async fn metadata_that_grows_too_large_is_said_in_the_log_too() {
    let client = Client::new().await;
    let path = tenant(&client, None, Some(cursor())).await;
    let filler = json!({"cursor": 1, "filler": "x".repeat((1 << 20) - 200)});
    let metadata = format!("{path}/metadata");
    client.patch(&metadata, filler).await.expect(200);
    let line = json!({"cursor": 1, "more": "y".repeat(200)}).to_string();
    let ended = client.run(&path, "normal", &line).await;
    assert_eq!(ended["status"]["phase"], "Failed (Metadata Validation)");
    let why = ended["message"].as_str().unwrap();
    assert!(why.contains("bytes as JSON; it may have 1048576"), "{why}");
    let said = format!("[marquetry] Failed (Metadata Validation): {why}\n");
    assert_eq!(log(&client, &ended).await, said);
    assert_eq!(ended["usage"]["log_bytes"], said.len());
}

#[tokio::test]
async fn any_json_is_handed_to_the_next_run() {
    let client = Client::new().await;
    let path = tenant(&client, None, None).await;
    let environment = format!("{path}/environment");
    let deep = format!("{}{}", "[".repeat(60_000), "]".repeat(60_000));
    for line in [r#"{"a":"\ud83d"}"#, &deep, &"9".repeat(401), "1e999"] {
        let ended = client.run(&path, "normal", line).await;
        assert_eq!(ended["status"]["phase"], "Succeeded", "{ended}");
        let given = client.get(&environment).await.expect(200);
        assert_eq!(given["PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT"], line);
    }
    for line in ["[".repeat(120 << 10), "{\"a\":}".to_owned()] {
        let ended = client.run(&path, "init", &line).await;
        assert_eq!(ended["status"]["phase"], "Succeeded", "{ended}");
        let given = client.get(&environment).await.expect(200);
        assert_eq!(
            given["PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT"],
            Value::Null,
            "no JSON"
        );
    }
}
