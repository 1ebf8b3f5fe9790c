//! Several nodes on one PostgreSQL: what happens on one is noticed by the others.

use std::time::{Duration, Instant};

use marquetry_testkit::{Database, Scenario, TestServer, both_databases, eventually, manifest};
use serde_json::{Value, json};

use crate::command_line::marquetry;
use crate::options;
use crate::wrong_clock::WrongClock;

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

/// The nodes by name, and what is said of each.
async fn nodes(server: &TestServer) -> Vec<Value> {
    let found = server.get("/v2/nodes").await.expect(200);
    found.as_array().unwrap().clone()
}

async fn statuses(server: &TestServer) -> Vec<String> {
    let found = nodes(server).await;
    found
        .iter()
        .map(|node| node["status"].as_str().unwrap().to_owned())
        .collect()
}

both_databases! {
    async fn a_node_is_listed_while_it_lives(database) {
        let mut server = TestServer::start(options(database).with("--run-slots=3")).await;
        let found = nodes(&server).await;
        let [node] = &found[..] else { panic!("{found:?}") };
        assert_eq!(node["status"], "Live");
        assert_eq!(node["roles"], json!(["api", "scheduler", "builder", "runner"]));
        assert_eq!(node["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!((&node["run_slots"], &node["live_runs"]), (&json!(3), &json!(0)));
        let apart = node["clock_difference_ms"].as_i64();
        assert_eq!(apart.is_some(), database == Database::Postgres);
        assert!(apart.is_none_or(|apart| apart.abs() < 2_000), "{apart:?} ms");
        let shown = marquetry(&server, &["nodes"]);
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(shown.contains("Live") && shown.contains("0/3"), "{shown}");
        // The same name after a kill, and one row.
        server.kill();
        server.restart();
        let again = nodes(&server).await;
        assert_eq!(again.len(), 1);
        assert_eq!(again[0]["name"], node["name"]);
        assert!(again[0]["started_date"].as_str() > node["started_date"].as_str());
    }
}

#[tokio::test]
async fn a_node_that_ends_says_so() {
    if !Database::Postgres.is_wanted() {
        return;
    }
    let door = TestServer::start(options(Database::Postgres).with("--roles=api,builder")).await;
    let files = [("PANDIUM.yaml", &*manifest("echo begun >&2; sleep 4"))];
    let scenario = Scenario::new(&door, "shop", &files, json!({})).await;
    scenario.release("v1").await;
    let tenant = scenario.tenant("acme").await;
    let mut runner =
        door.start_beside(options(Database::Postgres).with("--roles=scheduler,runner"));
    assert_eq!(statuses(&door).await, ["Live", "Live"]);
    let sync = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let trigger = door.post(&sync, json!({})).await.expect(202)["trigger_id"].clone();
    let path = format!("/v2/runs/triggers/{}/status", trigger.as_str().unwrap());
    eventually("the run lives", async || {
        (door.get(&path).await.json()["status"] == "Running").then_some(())
    })
    .await;
    let stopped = std::thread::spawn(move || runner.stop());
    eventually("it says that it will end", async || {
        let found = nodes(&door).await;
        let drains = found.len() == 2 && found[1]["status"] == "Draining";
        (drains && found[1]["live_runs"] == 1).then_some(())
    })
    .await;
    // What is live ends in peace.
    eventually("it has ended", async || {
        (nodes(&door).await.len() == 1).then_some(())
    })
    .await;
    assert!(stopped.join().unwrap().success());
    assert_eq!(door.get(&path).await.json()["status"], "Succeeded");
}

#[tokio::test]
async fn a_node_whose_clock_is_wrong_claims_nothing_until_it_is_right() {
    if !Database::Postgres.is_wanted() {
        return;
    }
    let mut right = TestServer::start(options(Database::Postgres)).await;
    let files = [("PANDIUM.yaml", &*manifest("echo done"))];
    let scenario = Scenario::new(&right, "shop", &files, json!({})).await;
    scenario.release("v1").await;
    let tenant = scenario.tenant("acme").await;
    let clock = WrongClock::new(-60);
    let wrong = right.start_beside(clock.options());
    assert_eq!(statuses(&right).await, ["Live", "WrongClock"]);
    let apart = nodes(&wrong).await[1]["clock_difference_ms"]
        .as_i64()
        .unwrap();
    assert!((-61_000..-59_000).contains(&apart), "{apart} ms");
    assert!(wrong.log().contains("claims nothing"), "{}", wrong.log());
    right.stop();
    let sync = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let trigger = wrong.post(&sync, json!({})).await.expect(202)["trigger_id"].clone();
    let path = format!("/v2/runs/triggers/{}/status", trigger.as_str().unwrap());
    // Time enough for a node that may.
    let waiting = wrong.get(&format!("{path}?wait=2")).await;
    assert_ne!(waiting.json()["status"], "Succeeded", "{waiting:?}");
    assert_eq!(wrong.get("/v2/runs").await.expect(200), json!([]));
    clock.set(0);
    eventually("the run has ended", async || {
        (wrong.get(&path).await.json()["status"] == "Succeeded").then_some(())
    })
    .await;
    assert_eq!(statuses(&wrong).await, ["Live"]);
}

#[tokio::test]
async fn a_clock_that_is_set_back_stops_a_node_with_much_to_do_and_not_what_it_does() {
    if !Database::Postgres.is_wanted() {
        return;
    }
    let clock = WrongClock::new(0);
    let server = TestServer::start(clock.options().with("--run-slots=1")).await;
    let files = [("PANDIUM.yaml", &*manifest("sleep 1"))];
    let scenario = Scenario::new(&server, "shop", &files, json!({})).await;
    scenario.release("v1").await;
    let mut last = Value::Null;
    for n in 0..60 {
        let tenant = scenario.tenant(&format!("acme-{n}")).await;
        let sync = format!("/v2/tenants/{tenant}/sync?mode=normal");
        last = server.post(&sync, json!({})).await.expect(202)["trigger_id"].clone();
    }
    clock.set(-60);
    // The next heartbeat of a live run compares it.
    eventually("it says that it claims nothing", async || {
        server.log().contains("claims nothing").then_some(())
    })
    .await;
    let live = async || {
        let found = server.get("/v2/runs?limit=500").await.expect(200);
        let found = found.as_array().unwrap().clone();
        let is_live = |run: &&Value| run["status"]["phase"] == "Running";
        (found.len(), found.iter().filter(is_live).count())
    };
    eventually("what lives has ended", async || {
        (live().await.1 == 0).then_some(())
    })
    .await;
    let (made, _) = live().await;
    assert!(made < 60, "{made} runs were made before anybody noticed");
    let path = format!("/v2/runs/triggers/{}/status", last.as_str().unwrap());
    // Twice as long as a run, and the next one is not made.
    server.get(&format!("{path}?wait=3")).await;
    assert_eq!(live().await, (made, 0));
    let found = server.get("/v2/runs?limit=500").await.expect(200);
    let good = found.as_array().unwrap().iter();
    assert!(
        good.clone()
            .all(|run| run["status"]["phase"] == "Succeeded"),
        "{found}"
    );
}
