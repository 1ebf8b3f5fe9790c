//! One act over many tenants.

use http::Method;
use marquetry_testkit::both_databases;
use serde_json::{Value, json};

use crate::client::Client;

/// Integration 1 with a release and the tenants 1 to 3, integration 2 with the tenant 4.
async fn customers(client: &Client) {
    for name in ["shop", "crm"] {
        let integration = client.integration(name).await;
        client.inside.release(integration, "v1").await;
    }
    for (name, integration) in [("a", 1), ("b", 1), ("c", 1), ("d", 2)] {
        let body = json!({"name": name, "integration_id": integration, "paused": false});
        client.post("/v2/tenants", body).await.expect(200);
    }
}

async fn bulk(client: &Client, body: Value) -> Vec<(i64, bool, String)> {
    let answer = client.post("/v2/bulk", body).await.expect(200);
    let items = answer["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            let message = item["message"].as_str().unwrap().to_owned();
            (item["id"].as_i64().unwrap(), item["ok"] == true, message)
        })
        .collect()
}

fn ids(items: &[(i64, bool, String)]) -> Vec<(i64, bool)> {
    items.iter().map(|(id, ok, _)| (*id, *ok)).collect()
}

both_databases! {
    async fn each_act_reaches_those_that_fit(database) {
        let client = Client::served(database).await;
        customers(&client).await;
        let of_shop = json!({"integration_id": 1});
        let tried = bulk(&client, json!({"action": "pause", "filter": of_shop, "dry_run": true})).await;
        assert_eq!(ids(&tried), [(1, true), (2, true), (3, true)]);
        assert_eq!(client.get("/v2/tenants/1").await.expect(200)["paused"], false, "only tried");
        bulk(&client, json!({"action": "pause", "filter": {"ids": [1, 4, 99]}})).await;
        let paused = bulk(&client, json!({"action": "sync", "filter": {"paused": true}, "dry_run": true})).await;
        assert_eq!(ids(&paused), [(1, true), (4, true)]);
        bulk(&client, json!({"action": "resume", "filter": {}})).await;
        assert_eq!(client.get("/v2/tenants/4").await.expect(200)["paused"], false);
        let synced = bulk(&client, json!({"action": "sync", "mode": "init", "filter": of_shop})).await;
        assert_eq!(synced[0], (1, true, "trigger 1 was accepted".to_owned()));
        let (run, _) = client.inside.take_run().await;
        assert_eq!(run.mode.as_str(), "init");
        let archived = bulk(&client, json!({"action": "archive", "filter": {"ids": [2]}})).await;
        assert_eq!(ids(&archived), [(2, true)]);
        assert_eq!(client.get("/v2/tenants/2").await.expect(200)["archived"], true);
        assert_eq!(ids(&bulk(&client, json!({"action": "pause", "filter": of_shop})).await), [(1, true), (3, true)]);
    }
}

both_databases! {
    async fn what_fails_for_one_stops_no_other(database) {
        let client = Client::served(database).await;
        customers(&client).await;
        client.patch("/v2/integrations/1", json!({"paused": true})).await.expect(200);
        for dry_run in [true, false] {
            let asked = json!({"action": "sync", "filter": {}, "dry_run": dry_run});
            let synced = bulk(&client, asked).await;
            assert_eq!(ids(&synced), [(1, false), (2, false), (3, false), (4, true)]);
            assert!(synced[0].2.contains("integration shop is paused"), "{synced:?}");
        }
        let asked = json!({"action": "release", "filter": {}, "integration_release_id": 1});
        let released = bulk(&client, asked).await;
        assert_eq!(ids(&released), [(1, true), (2, true), (3, true), (4, false)], "{released:?}");
        assert_eq!(released[0].2, "runs release 1");
        assert_eq!(client.get("/v2/tenants/1").await.expect(200)["integration_release_id"], 1);
        let asked = json!({"action": "release", "filter": {"integration_release_id": 1}, "integration_release_channel": "Latest"});
        assert_eq!(ids(&bulk(&client, asked).await), [(1, true), (2, true), (3, true)]);
    }
}

