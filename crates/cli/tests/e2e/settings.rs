//! Limits that the operator sets.

use std::time::Duration;

use marquetry_testkit::{
    Database, Scenario, TestServer, both_databases, eventually, manifest, never_within,
};
use serde_json::{Value, json};

use crate::options;

const SETTINGS: &str = r#"
[run]
timeout_seconds = 77
memory_mb = 128
open_files = 99
processes = 33
disk_mb = 1
stdout_kb = 1
log_mb = 1

[build]
environment = ["NO_PROXY=a,b", "CI=mine"]
log_mb = 1

[limits]
body_mb = 1
waiting_triggers = 3
bundle_triggers = 2
"#;

const CODE: &str = r#"
import os, resource, sys, time
print("files", resource.getrlimit(resource.RLIMIT_NOFILE)[0], file=sys.stderr)
try:
    open(os.path.expanduser("~/large"), "wb").write(b"x" * (2 << 20))
    print("the disk took it", file=sys.stderr)
except OSError as error:
    print("disk:", error, file=sys.stderr)
sys.stderr.write("y" * (2 << 20))
print("x" * 1025)
"#;

async fn bounded(database: Database) -> TestServer {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("marquetry.toml");
    std::fs::write(&file, SETTINGS).unwrap();
    let options = options(database).with("--config");
    // It is read before the server listens.
    TestServer::start(options.with(&file.display().to_string())).await
}

both_databases! {
    async fn limits_take_effect(database) {
        let server = bounded(database).await;

        let manifest = manifest("python3 main.py").replace("'true'", "'echo variables: $NO_PROXY $CI'");
        let files = [("PANDIUM.yaml", &*manifest), ("main.py", CODE)];
        let scenario = Scenario::new(&server, "bounded", &files, json!({})).await;
        let path = format!("/v2/integrations/{}", scenario.integration);
        let made = server.get(&path).await.expect(200);
        assert_eq!((&made["timeout_seconds"], &made["memory_mb"]), (&json!(77), &json!(128)));
        let build = scenario.release("v1").await;
        let log = server.get(&format!("/v2/builds/{}/log", build["id"])).await.text;
        assert!(log.contains("variables: a,b mine"), "{log}");

        let tenant = scenario.tenant("t").await;
        let run = scenario.run(tenant).await;
        let message = run["message"].as_str().unwrap_or_default();
        assert!(message.contains("has 1025 bytes; the platform keeps at most 1024"), "{run}");
        let log = scenario.log(&run).await;
        assert!(log.contains("files 99\n"), "{log:.2000}");
        assert!(log.contains("disk: ") && !log.contains("the disk took it"), "{log:.2000}");
        assert!(log.contains("log truncated: it has more than 1048576 bytes"));

        let large = json!({"x": "y".repeat(1 << 20)});
        let sync = format!("/v2/tenants/{tenant}/sync?mode=normal");
        assert_eq!(server.post(&sync, large).await.status, 413);
    }
}

both_databases! {
    async fn few_triggers_wait_and_fewer_are_bundled(database) {
        let server = bounded(database).await;
        let manifest = manifest("while [ ! -e /nowhere ]; do sleep 1; done");
        let files = [("PANDIUM.yaml", &*manifest)];
        let scenario = Scenario::new(&server, "waiting", &files, json!({})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("t").await;
        let first = scenario.sync(tenant).await;
        let runs = format!("/v2/tenants/{tenant}/runs");
        let live = eventually("the first run is live", || async {
            let runs = server.get(&runs).await.expect(200);
            (runs[0]["status"]["phase"] == "Running").then(|| runs[0].clone())
        })
        .await;
        for _ in 0..3 {
            scenario.sync(tenant).await;
        }
        let sync = format!("/v2/tenants/{tenant}/sync?mode=normal");
        let refused = server.post(&sync, Value::Null).await;
        assert_eq!(refused.status, 429, "{refused:?}");
        server.post(&format!("/v2/runs/{}/cancel", live["id"]), Value::Null).await.expect(200);
        scenario.end(&first).await;
        let next = eventually("the second run is live", || async {
            let runs = server.get(&runs).await.expect(200);
            (runs[0]["id"] != live["id"]).then(|| runs[0].clone())
        })
        .await;
        assert_eq!(next["triggers"].as_array().map(Vec::len), Some(2), "{next}");
        server.post(&format!("/v2/runs/{}/cancel", next["id"]), Value::Null).await;
    }
}

both_databases! {
    async fn a_node_with_the_role_api_alone_takes_nothing(database) {
        let server = TestServer::start(options(database).with("--roles=api")).await;
        let files = [("PANDIUM.yaml", &*manifest("true"))];
        let scenario = Scenario::new(&server, "idle", &files, json!({})).await;
        let body = json!({"integration_id": scenario.integration, "tag": "v1"});
        let build = server.post("/v2/sourcecontrol/build", body).await.expect(201);
        let path = format!("/v2/builds/{}", build["id"]);
        never_within("the build is taken", Duration::from_secs(3), || async {
            server.get(&path).await.expect(200)["status"] != "Pending"
        })
        .await;
        let work = std::fs::read_dir(server.data_dir.path()).unwrap();
        let names: Vec<_> = work.map(|entry| entry.unwrap().file_name()).collect();
        assert!(!names.iter().any(|name| name == "sandbox"), "{names:?}");
    }
}
