//! Tenants and integrations.

use http::Method;
use serde_json::{Value, json};

use crate::client::Client;

#[tokio::test]
async fn a_new_tenant_has_every_field_of_the_contract() {
    let client = Client::new().await;
    client.integration("shop").await;
    let body = json!({"name": "acme", "integration_id": "1", "ignored": [1]});
    let made = client.post("/v2/tenants", body).await.expect(200);
    assert_eq!(
        made,
        json!({
            "id": 1,
            "name": "acme",
            "archived": false,
            "integration_id": 1,
            "configs": {},
            "created_date": "2026-11-23T20:00:00.000Z",
            "modified_date": "2026-11-23T20:00:00.000Z",
            "paused": true,
            "user_schedule": null,
            "schedule": null,
            "source": "api",
            "integration_release_id": null,
            "integration_release_channel": "Default",
            "status": {
                "last_run": {},
                "current_run": {},
                "last_successful_run": {},
                "dynamic_configs": {},
                "auth": {"connected": true, "connectors": []},
            },
            "user_name": null,
            "timezone": null,
            "configs_problems": [],
        })
    );
    assert_eq!(client.get("/v2/tenants/1").await.expect(200), made);
    assert_eq!(client.get("/v2/tenants").await.expect(200), json!([made]));
}

#[tokio::test]
async fn patch_merges_and_put_replaces() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}");
    let body = json!({"configs": {"a": 1, "b": 2}, "user_schedule": "*/5 * * * *"});
    client.patch(&path, body).await.expect(200);
    let body = json!({"configs": {"a": null, "c": {"d": []}}, "paused": "no"});
    let merged = client.patch(&path, body).await.expect(200);
    assert_eq!(merged["configs"], json!({"b": 2, "c": {"d": []}}));
    assert_eq!(merged["paused"], false);
    assert_eq!(merged["user_schedule"], "*/5 * * * *");
    let body = json!({"configs": {"e": 1}, "user_schedule": null});
    let replaced = client
        .raw(Method::PUT, &path, body.to_string())
        .await
        .expect(200);
    assert_eq!(replaced["configs"], json!({"e": 1}));
    assert_eq!(replaced["user_schedule"], Value::Null);
    let untouched = client.raw(Method::PUT, &path, "{}").await.expect(200);
    assert_eq!(untouched["configs"], json!({"e": 1}));
}

#[tokio::test]
async fn a_route_of_ours_refuses_what_it_does_not_know() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}");
    let body = json!({"colour": 1, "configs": {"a": 1}});
    client.patch(&path, body.clone()).await.expect(200);
    let refused = client.raw(http::Method::PUT, &path, body.to_string()).await;
    assert_eq!(
        refused.expect(422)["detail"][0]["loc"],
        json!(["body", "colour"])
    );
    let long = "n".repeat(1025);
    let refused = client.patch(&path, json!({"configs": {long: 1}})).await;
    let refused = refused.expect(422);
    assert_eq!(refused["detail"][0]["loc"], json!(["body", "configs"]));
    assert!(refused.to_string().len() < 1000, "{refused}");
}

#[tokio::test]
async fn both_kinds_of_default_are_refused_whichever_is_new() {
    let client = Client::new().await;
    let integration = client.integration("shop").await;
    let release = client.inside.release(integration, "v1").await;
    let path = format!("/v2/integrations/{integration}");
    let both = json!({"default_release_id": release, "default_release_channel": "Latest"});
    let fixed = json!({"default_release_id": release});
    // First the channel is the one that is there, then the release.
    for _ in 0..2 {
        let refused = client.patch(&path, both.clone()).await.expect(422);
        let loc = json!(["body", "default_release_channel"]);
        assert_eq!(refused["detail"][0]["loc"], loc);
        assert_eq!(refused["detail"].as_array().unwrap().len(), 1);
        client.patch(&path, fixed.clone()).await.expect(200);
    }
}

#[tokio::test]
async fn an_archived_tenant_is_shown_and_nothing_else() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}");
    let archived = client.delete(&path).await.expect(200);
    assert_eq!(archived["archived"], true);
    assert_eq!(client.get(&path).await.expect(200)["archived"], true);
    client.delete(&path).await.expect(404);
    client
        .patch(&path, json!({"paused": true}))
        .await
        .expect(404);
    client
        .post(&format!("{path}/sync?mode=normal"), Value::Null)
        .await
        .expect(404);
}

