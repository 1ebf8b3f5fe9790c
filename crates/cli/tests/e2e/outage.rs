//! The database goes away under a server that works, and comes back.

use std::time::{Duration, Instant};

use std::sync::Arc;

use marquetry_testkit::{
    Answer, Database, Pair, PostgresDatabase, Scenario, TestServer, eventually, manifest, skipped,
    way,
};
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

/// How each run of these triggers ended.
async fn ends(server: &TestServer, triggers: &[Value]) -> Vec<String> {
    let mut ends = Vec::new();
    for trigger in triggers {
        let path = format!(
            "/v2/runs/triggers/{}/status?wait=60",
            trigger.as_str().unwrap()
        );
        let ended = server.get(&path).await.expect(200);
        ends.push(ended["status"].as_str().unwrap().to_owned());
    }
    ends
}

/// Where the next page is, if there is one.
fn next_page(answer: &Answer) -> Option<String> {
    let link = answer.headers.get("link")?.to_str().unwrap();
    let address = link.split(['<', '>']).nth(1)?;
    link.contains("rel=\"next\"")
        .then(|| address[address.find("/v2/").unwrap()..].to_owned())
}

/// How many triggers the runs of a tenant have, all of them together.
pub(crate) async fn taken(server: &TestServer, tenant: i64) -> usize {
    let mut all = 0;
    let mut path = format!("/v2/tenants/{tenant}/runs?limit=100");
    loop {
        let page = server.get(&path).await;
        let runs = page.expect(200);
        let runs = runs.as_array().unwrap();
        all += runs
            .iter()
            .map(|run| run["triggers"].as_array().unwrap().len())
            .sum::<usize>();
        let Some(next) = next_page(&page) else {
            return all;
        };
        path = next;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_and_nothing_that_was_accepted_is_lost() {
    if !Database::Postgres.is_wanted() {
        return;
    }
    let Some(mut pair) = Pair::start() else {
        return skipped("a failover: tools/postgres did not say where PostgreSQL's programs are");
    };
    let database = Arc::new(pair.database());
    let server = TestServer::start_on(options(Database::Postgres), database);
    let files = [("PANDIUM.yaml", &*manifest("sleep 3; echo '{}'"))];
    let scenario = Scenario::new(&server, "shop", &files, json!({})).await;
    scenario.release("v1").await;
    let tenants = [
        scenario.tenant("acme").await,
        scenario.tenant("other").await,
    ];
    let mut accepted = Vec::new();
    for _ in 0..5 {
        for tenant in tenants {
            accepted.push(sync(&server, tenant).await);
        }
    }
    eventually("a run lives", async || {
        let path = format!("/v2/tenants/{}/runs", tenants[0]);
        let runs = server.get(&path).await.json();
        (runs[0]["status"]["phase"] == "Running").then_some(())
    })
    .await;
    pair.lose_first();
    let path = format!("/v2/tenants/{}/sync?mode=normal", tenants[0]);
    let refused = server.post(&path, json!({})).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    pair.promote();
    eventually("it is well again", async || is_well(&server).await).await;
    accepted.push(sync(&server, tenants[0]).await);
    assert_eq!(ends(&server, &accepted).await, vec!["Succeeded"; 11]);
    assert_eq!(
        taken(&server, tenants[0]).await + taken(&server, tenants[1]).await,
        11
    );
}

/// Each question takes a twentieth of a second longer than it should.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_database_makes_everything_late_and_nothing_wrong() {
    if !Database::Postgres.is_wanted() {
        return;
    }
    let database = Arc::new(PostgresDatabase::create().await);
    let delay = Duration::from_millis(25);
    let way = way([127, 0, 0, 1].into(), database.socket(), delay);
    let server = TestServer::start_on(options(Database::Postgres).by_way(way), database);
    let files = [(
        "PANDIUM.yaml",
        &*manifest("echo seen >&2; sleep 1; echo '{}'"),
    )];
    let scenario = Scenario::new(&server, "shop", &files, json!({})).await;
    scenario.release("v1").await;
    let mut tenants = Vec::new();
    for name in ["a", "b", "c"] {
        tenants.push(scenario.tenant(name).await);
    }
    let began = Instant::now();
    let mut accepted = Vec::new();
    for _ in 0..4 {
        for tenant in &tenants {
            accepted.push(sync(&server, *tenant).await);
        }
    }
    assert!(began.elapsed() > 12 * delay, "it is slow");
    assert_eq!(ends(&server, &accepted).await, vec!["Succeeded"; 12]);
    let mut all = 0;
    for tenant in &tenants {
        all += taken(&server, *tenant).await;
    }
    assert_eq!(all, 12, "each in one run");
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}
