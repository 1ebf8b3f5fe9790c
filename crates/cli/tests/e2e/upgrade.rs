//! A newer version has brought the database up to date while this one's nodes are at work: expand, then contract.

#![expect(
    clippy::disallowed_methods,
    reason = "the program under test is started by the test"
)]

use marquetry_testkit::{Database, Scenario, TestServer, manifest};
use serde_json::{Value, json};

use crate::options;

/// What a newer version may do while older nodes are at work: each table gets a column that they do not know.
const EXPAND: &str = "DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT table_name FROM information_schema.tables
        WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name <> 'schema_migrations'
    LOOP EXECUTE format('ALTER TABLE %I ADD COLUMN added_later BIGINT NOT NULL DEFAULT 0', name);
    END LOOP; END $$;
    INSERT INTO schema_migrations SELECT version + 1000, 'later', checksum, applied_at
        FROM schema_migrations ORDER BY version DESC LIMIT 1";

#[tokio::test]
async fn a_node_goes_on_when_a_newer_one_has_migrated() {
    if !Database::Postgres.is_wanted() {
        return;
    }
    let server = TestServer::start(options(Database::Postgres)).await;
    let files = [("PANDIUM.yaml", &*manifest("echo '{\"it\": 1}'"))];
    let scenario = Scenario::new(&server, "shop", &files, json!({})).await;
    scenario.release("v1").await;
    let tenant = scenario.tenant("acme").await;
    // Twice: what is prepared once is used again.
    for _ in 0..2 {
        work(&server, &scenario, tenant).await;
    }
    server.run_sql(EXPAND).await;
    for _ in 0..2 {
        work(&server, &scenario, tenant).await;
    }
    scenario.release("v2").await;
    let other = scenario.tenant("other").await;
    work(&server, &scenario, other).await;
    // One that is started now is of the older version, and says so.
    let folder = tempfile::tempdir().unwrap();
    let mut older = std::process::Command::new(env!("CARGO_BIN_EXE_marquetry"));
    older.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
    older
        .arg(folder.path())
        .args(["--database-url", server.database_url()]);
    older.env("MARQUETRY_MASTER_KEY", marquetry_testkit::MASTER_KEY);
    let refused = older.output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success());
    assert!(said.contains("use the newer program"), "{said}");
}

/// Everything that is asked for often.
async fn work(server: &TestServer, scenario: &Scenario<'_>, tenant: i64) {
    let run = scenario.run(tenant).await;
    assert_eq!(run["status"]["phase"], "Succeeded", "{run}");
    let path = format!("/v2/tenants/{tenant}");
    server
        .patch(&path, json!({"paused": false, "configs": {}}))
        .await
        .expect(200);
    let rerun = format!("/v2/runs/{}/rerun", run["id"]);
    let asked = server.post(&rerun, Value::Null).await.expect(202);
    scenario.over(asked["trigger_id"].as_str().unwrap()).await;
    for path in [
        "/v2/runs",
        "/v2/tenants",
        "/v2/integrations",
        "/v2/builds",
        "/v2/nodes",
        &path,
        &format!("{path}/explain"),
        &format!("{path}/runs"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    assert!(server.run_log(&run).await.contains("variables:"));
}
