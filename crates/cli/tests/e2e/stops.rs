//! The server is stopped by its operator while a run goes on for longer than that is waited for, and nobody keeps it,
//! because it has no sandbox.

use marquetry_testkit::{Database, Scenario, TestServer, manifest};
use serde_json::json;

use crate::options;

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
        (tenant, server.live_run(tenant, "begun").await)
    };
    assert!(server.stop().success());
    server.restart();
    let again = server.live_run(tenant, "begun").await;
    assert_eq!(again["rerun_of"], first["id"]);
    let cut_off = server
        .get(&format!("/v2/runs/{}", first["id"]))
        .await
        .expect(200);
    assert_eq!(cut_off["status"]["phase"], "Failed (Platform Issue)");
    let log = server.run_log(&first).await;
    assert!(
        log.contains("the server was stopped while this ran; it is run again, once"),
        "{log}"
    );
}
