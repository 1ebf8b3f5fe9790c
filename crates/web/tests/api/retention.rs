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
    async fn a_run_is_repeated_while_the_body_of_its_webhook_is_kept(database) {
        let client = Client::served(database).await;
        acme(&client).await;
        client.patch("/v2/tenants/1", json!({"paused": false})).await.expect(200);
        let inside = &client.inside;
        let shown = async || {
            let (job, claim) = inside.take_job().await;
            inside.end_run(&job.run, &claim, "{}").await;
            let body = job.triggers[0].payload.as_deref();
            body.map(|body| String::from_utf8(body.to_vec()).unwrap())
        };
        inside.webhook(1, b"by a webhook".to_vec()).await;
        assert_eq!(shown().await.as_deref(), Some("by a webhook"));
        inside.clock.advance(13 * DAY);
        inside.retain().await;
        client.post("/v2/runs/1/rerun", json!({})).await.expect(202);
        inside.clock.advance(2 * DAY);
        inside.retain().await;
        assert_eq!(shown().await.as_deref(), Some("by a webhook"), "asked for in time");
        inside.clock.advance(DAY);
        inside.retain().await;
        for run in [1, 2] {
            let refused = client.post(&format!("/v2/runs/{run}/rerun"), json!({})).await.expect(409);
            let message = "trigger 1 of run 1 is a webhook whose body was kept for 14 days; to run \
                           it again, send the body to POST /v2/tenants/1/sync";
            assert_eq!(refused, json!({"message": message}));
        }
        let now = client.get("/v2/tenants/1/explain").await.expect(200);
        assert_eq!(now["sentences"][0]["text"], "nothing waits and nothing runs");
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

/// A release of integration 1 with this artifact; its id.
async fn build(client: &Client, tag: &str, artifact: &str) -> i64 {
    let wanted = json!({"integration_id": 1, "tag": tag});
    let made = client.post("/v2/sourcecontrol/build", wanted).await;
    let build = made.expect(201)["id"].clone();
    let inside = &client.inside;
    let claim = inside.take_build().await;
    let artifact = inside.put_artifact(artifact.as_bytes().to_vec()).await;
    inside.end_build_of(&claim, 1, tag, artifact).await;
    let built = client.get(&format!("/v2/builds/{build}")).await.expect(200);
    built["release_ids"][0].as_i64().unwrap()
}

/// Lets days pass, in which a node looks after what is kept once a day; its blobs are as old as they are.
async fn pass(client: &Client, days: u32) {
    for _ in 0..days {
        client.inside.age_blobs();
        client.inside.clock.advance(DAY);
        client.inside.retain().await;
    }
}

/// The releases of integration 1 whose artifact is gone.
async fn gone(client: &Client) -> Vec<i64> {
    let all = client.get("/v2/integrations/1/releases").await.expect(200);
    let gone = all.as_array().unwrap().iter();
    let gone = gone.filter(|release| !release["artifact_removed_date"].is_null());
    gone.map(|release| release["id"].as_i64().unwrap())
        .collect()
}

fn artifacts(client: &Client) -> u64 {
    client.inside.blobs()["artifact"].count
}

both_databases! {
    async fn what_nothing_uses_for_a_year_loses_its_artifact_and_nothing_else_does(database) {
        let client = Client::served(database).await;
        client.integration("shop").await;
        let mut ids = Vec::new();
        for (tag, artifact) in [
            ("unused", "a"), ("pinned", "b"), ("default", "c"), ("shared", "d"), ("latest", "d"),
        ] {
            ids.push(build(&client, tag, artifact).await);
        }
        let [unused, pinned, default, shared, latest] = ids[..] else { panic!() };
        for (name, release) in [("acme", unused), ("bolt", pinned)] {
            let body = json!({"name": name, "integration_id": 1, "integration_release_id": release});
            client.post("/v2/tenants", body).await.expect(200);
        }
        run(&client, json!({}), "{}").await;
        let follow = json!({"integration_release_channel": "Default"});
        client.patch("/v2/tenants/1", follow).await.expect(200);
        let body = json!({"release_id": default});
        client.patch("/v2/integrations/1/releases/default", body).await.expect(200);
        pass(&client, 1).await;
        client.inside.clock.advance(364 * DAY);
        client.inside.retain().await;
        assert_eq!((gone(&client).await, artifacts(&client)), (vec![], 4));
        pass(&client, 2).await;
        assert_eq!((gone(&client).await, artifacts(&client)), (vec![unused, shared], 4), "bytes stay a day");
        pass(&client, 2).await;
        assert_eq!(artifacts(&client), 3, "the latest release has the same as the shared one");
        for (tenant, release) in [(1, default), (2, pinned)] {
            let now = client.get(&format!("/v2/tenants/{tenant}/integration_release")).await.expect(200);
            assert_eq!(now["id"], release);
            let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
            client.post(&path, json!({})).await.expect(202);
            let (run, claim) = client.inside.take_run().await;
            assert_eq!(run.release_id.get(), release);
            client.inside.end_run(&run, &claim, "{}").await;
        }
        let body = json!({"integration_release_channel": "Latest"});
        client.patch("/v2/tenants/2", body).await.expect(200);
        // As before, so that others can go back to it.
        let body = json!({"integration_release_id": pinned});
        client.patch("/v2/tenants/2", body).await.expect(200);
        assert_eq!(client.get("/v2/integrations/1/releases/latest").await.expect(200)["id"], latest);
    }
}

both_databases! {
    async fn who_wants_a_release_without_its_artifact_is_told_what_to_do(database) {
        let client = Client::served(database).await;
        client.integration("shop").await;
        let old = build(&client, "old", "a").await;
        let body = json!({"name": "acme", "integration_id": 1, "integration_release_id": old});
        client.post("/v2/tenants", body).await.expect(200);
        let first = run(&client, json!({}), "{}").await;
        let follow = json!({"integration_release_channel": "Latest"});
        client.patch("/v2/tenants/1", follow).await.expect(200);
        build(&client, "new", "b").await;
        pass(&client, 1).await;
        client.inside.clock.advance(364 * DAY);
        pass(&client, 4).await;
        assert_eq!((gone(&client).await, artifacts(&client)), (vec![old], 1));

        let said = client.get(&format!("/v2/integrations/1/releases/{old}")).await.expect(200);
        let removed = said["artifact_removed_date"].as_str().unwrap();
        let why = format!(
            "release {old} cannot be run any more: its artifact was removed at {removed}, when nothing \
             had used it for long; build commit {} again (POST /v2/sourcecontrol/build) and choose the \
             release that this makes", "0".repeat(40)
        );
        let refused = |answer: Value, field: &str, why: &str| {
            let fault = &answer["detail"][0];
            assert_eq!(fault["loc"], json!(["body", field]));
            assert_eq!(fault["msg"], format!("Value error, {why}"));
        };
        let field = "integration_release_id";
        let body = json!({"name": "bolt", "integration_id": 1, "integration_release_id": old});
        refused(client.post("/v2/tenants", body).await.expect(422), field, &why);
        let body = json!({"integration_release_id": old});
        refused(client.patch("/v2/tenants/1", body).await.expect(422), field, &why);
        let body = json!({"default_release_id": old});
        let answer = client.patch("/v2/integrations/1", body).await.expect(422);
        refused(answer, "default_release_id", &why);
        let body = json!({"release_id": old});
        let answer = client.patch("/v2/integrations/1/releases/default", body).await.expect(422);
        refused(answer, "release_id", &why);
        for dry_run in [true, false] {
            let body = json!({"action": "release", "integration_release_id": old, "filter": {}, "dry_run": dry_run});
            let answer = client.post("/v2/bulk", body).await.expect(200);
            assert_eq!(answer["items"][0]["ok"], false);
            assert!(answer["items"][0]["message"].as_str().unwrap().contains(&why), "{answer}");
        }
        let path = format!("/v2/runs/{first}/rerun");
        let answer = client.post(&path, json!({"release": "original"})).await.expect(422);
        let or = format!("{why}, or repeat the run with release current");
        refused(answer, "release", &or);
        client.post(&path, json!({"release": "current"})).await.expect(202);

        // The same content again is another release, and has its bytes.
        let again = build(&client, "again", "a").await;
        assert_eq!(artifacts(&client), 2);
        let body = json!({"integration_release_id": again});
        client.patch("/v2/tenants/1", body).await.expect(200);
        pass(&client, 2).await;
        assert_eq!((gone(&client).await, artifacts(&client)), (vec![old], 2));
    }
}

both_databases! {
    async fn a_use_begins_the_year_anew_and_an_archived_integration_has_none(database) {
        let client = Client::served(database).await;
        acme(&client).await;
        let first = build(&client, "first", "a").await;
        let second = build(&client, "second", "b").await;
        pass(&client, 1).await;
        client.inside.clock.advance(300 * DAY);
        for choice in [json!({"integration_release_id": first}), json!({"integration_release_channel": "Latest"})] {
            client.patch("/v2/tenants/1", choice).await.expect(200);
        }
        pass(&client, 1).await;
        client.inside.clock.advance(364 * DAY);
        pass(&client, 1).await;
        assert_eq!(gone(&client).await, [1], "the one of `acme`, which nobody chose");
        client.delete("/v2/integrations/1?cascade=true").await.expect(200);
        pass(&client, 1).await;
        assert_eq!(gone(&client).await, [1, first]);
        client.inside.clock.advance(364 * DAY);
        pass(&client, 1).await;
        assert_eq!(gone(&client).await, [1, first], "a year after it was archived");
        pass(&client, 3).await;
        assert_eq!((gone(&client).await, artifacts(&client)), (vec![1, first, second], 0));
    }
}
