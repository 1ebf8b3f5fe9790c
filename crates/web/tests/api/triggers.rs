//! Asking for runs.

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

use crate::client::Client;

#[tokio::test]
async fn a_sync_takes_an_object_or_nothing() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    for body in ["", " \n", "null", "{}", "{\"a\": [1, {}]}"] {
        let answer = client.raw(Method::POST, &path, body).await.expect(202);
        assert!(answer["trigger_id"].is_string(), "{body}");
    }
    let form = client.request(Method::POST, &path);
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let form = form.body(Body::from("{\"b\": 1}")).unwrap();
    client.send(form).await.expect(202);
    for body in ["1", "\"a\"", "[]", "true"] {
        client.raw(Method::POST, &path, body).await.expect(422);
    }
    let (run, _) = client.inside.take_run().await;
    let shown = client
        .get(&format!("/v2/runs/{}/triggers", run.id))
        .await
        .expect(200);
    let payloads: Vec<&Value> = shown
        .as_array()
        .unwrap()
        .iter()
        .map(|trigger| &trigger["payload"])
        .collect();
    let nothing = json!({});
    let (first, last) = (json!({"a": [1, {}]}), json!({"b": 1}));
    assert_eq!(
        payloads,
        [&nothing, &nothing, &nothing, &nothing, &first, &last]
    );
}

#[tokio::test]
async fn a_large_payload_is_kept_as_it_came() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let text = "x".repeat(1 << 20);
    let path = format!("/v2/tenants/{tenant}/run?mode=init");
    client.post(&path, json!({"text": text})).await.expect(202);
    let (run, _) = client.inside.take_run().await;
    let shown = client
        .get(&format!("/v2/runs/{}", run.id))
        .await
        .expect(200);
    assert_eq!(shown["mode"], "init");
    assert_eq!(shown["triggers"][0]["payload"], json!({"text": text}));
}

#[tokio::test]
async fn payloads_of_one_answer_have_a_limit() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let (small, large) = (json!({"a": 1}), json!({"text": "x".repeat(700_000)}));
    for body in [&small, &large, &large, &small] {
        client.post(&path, body.clone()).await.expect(202);
    }
    let (run, _) = client.inside.take_run().await;
    let wanted = json!([small, large, {}, {}]);
    for path in [
        "/v2/runs".to_owned(),
        format!("/v2/tenants/{tenant}/runs"),
        format!("/v2/runs/{}", run.id),
    ] {
        let shown = client.get(&path).await.expect(200);
        let shown = shown.get(0).unwrap_or(&shown);
        assert!(payloads(&shown["triggers"]) == wanted, "{path}");
    }
    let shown = client.get("/v2/tenants").await.expect(200);
    assert!(payloads(&shown[0]["status"]["current_run"]["triggers"]) == wanted);
}

fn payloads(triggers: &Value) -> Value {
    let triggers = triggers.as_array().unwrap().iter();
    triggers.map(|trigger| trigger["payload"].clone()).collect()
}

#[tokio::test]
async fn a_payload_is_shown_as_it_came() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let body = r#" {"b": 1.50, "a": [1e2, "\u00e4"]} "#;
    client.raw(Method::POST, &path, body).await.expect(202);
    client.inside.take_run().await;
    let shown = client.get("/v2/runs").await.text();
    assert!(shown.contains(body.trim()), "{shown}");
}

#[tokio::test]
async fn a_status_shows_the_first_triggers_of_a_run() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    for _ in 0..25 {
        client.post(&path, json!({})).await.expect(202);
    }
    client.inside.take_run().await;
    let shown = client
        .get(&format!("/v2/tenants/{tenant}"))
        .await
        .expect(200);
    let of_status = shown["status"]["current_run"]["triggers"]
        .as_array()
        .unwrap();
    let shown = client.get("/v2/runs").await.expect(200);
    let of_run = shown[0]["triggers"].as_array().unwrap();
    assert_eq!(of_run.len(), 25);
    assert_eq!(of_status[..], of_run[..20]);
}

/// What is kept of the headers of a sync.
async fn kept_headers(client: &Client, request: http::Request<Body>) -> Value {
    let made = client.send(request).await.expect(202);
    let id = made["trigger_id"].as_str().unwrap().parse().unwrap();
    let system = client.inside.system();
    let trigger = marquetry_app::triggers::trigger_cancel(&system, id).await;
    serde_json::from_str(&trigger.unwrap().headers.unwrap()).unwrap()
}

