//! Runs go on while their server is killed, stopped or upgraded, and the next one takes them back.

#![expect(
    clippy::disallowed_methods,
    reason = "the program under test is started by the test"
)]

use std::time::Duration;

use marquetry_testkit::{Database, Scenario, TestServer, both_databases, eventually, manifest};
use serde_json::{Value, json};

use crate::crash::processes;
use crate::narrowing::neighbour;
use crate::options;

/// Says what it does, before and after somebody could have taken the server away.
const CODE: &str = r#"
import json, os, sys, time
print("begun", file=sys.stderr, flush=True)
print(json.dumps({"early": 1}), flush=True)
for n in range(int(os.environ.get("PAN_CFG_PARTS", "60"))):
    print(f"part {n}", file=sys.stderr, flush=True)
    time.sleep(0.1)
print(open(os.environ["PAN_CTX_RUN_TRIGGERS_FILE"]).read()[:1], file=sys.stderr)
print(json.dumps({"pid": os.getpid(), "late": 2}))
"#;

/// Four megabytes of log, lines of output that do not count, and a long one that does.
const MUCH: &str = r#"
import json, sys, time
for n in range(20000):
    print(f"part {n} {'x' * 200}", file=sys.stderr, flush=True)
    print("y" * 100, flush=True)
    if n % 20 == 0:
        time.sleep(0.005)
print(json.dumps({"last": "z" * 90000}), flush=True)
time.sleep(1)
"#;

/// Its end, when it has ended.
async fn ended(server: &TestServer, run: &Value) -> Value {
    let path = format!("/v2/runs/{}", run["id"]);
    eventually("the run has ended", || async {
        let run = server.get(&path).await.expect(200);
        (run["status"]["phase"] != "Running").then_some(run)
    })
    .await
}

/// A tenant of an integration with this code.
async fn tenant(server: &TestServer, more: Value) -> i64 {
    let files = [
        ("PANDIUM.yaml", &*manifest("python3 main.py")),
        ("main.py", CODE),
    ];
    let scenario = Scenario::new(server, "long", &files, more).await;
    scenario.release("v1").await;
    let tenant = scenario.tenant("t").await;
    scenario.sync(tenant).await;
    tenant
}

async fn sync(server: &TestServer, tenant: i64) -> String {
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let made = server.post(&path, Value::Null).await.expect(202);
    made["trigger_id"].as_str().unwrap().to_owned()
}

/// It has all of its log, each line once, and its output.
async fn check_whole(server: &TestServer, run: &Value) {
    let ended = ended(server, run).await;
    let log = server.run_log(run).await;
    assert_eq!(ended["status"]["phase"], "Succeeded", "{log}");
    let output: Value = serde_json::from_str(ended["std_out"].as_str().unwrap()).unwrap();
    assert_eq!(output["late"], 2);
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| !line.starts_with("[marquetry]"))
        .collect();
    let parts = (0..60).map(|n| format!("part {n}"));
    let expected: Vec<String> = ["begun".to_owned()]
        .into_iter()
        .chain(parts)
        .chain(["[".to_owned()])
        .collect();
    assert_eq!(lines, expected);
    assert!(log.starts_with("[marquetry] run "), "{log}");
}

both_databases! {
    async fn a_run_goes_on_while_its_server_is_killed(database) {
        let mut server = TestServer::start(options(database)).await;
        let tenant = tenant(&server, json!({})).await;
        let run = server.live_run(tenant, "part 3").await;
        server.kill_alone();
        server.restart();
        // Twice: what was taken back is kept again.
        eventually("it is the server's again", || async {
            server.run_log(&run).await.contains("part 20").then_some(())
        }).await;
        server.kill_alone();
        server.restart();
        check_whole(&server, &run).await;
    }
}

both_databases! {
    async fn a_run_that_ends_while_no_server_is_there_has_ended(database) {
        let mut server = TestServer::start(options(database)).await;
        let tenant = tenant(&server, json!({})).await;
        let run = server.live_run(tenant, "part 3").await;
        server.kill_alone();
        // Longer than what is left of it.
        tokio::time::sleep(Duration::from_secs(8)).await;
        server.restart();
        check_whole(&server, &run).await;
    }
}