#[tokio::test]
async fn an_integration_takes_and_shows_its_settings() {
    let client = Client::new().await;
    let body = json!({
        "name": "shop",
        "long_name": "Shop",
        "type": "Internal",
        "repository_path": ["a", "b/PANDIUM.yaml"],
        "connectors": [{"name": "slack", "isGlobal": true}],
        "schedule_choices": [{"label": "hourly", "cron": "0 * * * *"}],
        "egress_ports": [9000],
        "timeout_seconds": "30",
    });
    let made = client.post("/v2/integrations", body).await.expect(201);
    assert_eq!(made["repository_path"], "a");
    assert_eq!(made["repository_paths"], json!(["a", "b/PANDIUM.yaml"]));
    assert_eq!(
        made["connectors"],
        json!([{"name": "slack", "isGlobal": true}])
    );
    assert_eq!(made["timeout_seconds"], 30);
    assert_eq!(made["categories"], json!([]));
    assert_eq!(made["flag"], Value::Null);
    assert_eq!(made["default_release_channel"], "Latest");
    let id = made["id"].as_i64().unwrap();
    let path = format!("/v2/integrations/{id}");
    let tenant = client.tenant(id, "acme").await;
    let tenant = client
        .get(&format!("/v2/tenants/{tenant}"))
        .await
        .expect(200);
    let auth = json!({"connected": false, "connectors": [
        {"name": "slack", "status": "Disconnected", "last_change": null},
    ]});
    assert_eq!(tenant["status"]["auth"], auth);
    let named = format!("/v2/tenants/{}", tenant["id"]);
    for (name, shown) in [("Anna", json!("Anna")), ("", Value::Null)] {
        let changed = client.patch(&named, json!({"user_name": name})).await;
        assert_eq!(changed.expect(200)["user_name"], shown);
    }
    let changed = client
        .patch(&path, json!({"repository_path": "c"}))
        .await
        .expect(200);
    assert_eq!(changed["repository_paths"], json!(["c"]));
    let gone = client
        .delete(&format!("{path}?cascade=true"))
        .await
        .expect(200);
    assert_eq!(gone["archived"], true);
    let found = client.get("/v2/integrations?archived=1").await.expect(200);
    assert_eq!(found, json!([gone]));
}

#[tokio::test]
async fn all_settings_of_a_tenant_together_have_a_limit() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}");
    let settings = |names: std::ops::Range<i32>| -> Value {
        let value = Value::from("x".repeat(90_000));
        names.map(|n| (format!("s{n}"), value.clone())).collect()
    };
    let body = json!({"configs": settings(0..11)});
    client.patch(&path, body).await.expect(200);
    let body = json!({"configs": settings(11..12)});
    let fault = &client.patch(&path, body).await.expect(422)["detail"][0];
    assert_eq!(fault["loc"], json!(["body", "configs"]));
    let message = fault["msg"].as_str().unwrap();
    for size in ["1080099 bytes", "1048576"] {
        assert!(message.contains(size), "{message}");
    }
    let body = json!({"name": "b", "integration_id": 1, "configs": settings(0..12)});
    client.post("/v2/tenants", body).await.expect(422);
    let shown = client.get(&path).await.expect(200);
    assert_eq!(shown["configs"].as_object().unwrap().len(), 11);
}

#[tokio::test]
async fn settings_older_than_a_limit_stand_in_the_way_of_nothing_else() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}");
    let large = Value::from("x".repeat(100_000));
    let old = (0..12).map(|n| (format!("s{n}"), large.clone())).collect();
    client.inside.set_configs(tenant, old).await;
    let changed = client.patch(&path, json!({"paused": false})).await;
    assert_eq!(changed.expect(200)["paused"], false);
    let same = json!({"configs": {"s1": large}, "name": "other"});
    client.patch(&path, same).await.expect(200);
    // Fewer are welcome even while they are too many; more, or a larger one, are not.
    let body = json!({"configs": {"s0": null}});
    let fewer = client.patch(&path, body).await.expect(200);
    assert_eq!(fewer["configs"].as_object().unwrap().len(), 11);
    for wrong in [json!({"new": 1}), json!({"s1": "y".repeat(100_001)})] {
        let answer = client.patch(&path, json!({"configs": wrong})).await;
        let faults = answer.expect(422)["detail"].as_array().unwrap().clone();
        let together = |fault: &Value| fault["loc"] == json!(["body", "configs"]);
        assert!(faults.iter().any(together), "{faults:?}");
    }
}
