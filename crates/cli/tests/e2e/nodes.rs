//! Several nodes on one PostgreSQL: what happens on one is noticed by the others.

use std::time::{Duration, Instant};

use marquetry_testkit::{Database, Scenario, TestServer, manifest};
use serde_json::{Value, json};

use crate::options;

/// Well below the 30 s after which a node looks by itself.
const PROMPT: Duration = Duration::from_secs(9);

#[tokio::test]
async fn a_trigger_and_a_wish_to_stop_reach_the_node_that_runs_it() {
    if !Database::Postgres.is_wanted() {
        return;
    }
    let runner = TestServer::start(options(Database::Postgres)).await;
    let files = [("PANDIUM.yaml", &*manifest("sleep 60 & wait"))];
    let scenario = Scenario::new(&runner, "shop", &files, json!({})).await;
    scenario.release("v1").await;
    let tenant = scenario.tenant("acme").await;
    let door = runner.start_beside(options(Database::Postgres).with("--roles=api"));
    // Both hear each other from here on, and rest.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let began = Instant::now();
    let sync = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let trigger = door.post(&sync, json!({})).await.expect(202)["trigger_id"].clone();
    let runs = format!("/v2/tenants/{tenant}/runs");
    let run = loop {
        let found = door.get(&runs).await.expect(200);
        if let Some(run) = found
            .get(0)
            .filter(|run| run["status"]["phase"] == "Running")
        {
            break run["id"].clone();
        }
        assert!(began.elapsed() < PROMPT, "no run in {PROMPT:?}: {found}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let began = Instant::now();
    door.post(&format!("/v2/runs/{run}/cancel"), Value::Null)
        .await
        .expect(200);
    let trigger = trigger.as_str().unwrap();
    let path = format!("/v2/runs/triggers/{trigger}/status?wait=30");
    assert_eq!(door.get(&path).await.expect(200)["status"], "Cancelled");
    assert!(
        began.elapsed() < PROMPT,
        "stopped after {:?}",
        began.elapsed()
    );
}
