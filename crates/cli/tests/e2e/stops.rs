//! The server is stopped by its operator while a run goes on for longer than that is waited for, and nobody keeps it,
//! because it has no sandbox.

use marquetry_testkit::{Database, Scenario, TestServer, eventually, manifest};
use serde_json::{Value, json};

use crate::options;

/// The newest run of a tenant, when it is this one and live.
async fn live_run(server: &TestServer, tenant: i64, number: usize) -> Value {
    eventually("a run is live", || async {
        let path = format!("/v2/tenants/{tenant}/runs");
        let runs = server.get(&path).await.expect(200);
        let is_live = runs[0]["status"]["phase"] == "Running";
        (is_live && runs.as_array().unwrap().len() == number).then(|| runs[0].clone())
    })
    .await
}

async fn log_of(server: &TestServer, run: &Value) -> String {
    let link = server.get(&format!("/v2/runs/{}/log", run["id"])).await;
    let place = link.headers["location"].to_str().unwrap().to_owned();
    let path = &place[place.find("/logs/").unwrap()..];
    let request = server.request(reqwest::Method::GET, path);
    TestServer::answer(request).await.text
}

/// It takes half a minute, and no more of the database than the others.
#[tokio::test]
async fn a_run_that_a_stop_cuts_off_is_repeated_where_that_is_wanted() {
    if !Database::Sqlite.is_wanted() {
        return;
    }
    let database = Database::Sqlite;
    let mut server = TestServer::start(options(database).with("--sandbox=off")).await;
    let (tenant, first) = {
        let files = [("PANDIUM.yaml", &*manifest("echo begun >&2; sleep 600"))];
        let wanted = json!({"retry": "platform"});
        let scenario = Scenario::new(&server, "stopped", &files, wanted).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("t").await;
        scenario.sync(tenant).await;
        (tenant, live_run(&server, tenant, 1).await)
    };
    assert!(server.stop().success());
    server.restart();
    let again = live_run(&server, tenant, 2).await;
    assert_eq!(again["rerun_of"], first["id"]);
    let cut_off = server
        .get(&format!("/v2/runs/{}", first["id"]))
        .await
        .expect(200);
    assert_eq!(cut_off["status"]["phase"], "Failed (Platform Issue)");
    let log = log_of(&server, &first).await;
    assert!(
        log.contains("the server was stopped while this ran; it is run again, once"),
        "{log}"
    );
}
