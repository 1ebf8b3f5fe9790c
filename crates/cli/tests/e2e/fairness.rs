//! A flood of one integration, and who comes meanwhile.

use std::collections::BTreeSet;

use marquetry_testkit::{Scenario, TestServer, both_databases, eventually, manifest};
use serde_json::{Value, json};

use crate::bundling::all_at_once;
use crate::options;

/// Places of the node.
const SLOTS: usize = 2;
/// Tenants of the flood.
const TENANTS: usize = 20;
/// Triggers of the flood.
const TRIGGERS: usize = 10_000;

async fn scenario<'a>(server: &'a TestServer, name: &str) -> Scenario<'a> {
    let manifest = manifest("python3 main.py");
    let files = [
        ("PANDIUM.yaml", &*manifest),
        ("main.py", "import time\ntime.sleep(0.2)\nprint('{}')\n"),
    ];
    let scenario = Scenario::new(server, name, &files, json!({})).await;
    scenario.release("v1").await;
    scenario
}

/// Ten thousand triggers, in modes that are not mixed: thousands of runs, and few at once.
async fn flood(scenario: &Scenario<'_>) {
    let names = (0..TENANTS).map(|n| format!("t{n}"));
    let made = names.map(|name| async move { scenario.tenant(&name).await });
    all_at_once(made.collect()).await;
    let modes = ["normal", "init"].into_iter().cycle();
    let bulks = modes.take(TRIGGERS / TENANTS).map(|mode| {
        let of_it = json!({"integration_id": scenario.integration});
        let body = json!({"action": "sync", "mode": mode, "filter": of_it});
        async move {
            let answer = scenario.server.post("/v2/bulk", body).await.expect(200);
            let items = answer["items"].as_array().unwrap();
            items.iter().filter(|item| item["ok"] == true).count()
        }
    });
    let accepted: usize = all_at_once(bulks.collect()).await.into_iter().sum();
    assert_eq!(accepted, TRIGGERS);
}

/// A new tenant syncs. Answers the tenants of the runs that were made between the answer to that and its
/// own run, and how many of the flood's triggers were taken by then.
async fn newcomer(scenario: &Scenario<'_>, name: &str) -> (Vec<i64>, usize) {
    let server = scenario.server;
    let tenant = scenario.tenant(name).await;
    let trigger = scenario.sync(tenant).await;
    let newest = id(&server.get("/v2/runs?limit=1").await.expect(200)[0]);
    let own = id(&scenario.end(&trigger).await);
    let runs = server.get("/v2/runs?limit=500").await.expect(200);
    let runs = runs.as_array().unwrap();
    assert!(runs.len() < 500, "some are on another page");
    let before = runs
        .iter()
        .filter(|run| (newest + 1..own).contains(&id(run)));
    let before = before.map(|run| run["tenant_id"].as_i64().unwrap());
    let taken = runs
        .iter()
        .map(|run| run["triggers"].as_array().unwrap().len());
    (before.collect(), taken.sum())
}

fn id(run: &Value) -> i64 {
    run["id"].as_i64().unwrap()
}

both_databases! {
    async fn ten_thousand_triggers_of_one_integration_hold_up_nobody_else(database) {
        let options = options(database).with(&format!("--run-slots={SLOTS}"));
        let server = TestServer::start(options).await;
        let loud = scenario(&server, "loud").await;
        let calm = scenario(&server, "calm").await;
        flood(&loud).await;
        for n in 0..3 {
            let (before, taken) = newcomer(&calm, &format!("new-{n}")).await;
            // It has the next place that becomes free. What is in the middle of giving one away may
            // not have seen it.
            assert!(before.len() <= SLOTS, "{before:?}");
            assert!(taken < TRIGGERS / 2, "the flood is over: {taken}");
        }
        eventually("each tenant of the flood has run", || async {
            let runs = server.get("/v2/runs?limit=500").await.expect(200);
            let runs = runs.as_array().unwrap().iter();
            let ended = runs.filter(|run| run["status"]["phase"] == "Succeeded");
            let of_it = ended.filter(|run| run["integration_id"] == loud.integration);
            let ran: BTreeSet<i64> = of_it.map(|run| run["tenant_id"].as_i64().unwrap()).collect();
            (ran.len() == TENANTS).then_some(())
        })
        .await;
        // Within the integration, too, who never ran has the second place at the latest.
        for n in 0..3 {
            let (before, taken) = newcomer(&loud, &format!("new-{n}")).await;
            assert!(before.len() <= SLOTS + 1, "{before:?}");
            assert!(taken < TRIGGERS / 2, "the flood is over: {taken}");
        }
    }
}