#[tokio::test]
async fn headers_reach_the_run_without_those_that_open_something() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let request = client
        .request(Method::POST, &path)
        .header("X-Shop", "one")
        .header("x-shop", "two")
        .header("authorization", "Bearer hush")
        .header("cookie", "hush")
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        kept_headers(&client, request).await,
        json!({"x-shop": "one, two"})
    );
}

#[tokio::test]
async fn a_large_payload_that_is_refused_is_not_stored() {
    let client = Client::new().await;
    let integration = client.integration("shop").await;
    let tenant = client.tenant(integration, "acme").await;
    let large = json!({"text": "x".repeat(100_000)});
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    client.post(&path, large.clone()).await.expect(422);
    let absent = "/v2/tenants/77/sync?mode=normal";
    client.post(absent, large.clone()).await.expect(404);
    assert_eq!(payload_blobs(&client), 0);
    client.inside.release(integration, "v1").await;
    client.post(&path, large).await.expect(202);
    assert_eq!(payload_blobs(&client), 1);
}

/// How many payloads lie in the blob store.
fn payload_blobs(client: &Client) -> usize {
    let mut folders = vec![client.inside.folder.path().join("blobs/payload")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for entry in entries.map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
            }
        }
    }
    files
}

#[tokio::test]
async fn headers_beyond_16_kib_are_not_kept() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let mut request = client.request(Method::POST, &path);
    for name in ["x-a", "x-b", "x-c"] {
        request = request.header(name, "y".repeat(7_000));
    }
    for _ in 0..6_000 {
        request = request.header("x-many", "");
    }
    let request = request.header("x-d", "z").body(Body::empty()).unwrap();
    let kept = kept_headers(&client, request).await;
    let kept: Vec<&String> = kept.as_object().unwrap().keys().collect();
    assert_eq!(kept, ["x-a", "x-b", "x-d"]);
}

#[tokio::test]
async fn only_digits_are_the_id_of_a_trigger() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    client.post(&path, json!({})).await.expect(202);
    client.inside.take_run().await;
    let status = |id: &str| format!("/v2/runs/triggers/{id}/status");
    client.get(&status("1")).await.expect(200);
    for id in ["+1", "%2B1", "-1", "%201", "1e0"] {
        client.get(&status(id)).await.expect(404);
        let cancel = format!("/v2/runs/triggers/{id}/cancel");
        client.post(&cancel, Value::Null).await.expect(404);
    }
}

#[tokio::test]
async fn by_integration_the_users_tenant_runs() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}");
    client
        .patch(&path, json!({"user_name": "u 1"}))
        .await
        .expect(200);
    let path = "/v2/integrations/1/sync?mode=normal&user_name=";
    client
        .post(&format!("{path}u+1"), json!({}))
        .await
        .expect(202);
    client
        .post(&format!("{path}other"), json!({}))
        .await
        .expect(404);
    let (run, _) = client.inside.take_run().await;
    assert_eq!(run.tenant_id.get(), tenant);
}

#[tokio::test]
async fn without_a_release_a_sync_is_refused() {
    let client = Client::new().await;
    let integration = client.integration("shop").await;
    let tenant = client.tenant(integration, "acme").await;
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let refused = client.post(&path, Value::Null).await.expect(422);
    assert_eq!(refused["detail"][0]["loc"], json!(["path", "tenant_id"]));
    assert_eq!(refused["detail"][0]["type"], "value_error");
}

#[tokio::test]
async fn a_waiting_trigger_can_be_cancelled_once() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let made = client.post(&path, Value::Null).await.expect(202);
    let trigger = made["trigger_id"].as_str().unwrap();
    let path = format!("/v2/runs/triggers/{trigger}/cancel");
    let cancelled = client.post(&path, Value::Null).await.expect(200);
    assert_eq!(cancelled["trigger_id"], trigger);
    assert!(cancelled["cancelled_date"].is_string());
    client.post(&path, Value::Null).await.expect(409);
    let status = format!("/v2/runs/triggers/{trigger}/status");
    assert_eq!(
        client.get(&status).await.expect(200),
        json!({"status": "Cancelled"})
    );
}
