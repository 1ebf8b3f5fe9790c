//! From an integration to a run, as a client sees it.

use serde_json::{Value, json};

use crate::client::Client;

#[tokio::test]
async fn a_build_makes_a_release() {
    let client = Client::new().await;
    let integration = client.integration("shop").await;
    let wanted = json!({"tag": "v1", "integration_id": integration, "branch": "main"});
    let made = client
        .post("/v2/sourcecontrol/build?mode=normal", wanted)
        .await
        .expect(201);
    assert_eq!(
        made,
        json!({"id": 1, "status": "Pending", "tag": "v1", "integration_id": integration})
    );
    let claim = client.inside.take_build().await;
    let running = client.get("/v2/builds/1").await.expect(200);
    assert_eq!(running["status"], "Running");
    client.inside.end_build(&claim, integration, "v1").await;
    let build = client.get("/v2/builds?integration_id=1").await.expect(200);
    assert_eq!(build[0]["status"], "Succeeded");
    assert_eq!(build[0]["release_ids"], json!([1]));
    let release = client
        .get("/v2/integrations/1/releases/1")
        .await
        .expect(200);
    assert_eq!(release["name"], "inside-v1");
    assert_eq!(release["config_version"], "1.0");
    assert_eq!(release["run_command"], "true");
    for same in [
        "/v2/integrations/1/releases/latest",
        "/v2/integrations/1/releases/default",
    ] {
        assert_eq!(client.get(same).await.expect(200), release, "{same}");
    }
    let list = client.get("/v2/integrations/1/releases").await.expect(200);
    assert_eq!(list, json!([release]));
    let tenant = client.tenant(integration, "acme").await;
    for same in ["release", "integration_release"] {
        let path = format!("/v2/tenants/{tenant}/{same}");
        assert_eq!(client.get(&path).await.expect(200), release);
    }
}

#[tokio::test]
async fn the_default_release_can_be_fixed() {
    let client = Client::new().await;
    let integration = client.integration("shop").await;
    let first = client.inside.release(integration, "v1").await;
    client.inside.release(integration, "v2").await;
    let path = "/v2/integrations/1/releases/default";
    assert_eq!(client.get(path).await.expect(200)["tag"], "v2");
    let fixed = client
        .patch(path, json!({"release_id": first}))
        .await
        .expect(200);
    assert_eq!(fixed["default_release_id"], json!(first));
    assert_eq!(fixed["default_release_channel"], Value::Null);
    assert_eq!(client.get(path).await.expect(200)["tag"], "v1");
    // Without either there would be nothing to run.
    let none = json!({"default_release_id": null, "default_release_channel": null});
    for wish in [json!({"default_release_id": null}), none] {
        let newest = client.patch("/v2/integrations/1", wish).await.expect(200);
        assert_eq!(newest["default_release_id"], Value::Null);
        assert_eq!(newest["default_release_channel"], "Latest");
        assert_eq!(client.get(path).await.expect(200)["tag"], "v2");
        client
            .patch(path, json!({"release_id": first}))
            .await
            .expect(200);
    }
    for (wrong, field) in [
        (json!({}), "release_id"),
        (json!({"release_id": 99}), "release_id"),
        (
            json!({"release_id": first, "channel": "Latest"}),
            "release_id",
        ),
        (json!({"channel": "Default"}), "channel"),
        (json!({"colour": 1}), "colour"),
    ] {
        let fault = client.patch(path, wrong).await.expect(422);
        assert_eq!(fault["detail"][0]["loc"], json!(["body", field]));
        assert_eq!(fault["detail"].as_array().unwrap().len(), 1);
    }
    client
        .patch(path, json!({"channel": "Latest"}))
        .await
        .expect(200);
    assert_eq!(client.get(path).await.expect(200)["tag"], "v2");
}

#[tokio::test]
async fn a_sync_becomes_a_run() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let sync = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let made = client.post(&sync, json!({"order": 5})).await.expect(202);
    let trigger = made["trigger_id"].as_str().unwrap().to_owned();
    let status = format!("/v2/runs/triggers/{trigger}/status");
    client.get(&status).await.expect(404);
    let (run, claim) = client.inside.take_run().await;
    assert_eq!(
        client.get(&status).await.expect(200),
        json!({"status": "Running"})
    );
    let shown = client
        .get(&format!("/v2/tenants/{tenant}"))
        .await
        .expect(200);
    assert_eq!(shown["status"]["current_run"]["status"]["phase"], "Running");
    // The answer is held until the run ends.
    let waiting = format!("{status}?wait=60");
    let waiting = client.get(&waiting);
    let ending = client.inside.end_run(&run, &claim, "{\"n\":1}");
    let (waited, ()) = tokio::join!(waiting, ending);
    assert_eq!(waited.expect(200), json!({"status": "Succeeded"}));
    let shown = client.get("/v2/runs/1").await.expect(200);
    assert_eq!(
        shown,
        json!({
            "id": 1,
            "mode": "normal",
            "status": {
                "phase": "Succeeded",
                "startTime": "2026-11-23T20:00:00.000Z",
                "completionTime": "2026-11-23T20:00:00.000Z",
            },
            "triggers": [{
                "id": trigger.parse::<i64>().unwrap(),
                "created_date": "2026-11-23T20:00:00.000Z",
                "mode": "normal",
                "source": "api",
                "payload": {"order": 5},
            }],
            "started_date": "2026-11-23T20:00:00.000Z",
            "completed_date": "2026-11-23T20:00:00.000Z",
            "tenant_id": tenant,
            "integration_id": 1,
            "release_id": 1,
            "exit_code": 0,
            "std_out": "{\"n\":1}",
            "message": null,
            "rerun_of": null,
            "node": "node-of-the-test",
            "usage": {"cpu_ms": 0, "max_rss_bytes": 0, "log_bytes": 0},
        })
    );
    assert_eq!(
        client.get("/v2/runs/1/status").await.expect(200),
        shown["status"]
    );
    assert_eq!(
        client.get("/v2/runs/1/triggers").await.expect(200),
        shown["triggers"]
    );
    for list in [
        "/v2/runs?phase=Succeeded&mode=normal&source=api",
        "/v2/tenants/1/runs",
    ] {
        assert_eq!(client.get(list).await.expect(200), json!([shown]), "{list}");
    }
    for none in [
        "phase=Pending",
        "from=2030-01-01T00:00:00Z",
        "tenant_id=9",
        "source=cron",
    ] {
        assert_eq!(
            client.get(&format!("/v2/runs?{none}")).await.expect(200),
            json!([])
        );
    }
    let after = client
        .get(&format!("/v2/tenants/{tenant}"))
        .await
        .expect(200);
    assert_eq!(after["status"]["current_run"], json!({}));
    assert_eq!(after["status"]["last_successful_run"], shown);
    client
        .post("/v2/runs/1/cancel", Value::Null)
        .await
        .expect(409);
}
