//! The database goes away under a server that works, and comes back.

use std::time::Duration;

use marquetry_testkit::{Database, Scenario, TestServer, eventually, manifest};
use serde_json::{Value, json};

use crate::options;

/// How long a run takes.
const RUN: Duration = Duration::from_secs(3);

/// Whether the node of this server may do something again.
async fn is_well(server: &TestServer) -> Option<()> {
    (server.get("/readyz").await.status == 200).then_some(())
}

async fn sync(server: &TestServer, tenant: i64) -> Value {
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let made = server.post(&path, json!({})).await.expect(202);
    made["trigger_id"].clone()
}

#[tokio::test]
async fn what_was_accepted_before_an_outage_ends_after_it_and_what_is_refused_is_told_when() {
    if !Database::Postgres.is_wanted() {
        return;
    }
    let server = TestServer::start(options(Database::Postgres)).await;
    let files = [("PANDIUM.yaml", &*manifest("sleep 3; echo '{}'"))];
    let scenario = Scenario::new(&server, "shop", &files, json!({})).await;
    scenario.release("v1").await;
    let tenant = scenario.tenant("acme").await;
    let accepted = [sync(&server, tenant).await, sync(&server, tenant).await];
    let status = |trigger: &Value, wait: u32| {
        let trigger = trigger.as_str().unwrap();
        format!("/v2/runs/triggers/{trigger}/status?wait={wait}")
    };
    eventually("the run lives", async || {
        let seen = server.get(&status(&accepted[0], 0)).await;
        (seen.json()["status"] == "Running").then_some(())
    })
    .await;
    server.lose_database().await;
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    for answer in [
        server.post(&path, json!({})).await,
        server.get("/v2/tenants").await,
        server.get("/readyz").await,
    ] {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    }
    // The run ends while nobody can be told.
    tokio::time::sleep(RUN + Duration::from_secs(1)).await;
    server.give_database_back().await;
    eventually("it is well again", async || is_well(&server).await).await;
    let later = sync(&server, tenant).await;
    for trigger in accepted.iter().chain([&later]) {
        let ended = server.get(&status(trigger, 30)).await.expect(200);
        assert_eq!(ended["status"], "Succeeded", "{trigger}");
    }
    let runs = server
        .get(&format!("/v2/tenants/{tenant}/runs"))
        .await
        .expect(200);
    let taken = runs
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["triggers"].as_array().unwrap().len());
    assert_eq!(taken.sum::<usize>(), 3, "each in one run: {runs}");
}
