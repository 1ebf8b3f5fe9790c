//! What is kept no longer is gone, and nothing else.

use std::path::Path;
use std::time::Duration;

use marquetry_testkit::both_databases;
use serde_json::{Value, json};

use crate::client::Client;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Integration 1 with a release, and its tenant 1.
async fn acme(client: &Client) {
    let integration = client.integration("shop").await;
    client.inside.release(integration, "v1").await;
    let body = json!({"name": "acme", "integration_id": integration});
    client.post("/v2/tenants", body).await.expect(200);
}

/// A run of tenant 1 with this payload, which succeeds.
async fn run(client: &Client, payload: Value, std_out: &str) -> i64 {
    client
        .post("/v2/tenants/1/sync?mode=normal", payload)
        .await
        .expect(202);
    let (run, claim) = client.inside.take_run().await;
    client.inside.run_log(&run, &claim, 1, b"a line\n").await;
    client.inside.end_run(&run, &claim, std_out).await;
    run.id.get()
}

fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type().unwrap() {
            kind if kind.is_dir() => files_below(&entry.path()),
            _ => 1,
        })
        .sum()
}

both_databases! {
    async fn runs_leave_after_ninety_days_but_the_last_ones(database) {
        let client = Client::served(database).await;
        acme(&client).await;
        let large = json!({"text": "x".repeat(20_000)});
        let first = run(&client, large, "{\"n\":1}").await;
        let second = run(&client, json!({}), "{\"n\":2}").await;
        let blobs = client.inside.folder.path().join("blobs");
        assert_eq!(files_below(&blobs), 1, "the large payload");
        client.inside.clock.advance(89 * DAY);
        client.inside.retain().await;
        client.get(&format!("/v2/runs/{first}")).await.expect(200);
        client.inside.clock.advance(2 * DAY);
        let removed = client.inside.retain().await;
        assert_eq!((removed.runs, removed.blobs), (1, 1));
        client.get(&format!("/v2/runs/{first}")).await.expect(404);
        client.get("/v2/runs/triggers/1/status").await.expect(404);
        assert_eq!(files_below(&blobs), 0);
        let kept = client.get(&format!("/v2/runs/{second}")).await.expect(200);
        assert_eq!(kept["std_out"], "{\"n\":2}");
        let tenant = client.get("/v2/tenants/1").await.expect(200);
        assert_eq!(tenant["status"]["last_successful_run"]["id"], json!(second));
        let link = client.get(&format!("/v2/runs/{second}/log")).await;
        let log = client.get(link.header("location")).await.text();
        assert_eq!(log, "a line\n");
        // The next run sees the last one's output, and makes it go.
        run(&client, json!({}), "{\"n\":3}").await;
        client.inside.clock.advance(DAY);
        assert_eq!(client.inside.retain().await.runs, 1);
        client.get(&format!("/v2/runs/{second}")).await.expect(404);
        let answer = client.post("/v2/runs/3/rerun", json!({})).await.expect(422);
        assert_eq!(answer["detail"][0]["loc"], json!(["body", "std_out"]));
        client.post("/v2/runs/3/rerun", json!({"std_out": "current"})).await.expect(202);
    }
}

both_databases! {
    async fn nodes_take_turns_within_the_hour(database) {
        let client = Client::served(database).await;
        acme(&client).await;
        run(&client, json!({}), "{}").await;
        run(&client, json!({}), "{}").await;
        client.inside.clock.advance(91 * DAY);
        assert_eq!(client.inside.retain().await.runs, 1);
        run(&client, json!({}), "{}").await;
        client.inside.clock.advance(Duration::from_secs(3599));
        assert_eq!(client.inside.retain().await.runs, 0, "looked through just now");
        client.inside.clock.advance(Duration::from_secs(1));
        assert_eq!(client.inside.retain().await.runs, 1);
    }
}

both_databases! {
    async fn months_of_use_leave_a_bounded_number_of_rows(database) {
        let client = Client::served(database).await;
        acme(&client).await;
        client.inside.release(1, "v2").await;
        let mut most = 0;
        for day in 0..120 {
            run(&client, json!({"day": day}), "{}").await;
            client.post("/v2/tenants/1/sync?mode=normal", json!({})).await.expect(202);
            let waiting = client.get("/v2/tenants/1/explain?limit=1").await.expect(200);
            let trigger = &waiting["sentences"][0]["trigger_id"];
            client.post(&format!("/v2/runs/triggers/{trigger}/cancel"), json!({})).await.expect(200);
            client.inside.clock.advance(DAY);
            client.inside.retain().await;
            let runs = client.get("/v2/runs?limit=500").await.expect(200);
            most = most.max(runs.as_array().unwrap().len());
        }
        assert_eq!(most, 90, "of 120");
        let sentences = client.get("/v2/tenants/1/explain?limit=500").await.expect(200);
        let texts = sentences["sentences"].to_string();
        assert_eq!(texts.matches("was cancelled before").count(), 90);
    }
}