both_databases! {
    async fn a_tenant_that_is_named_and_does_not_fit_is_told_of(database) {
        let client = Client::served(database).await;
        customers(&client).await;
        client.delete("/v2/tenants/2").await.expect(200);
        for dry_run in [true, false] {
            let filter = json!({"ids": [999, 4, 2, 1, 999], "integration_id": 1});
            let paused = bulk(&client, json!({"action": "pause", "filter": filter, "dry_run": dry_run})).await;
            assert_eq!(ids(&paused), [(1, true), (2, false), (4, false), (999, false)]);
            let messages: Vec<&str> = paused[1..].iter().map(|item| item.2.as_str()).collect();
            assert_eq!(messages, ["tenant 2 was not found", "tenant 4 does not fit the filter", "tenant 999 was not found"]);
        }
        assert_eq!(client.get("/v2/tenants/4").await.expect(200)["paused"], false);
        let many: Vec<i64> = (1..=10_001).collect();
        let refused = client.post("/v2/bulk", json!({"action": "pause", "filter": {"ids": many}})).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"][1], "filter");
    }
}

both_databases! {
    async fn a_release_says_which_settings_it_breaks(database) {
        let client = Client::served(database).await;
        let integration = client.integration("shop").await;
        client.inside.release(integration, "v1").await;
        let body = json!({"name": "a", "integration_id": 1, "integration_release_id": 1, "configs": {"size": "large"}});
        client.post("/v2/tenants", body).await.expect(200);
        let form = json!({"schema": {"type": "object", "properties": {"size": {"type": "integer"}}}});
        client.inside.release_with_form(integration, "v2", Some(form), None).await;
        let asked = json!({"action": "release", "filter": {}, "integration_release_id": 2, "dry_run": true});
        let tried = bulk(&client, asked).await;
        assert_eq!(tried, [(1, true, "would do: runs release 2; these settings do not fit: size".to_owned())]);
        assert_eq!(client.get("/v2/tenants/1").await.expect(200)["integration_release_id"], 1);
    }
}

both_databases! {
    async fn a_repetition_is_answered_and_not_done_again(database) {
        let client = Client::served(database).await;
        customers(&client).await;
        let send = async || {
            let request = client.request(Method::POST, "/v2/bulk").header("Idempotency-Key", "once");
            let body = json!({"action": "sync", "filter": {"ids": [1]}}).to_string();
            client.send(request.body(body.into()).unwrap()).await
        };
        let first = send().await.expect(200);
        let again = send().await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(200), first);
        client.get("/v2/runs/triggers/2/status").await.expect(404);
        let waiting = client.get("/v2/tenants/1/explain").await.expect(200).to_string();
        assert!(waiting.contains("trigger 1 waits") && !waiting.contains("trigger 2"), "{waiting}");
    }
}

#[tokio::test]
async fn nonsense_is_refused_before_anything_is_done() {
    let client = Client::new().await;
    customers(&client).await;
    for (wrong, place) in [
        (json!({"action": "explode", "filter": {}}), "action"),
        (json!({"action": "pause"}), "filter"),
        (
            json!({"action": "pause", "filter": {"name": "a"}}),
            "filter",
        ),
        (
            json!({"action": "pause", "filter": {"ids": "all"}}),
            "filter",
        ),
        (
            json!({"action": "pause", "filter": {}, "mode": "init"}),
            "mode",
        ),
        (
            json!({"action": "sync", "filter": {}, "mode": "webhook"}),
            "mode",
        ),
        (
            json!({"action": "release", "filter": {}}),
            "integration_release_id",
        ),
        (
            json!({"action": "release", "filter": {}, "integration_release_id": 1, "integration_release_channel": "Latest"}),
            "integration_release_id",
        ),
        (
            json!({"action": "pause", "filter": {}, "integration_release_channel": "Latest"}),
            "integration_release_channel",
        ),
        (
            json!({"action": "pause", "filter": {}, "force": true}),
            "force",
        ),
    ] {
        let answer = client.post("/v2/bulk", wrong.clone()).await.expect(422);
        assert_eq!(answer["detail"][0]["loc"][1], place, "{wrong}: {answer}");
    }
    for tenant in 1..=4 {
        let found = client
            .get(&format!("/v2/tenants/{tenant}"))
            .await
            .expect(200);
        assert_eq!(found["paused"], false);
    }
}
