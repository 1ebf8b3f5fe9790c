//! Why a tenant ran, waits, or did not run.

use std::time::Duration;

use marquetry_model::Clock as _;
use marquetry_testkit::both_databases;
use serde_json::{Value, json};

use crate::client::Client;

const MINUTE: Duration = Duration::from_secs(60);

/// The sentences about tenant 1, newest first.
async fn texts(client: &Client, query: &str) -> Vec<String> {
    let path = format!("/v2/tenants/1/explain{query}");
    let found = client.get(&path).await.expect(200);
    let sentences = found["sentences"].as_array().unwrap().iter();
    sentences
        .map(|sentence| sentence["text"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn has(texts: &[String], wanted: &str) {
    let found = texts.iter().any(|text| text.contains(wanted));
    assert!(found, "{wanted:?} is not in {texts:#?}");
}

/// Integration 1 with a release, and its tenant 1.
async fn acme(client: &Client) {
    let integration = client.integration("shop").await;
    client.inside.release(integration, "v1").await;
    tenant(client, "acme", json!({})).await;
}

async fn tenant(client: &Client, name: &str, more: Value) -> i64 {
    let mut body = json!({"name": name, "integration_id": 1});
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        body[key] = value;
    }
    client.post("/v2/tenants", body).await.expect(200)["id"]
        .as_i64()
        .unwrap()
}

async fn sync(client: &Client, mode: &str) -> i64 {
    let path = format!("/v2/tenants/1/sync?mode={mode}");
    let made = client.post(&path, json!({})).await.expect(202);
    made["trigger_id"].as_str().unwrap().parse().unwrap()
}

both_databases! {
    async fn what_waits_says_for_what_and_what_ran_says_why(database) {
        let client = Client::served(database).await;
        acme(&client).await;
        let seen = texts(&client, "").await;
        assert_eq!(seen, ["nothing waits and nothing runs", "the tenant has no schedule"]);
        sync(&client, "normal").await;
        has(&texts(&client, "").await, "trigger 1 waits: for a place on a node");
        let (run, claim) = client.inside.take_run().await;
        has(&texts(&client, "").await, "run 1 is live and nothing waits for its end");
        sync(&client, "normal").await;
        sync(&client, "normal").await;
        sync(&client, "init").await;
        let seen = texts(&client, "").await;
        has(&seen, "3 triggers wait (2 to 4): run 1 of the tenant is live");
        has(&seen, "run 1 took trigger 1 in mode normal; nothing else waited");
        has(&seen, "trigger 1 (api, normal) was accepted");
        client.inside.clock.advance(MINUTE);
        client.inside.end_run(&run, &claim, "{}").await;
        let (run, claim) = client.inside.take_run().await;
        client.inside.end_run(&run, &claim, "{}").await;
        let seen = texts(&client, "").await;
        has(&seen, "run 2 took 2 triggers (2 to 3) in mode normal; it ends before trigger 4, because init is not mixed");
        has(&seen, "trigger 2 (api, normal) was accepted; it waited 1 min 0 s: run 1 of the tenant was live until");
        has(&seen, "run 1 ended as Succeeded after 1 min 0 s");
        let about = texts(&client, "?trigger_id=2").await;
        assert_eq!(about.len(), 3, "{about:#?}");
        has(&about, "run 2 took 2 triggers");
        has(&texts(&client, "?trigger_id=4").await, "trigger 4 waits: for a place");
        let one = client.get("/v2/tenants/1/explain?limit=1").await.expect(200);
        assert_eq!(one["sentences"].as_array().unwrap().len(), 1);
        let first = &one["sentences"][0];
        assert_eq!((&first["trigger_id"], &first["run_id"]), (&json!(4), &Value::Null));
        client.post("/v2/runs/triggers/4/cancel", json!({})).await.expect(200);
        has(&texts(&client, "").await, "trigger 4 was cancelled before a run took it");
        has(&texts(&client, "?trigger_id=4").await, "trigger 4 was cancelled");
    }
}

both_databases! {
    async fn refusals_are_told(database) {
        let client = Client::served(database).await;
        client.integration("shop").await;
        tenant(&client, "acme", json!({})).await;
        for _ in 0..3 {
            client.post("/v2/tenants/1/sync?mode=normal", json!({})).await.expect(422);
        }
        has(&texts(&client, "").await, "3 requests were refused: the integration has no release");
        client.inside.release(1, "v1").await;
        client.patch("/v2/integrations/1", json!({"paused": true})).await.expect(200);
        client.post("/v2/tenants/1/sync?mode=normal", json!({})).await.expect(422);
        has(&texts(&client, "").await, "1 request was refused: the integration is paused");
        client.patch("/v2/integrations/1", json!({"paused": false})).await.expect(200);
        sync(&client, "normal").await;
        let (run, claim) = client.inside.take_run().await;
        client.inside.end_run(&run, &claim, "{}").await;
        client.patch("/v2/integrations/1", json!({"paused": true})).await.expect(200);
        let again = client.post("/v2/runs/1/rerun", json!({})).await.expect(422);
        assert_eq!(again["detail"][0]["loc"], json!(["path", "run_id"]));
        has(&texts(&client, "").await, "2 requests were refused: the integration is paused");
    }
}

both_databases! {
    async fn what_is_held_says_by_what(database) {
        let client = Client::served(database).await;
        acme(&client).await;
        let schedule = json!({"user_schedule": "*/5 * * * *", "paused": false});
        client.patch("/v2/tenants/1", schedule).await.expect(200);
        has(&texts(&client, "").await, "(UTC) is due next at 2026-11-23T20:0");
        client.inside.clock.advance(5 * MINUTE);
        assert_eq!(client.inside.fire_schedules().await, 1);
        client.patch("/v2/tenants/1", json!({"paused": true})).await.expect(200);
        let seen = texts(&client, "").await;
        has(&seen, "trigger 1 waits: the tenant is paused, which holds what comes from schedules");
        has(&seen, "makes no ticks: the tenant is paused");
        assert!(client.inside.take_none().await);
        has(&texts(&client, "").await, "what waits was held: the tenant is paused");
        client.patch("/v2/integrations/1", json!({"paused": true})).await.expect(200);
        has(&texts(&client, "").await, "trigger 1 waits: integration shop is paused; resume it with PATCH");
        client.patch("/v2/tenants/1", json!({"paused": false})).await.expect(200);
        let seen = texts(&client, "").await;
        has(&seen, "the tenant was paused: its schedule stood still");
        has(&seen, "the tenant was resumed: its schedule goes on; ticks while it was paused were passed over");
        for _ in 0..3 {
            client.inside.clock.advance(5 * MINUTE);
            assert_eq!(client.inside.fire_schedules().await, 0);
        }
        let seen = texts(&client, "").await;
        has(&seen, "3 ticks were passed over (since 2026-11-23T20:");
        has(&seen, ": the integration is paused");
        has(&seen, "passes without runs: the integration is paused");
    }
}

both_databases! {
    async fn a_tenant_without_a_schedule_is_told_of_none(database) {
        let client = Client::served(database).await;
        acme(&client).await;
        for paused in [false, true, false] {
            client.patch("/v2/tenants/1", json!({"paused": paused})).await.expect(200);
        }
        let seen = texts(&client, "").await;
        for said in ["the tenant was paused", "the tenant was resumed"] {
            assert!(seen.iter().any(|text| text == said), "{seen:?}");
        }
    }
}

both_databases! {
    async fn a_webhook_at_a_paused_integration_is_kept(database) {
        let client = Client::served(database).await;
        acme(&client).await;
        client.patch("/v2/tenants/1", json!({"paused": false})).await.expect(200);
        client.patch("/v2/integrations/1", json!({"paused": true})).await.expect(200);
        client.inside.webhook(1, b"small".to_vec()).await;
        client.inside.webhook(1, vec![b'x'; 100_000]).await;
        has(&texts(&client, "").await, "2 triggers wait (1 to 2): integration shop is paused");
        assert!(client.inside.take_none().await);
        client.inside.clock.advance(5 * MINUTE);
        client.patch("/v2/integrations/1", json!({"paused": false})).await.expect(200);
        let (run, claim) = client.inside.take_run().await;
        client.inside.end_run(&run, &claim, "{}").await;
        let seen = texts(&client, "").await;
        has(&seen, "run 1 took 2 triggers (1 to 2) in mode webhook");
        for query in ["", "?trigger_id=1"] {
            let why = "it waited 5 min 0 s: for its turn and a place on a node; meanwhile it was held: the integration was paused";
            has(&texts(&client, query).await, why);
        }
        assert!(!seen.iter().any(|text| text.contains("refused")), "{seen:?}");
    }
}

both_databases! {
    async fn what_no_node_would_execute_says_so(database) {
        let client = Client::served(database).await;
        acme(&client).await;
        sync(&client, "normal").await;
        has(&texts(&client, "").await, "trigger 1 waits: for a place on a node");
        client.inside.node_was_seen("door").await;
        has(&texts(&client, "").await, "trigger 1 waits: for a node: none executes runs; see marquetry nodes");
    }
}

both_databases! {
    async fn missed_ticks_are_told(database) {
        let client = Client::served(database).await;
        acme(&client).await;
        client.patch("/v2/integrations/1", json!({"schedule_randomization": "off"})).await.expect(200);
        let schedule = json!({"user_schedule": "*/5 * * * *", "paused": false});
        client.patch("/v2/tenants/1", schedule).await.expect(200);
        // The ticks of 20:05, :10, :15 and :20 are due at once, and all of them late.
        client.inside.clock.advance(22 * MINUTE);
        assert_eq!(client.inside.fire_schedules().await, 1, "once for all of them");
        has(&texts(&client, "").await, "4 ticks were missed while no server looked (since 2026-11-23T20:05:00.000Z): the schedule is due once");
        client.patch("/v2/integrations/1", json!({"missed": "skip"})).await.expect(200);
        client.inside.clock.advance(15 * MINUTE);
        assert_eq!(client.inside.fire_schedules().await, 0);
        has(&texts(&client, "").await, "3 ticks were missed while no server looked (since 2026-11-23T20:25:00.000Z): skipped (missed: skip)");
        client.inside.clock.advance(3 * MINUTE);
        assert_eq!(client.inside.fire_schedules().await, 1, "the next one that is in time");
        assert_eq!(client.inside.clock.now().to_string(), "2026-11-23T20:40:00.000Z");
    }
}

both_databases! {
    async fn a_limit_of_the_integration_is_told_and_kept(database) {
        let client = Client::served(database).await;
        acme(&client).await;
        tenant(&client, "other", json!({})).await;
        client.patch("/v2/integrations/1", json!({"concurrency_limit": 1})).await.expect(200);
        for tenant in [2, 1] {
            client.inside.clock.advance(MINUTE);
            let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
            client.post(&path, json!({})).await.expect(202);
        }
        let (run, claim) = client.inside.take_run().await;
        assert_eq!(run.tenant_id.get(), 2);
        assert!(client.inside.take_none().await, "one at a time");
        has(&texts(&client, "").await, "trigger 2 waits: integration shop has 1 run live, and its concurrency_limit is 1");
        client.inside.end_run(&run, &claim, "{}").await;
        let (run, _) = client.inside.take_run().await;
        assert_eq!(run.tenant_id.get(), 1);
        for wrong in [json!(0), json!("many"), json!(10_001)] {
            client.patch("/v2/integrations/1", json!({"concurrency_limit": wrong})).await.expect(422);
        }
        let cleared = client.patch("/v2/integrations/1", json!({"concurrency_limit": null})).await.expect(200);
        assert_eq!(cleared["concurrency_limit"], Value::Null);
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_explained() {
    let client = Client::new().await;
    acme(&client).await;
    tenant(&client, "other", json!({})).await;
    sync(&client, "normal").await;
    client.get("/v2/tenants/9/explain").await.expect(404);
    client
        .get("/v2/tenants/1/explain?trigger_id=9")
        .await
        .expect(404);
    client
        .get("/v2/tenants/2/explain?trigger_id=1")
        .await
        .expect(404);
    client
        .get("/v2/tenants/1/explain?limit=-1")
        .await
        .expect(422);
    client.delete("/v2/tenants/1").await.expect(200);
    has(
        &texts(&client, "").await,
        "the tenant is archived: nothing of it runs any more",
    );
}

both_databases! {
    async fn a_window_is_the_first_trigger_s_and_ends_with_the_setting(database) {
        let client = Client::served(database).await;
        acme(&client).await;
        client.patch("/v2/integrations/1", json!({"debounce_ms": 600_000})).await.expect(200);
        for _ in 0..3 {
            sync(&client, "normal").await;
            client.inside.clock.advance(MINUTE);
        }
        assert!(client.inside.take_none().await);
        let seen = texts(&client, "").await;
        has(&seen, "3 triggers wait (1 to 3): until 2026-11-23T20:10:00.000Z for more");
        client.patch("/v2/integrations/1", json!({"debounce_ms": 0})).await.expect(200);
        let (run, _) = client.inside.take_run().await;
        assert_eq!(run.id.get(), 1, "nothing to wait for is left");
    }
}

both_databases! {
    async fn what_was_missed_and_what_stands_against_it_now_are_two_things(database) {
        let client = Client::served(database).await;
        acme(&client).await;
        let schedule = json!({"user_schedule": "* * * * *", "paused": false});
        client.patch("/v2/tenants/1", schedule).await.expect(200);
        client.inside.clock.advance(60 * 24 * MINUTE);
        client.patch("/v2/integrations/1", json!({"paused": true})).await.expect(200);
        assert_eq!(client.inside.fire_schedules().await, 0);
        let seen = texts(&client, "").await;
        has(&seen, "at least 100 ticks were missed while no server looked (since 2026-11-23T20:01:00.000Z)");
        has(&seen, "1 tick was passed over: the integration is paused");
    }
}