both_databases! {
    async fn what_is_asked_of_a_run_reaches_it_after_a_restart(database) {
        let mut server = TestServer::start(options(database)).await;
        let tenant = tenant(&server, json!({"retry": "platform"})).await;
        let run = server.live_run(tenant, "part 3").await;
        let trigger = sync(&server, tenant).await;
        server.kill_alone();
        server.restart();
        let path = format!("/v2/runs/{}/cancel", run["id"]);
        server.post(&path, Value::Null).await.expect(200);
        assert_eq!(ended(&server, &run).await["status"]["phase"], "Cancelled");
        // Nothing is repeated, and what waited goes on.
        let status = format!("/v2/runs/triggers/{trigger}/status?wait=30");
        assert_eq!(server.get(&status).await.expect(200)["status"], "Succeeded");
        let runs = server.get(&format!("/v2/tenants/{tenant}/runs")).await.expect(200);
        assert_eq!(runs.as_array().unwrap().len(), 2, "{runs}");
    }
}

both_databases! {
    async fn its_time_is_counted_from_its_start(database) {
        let mut server = TestServer::start(options(database)).await;
        let tenant = tenant(&server, json!({"timeout_seconds": 4})).await;
        let run = server.live_run(tenant, "part 3").await;
        server.kill_alone();
        tokio::time::sleep(Duration::from_secs(2)).await;
        server.restart();
        let ended = ended(&server, &run).await;
        assert_eq!(ended["status"]["phase"], "Failed (Timeout)");
        assert!(!server.run_log(&run).await.contains("part 50"));
    }
}

both_databases! {
    async fn a_power_cut_takes_runs_with_it(database) {
        let mut server = TestServer::start(options(database)).await;
        let tenant = tenant(&server, json!({})).await;
        let run = server.live_run(tenant, "part 3").await;
        server.kill();
        server.restart();
        assert_eq!(ended(&server, &run).await["status"]["phase"], "Failed (Platform Issue)");
    }
}

both_databases! {
    async fn nothing_is_lost_of_a_run_that_says_much(database) {
        let mut server = TestServer::start(options(database)).await;
        let files = [("PANDIUM.yaml", &*manifest("python3 main.py")), ("main.py", MUCH)];
        let tenant = {
            let scenario = Scenario::new(&server, "much", &files, json!({})).await;
            scenario.release("v1").await;
            scenario.tenant("t").await
        };
        sync(&server, tenant).await;
        let run = server.live_run(tenant, "part 3").await;
        // At instants that have nothing to do with what it does.
        for n in 0..6 {
            server.kill_alone();
            server.restart();
            tokio::time::sleep(Duration::from_millis(150 + 70 * n)).await;
        }
        let ended = ended(&server, &run).await;
        let log = server.run_log(&run).await;
        assert_eq!(ended["status"]["phase"], "Succeeded", "{}", &log[log.len().saturating_sub(300)..]);
        let output: Value = serde_json::from_str(ended["std_out"].as_str().unwrap()).unwrap();
        assert_eq!(output["last"].as_str().unwrap().len(), 90_000);
        let lines: Vec<&str> = log.lines().filter(|line| line.starts_with("part ")).collect();
        for (n, line) in lines.iter().enumerate() {
            assert_eq!(*line, format!("part {n} {}", "x".repeat(200)), "line {n}");
        }
        assert_eq!(lines.len(), 20_000);
    }
}

/// It takes half a minute, and no more of the database than the others.
#[tokio::test]
async fn a_stopped_server_leaves_its_runs_to_the_next_one() {
    if !Database::Sqlite.is_wanted() {
        return;
    }
    let database = Database::Sqlite;
    let mut server = TestServer::start(options(database)).await;
    let tenant = tenant(&server, json!({})).await;
    let configs = json!({"configs": {"parts": "350"}});
    server
        .patch(&format!("/v2/tenants/{tenant}"), configs)
        .await
        .expect(200);
    let first = server.live_run(tenant, "part 3").await;
    let trigger = sync(&server, tenant).await;
    server
        .post(&format!("/v2/runs/{}/cancel", first["id"]), Value::Null)
        .await
        .expect(200);
    ended(&server, &first).await;
    let run = server.live_run(tenant, "part 3").await;
    assert!(server.stop().success());
    eventually("it says so", async || {
        server.log().contains("1 live runs go on").then_some(())
    })
    .await;
    server.restart();
    let status = format!("/v2/runs/triggers/{trigger}/status?wait=60");
    assert_eq!(server.get(&status).await.expect(200)["status"], "Succeeded");
    let log = server.run_log(&run).await;
    let parts = log.lines().filter(|line| line.starts_with("part ")).count();
    assert_eq!(parts, 350, "{log}");
}

/// Half of a secret before the server goes away, and the other half after it; then it calls a neighbour.
const SECRET: &str = r#"
import socket, sys, time
print("part 3", file=sys.stderr, flush=True)
print("a s3cr", end="", file=sys.stderr, flush=True)
time.sleep(4)
print("et-value b", file=sys.stderr, flush=True)
call = socket.create_connection(("127.0.0.2", PORT), 30)
assert call.recv(5) == b"hello"
"#;

both_databases! {
    async fn what_its_log_must_not_show_and_where_it_may_connect_are_as_before(database) {
        let port = neighbour("127.0.0.2");
        let options = options(database).with("--outbound-allow").with("127.0.0.2/32");
        let mut server = TestServer::start(options).await;
        let code = SECRET.replace("PORT", &port.to_string());
        let files = [("PANDIUM.yaml", &*manifest("python3 main.py")), ("main.py", &*code)];
        let tenant = {
            let more = json!({"egress_ports": [port], "build_env": {"TOKEN": "s3cret-value"}});
            let scenario = Scenario::new(&server, "secret", &files, more).await;
            scenario.release("v1").await;
            scenario.tenant("t").await
        };
        sync(&server, tenant).await;
        let run = server.live_run(tenant, "part 3").await;
        server.kill_alone();
        server.restart();
        let ended = ended(&server, &run).await;
        let log = server.run_log(&run).await;
        assert_eq!(ended["status"]["phase"], "Succeeded", "{log}");
        assert!(log.contains("part 3\na ******** b\n"), "{log}");
    }
}

both_databases! {
    async fn a_start_that_fails_takes_no_run_with_it(database) {
        let mut server = TestServer::start(options(database)).await;
        let tenant = tenant(&server, json!({})).await;
        let run = server.live_run(tenant, "part 3").await;
        server.kill_alone();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let mut failing = std::process::Command::new(env!("CARGO_BIN_EXE_marquetry"));
        failing.args(["serve", "--listen", &address, "--data-dir"]).arg(server.data_dir.path());
        assert!(!failing.output().unwrap().status.success());
        server.restart();
        check_whole(&server, &run).await;
    }
}

both_databases! {
    async fn who_starts_without_a_sandbox_ends_what_was_left_first(database) {
        let mut server = TestServer::start(options(database)).await;
        let mark = format!("outlive-{}", std::process::id());
        let run = manifest(&format!("python3 main.py {mark}"));
        let files = [("PANDIUM.yaml", &*run), ("main.py", CODE)];
        let tenant = {
            let scenario = Scenario::new(&server, "off", &files, json!({})).await;
            scenario.release("v1").await;
            scenario.tenant("t").await
        };
        sync(&server, tenant).await;
        let run = server.live_run(tenant, "part 3").await;
        server.kill_alone();
        assert!(!processes(&mark).is_empty());
        server.restart_with("--sandbox=off");
        assert!(processes(&mark).is_empty(), "before the server listens");
        assert_eq!(ended(&server, &run).await["status"]["phase"], "Failed (Platform Issue)");
    }
}
