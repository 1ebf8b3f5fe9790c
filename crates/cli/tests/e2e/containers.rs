//! Builds and runs in containers of an engine: the same as in the sandbox.

#![expect(
    clippy::disallowed_methods,
    reason = "the program under test is started by the test"
)]

use marquetry_testkit::{
    ContainerEngine, Database, Scenario, TestServer, both_databases, eventually, manifest,
};
use serde_json::{Value, json};

use crate::narrowing::neighbour;
use crate::options;

/// A server that builds and runs in containers; none where there is no engine.
async fn server(database: Database, more: &[&str]) -> Option<(TestServer, ContainerEngine)> {
    let engine = ContainerEngine::find()?;
    let mut options = options(database);
    for argument in engine.arguments(&["python", "node:20"]) {
        options = options.with(&argument);
    }
    for argument in more {
        options = options.with(argument);
    }
    Some((TestServer::start(options).await, engine))
}

/// The names of this server's containers.
fn of(server: &TestServer) -> Vec<String> {
    let folder = server.data_dir.path().join("sandbox/containers");
    let found = std::fs::read_dir(folder).unwrap().flatten();
    found
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

const MANIFEST: &str = r#"
version: 1.0
base: python:3.11
build: "python3 -c 'import os; os.makedirs(\"made\"); open(\"made/by\", \"w\").write(os.uname().nodename)'"
run: "python3 main.py"
configs:
  schema:
    type: object
    properties:
      token: {type: string, format: password}
"#;

/// What an integration relies on, wherever it runs.
const MAIN: &str = r#"
import json, os, socket, sys
assert os.getcwd() == "/integration", os.getcwd()
assert os.path.exists("/run/.containerenv"), "no container"
assert not os.path.exists("/etc/shadow"), "the host's files"
assert os.environ["HOME"] == "/home/integration" and os.environ["TMPDIR"] == "/tmp"
for folder in ("/home/integration", "/tmp"):
    open(folder + "/x", "w").write("x")
try: open("/integration/x", "w"); raise SystemExit("the release can be written")
except OSError: pass
triggers = json.load(open(os.environ["PAN_CTX_RUN_TRIGGERS_FILE"]))
call = socket.create_connection(("127.0.0.2", PORT), 30)
assert call.recv(5) == b"hello"
try: socket.create_connection(("127.0.0.3", PORT), 30).recv(5); print("NOT refused", file=sys.stderr)
except OSError: pass
print("token: " + os.environ["PAN_CFG_TOKEN"], file=sys.stderr)
print(json.dumps({"built": open("made/by").read(), "triggers": len(triggers), "name": os.uname().nodename}))
"#;

both_databases! {
    async fn an_integration_builds_and_runs_as_in_the_sandbox(database) {
        let Some((server, engine)) = server(database, &["--outbound-allow", "127.0.0.2/32"]).await else {
            return;
        };
        let port = neighbour("127.0.0.2");
        let code = MAIN.replace("PORT", &port.to_string());
        let files = [("PANDIUM.yaml", MANIFEST), ("main.py", &*code)];
        let scenario = Scenario::new(&server, "boxed", &files, json!({"egress_ports": [port]})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("t").await;
        let configs = json!({"configs": {"token": "s3cret-value"}});
        server.patch(&format!("/v2/tenants/{tenant}"), configs).await.expect(200);
        let run = scenario.run(tenant).await;
        let log = scenario.log(&run).await;
        assert_eq!(run["status"]["phase"], "Succeeded", "{log}");
        let output: Value = serde_json::from_str(run["std_out"].as_str().unwrap()).unwrap();
        let expected = json!({"built": "integration", "triggers": 1, "name": "integration"});
        assert_eq!(output, expected);
        assert!(log.contains("token: ********\n"), "{log}");
        assert!(!log.contains("NOT refused"), "{log}");
        // Nothing is left: neither a folder, nor a container whose folder was here.
        assert_eq!(of(&server), [""; 0]);
        let left = engine.ask(&["ps", "--all", "--format", "{{.Names}} {{.Mounts}}"]);
        assert!(!left.contains(server.data_dir.path().to_str().unwrap()), "{left}");
    }
}

/// Prints its parts, and stays a while.
const LONG: &str = r#"
import sys, time
print("begun " + __import__("os").environ["PAN_CFG_WORD"], file=sys.stderr, flush=True)
for n in range(40):
    print(f"part {n}", file=sys.stderr, flush=True)
    time.sleep(0.1)
print('{"late": 2}')
"#;

both_databases! {
    async fn a_run_outlives_its_server_and_the_engine_knows_none_of_its_settings(database) {
        let Some((mut server, engine)) = server(database, &[]).await else {
            return;
        };
        let (tenant, cancelled) = {
            let files = [("PANDIUM.yaml", &*manifest("python3 main.py")), ("main.py", LONG)];
            let scenario = Scenario::new(&server, "long-boxed", &files, json!({})).await;
            scenario.release("v1").await;
            let both = (scenario.tenant("t").await, scenario.tenant("u").await);
            for tenant in [both.0, both.1] {
                let configs = json!({"configs": {"word": "w0rd-of-the-tenant"}});
                server.patch(&format!("/v2/tenants/{tenant}"), configs).await.expect(200);
                scenario.sync(tenant).await;
            }
            both
        };
        let run = server.live_run(tenant, "part 3").await;
        let other = server.live_run(cancelled, "part 3").await;
        let names = of(&server);
        assert_eq!(names.len(), 2, "{names:?}");
        for name in &names {
            let known = engine.ask(&["inspect", name]);
            assert!(known.contains("main.py"), "{known}");
            assert!(!known.contains("w0rd-of-the-tenant"), "{known}");
        }
        server.kill_alone();
        server.restart();
        server.post(&format!("/v2/runs/{}/cancel", other["id"]), Value::Null).await.expect(200);
        for (run, phase) in [(&run, "Succeeded"), (&other, "Cancelled")] {
            let path = format!("/v2/runs/{}", run["id"]);
            let ended = eventually("the run has ended", || async {
                let run = server.get(&path).await.expect(200);
                (run["status"]["phase"] != "Running").then_some(run)
            })
            .await;
            assert_eq!(ended["status"]["phase"], phase, "{}", server.run_log(run).await);
        }
        let log = server.run_log(&run).await;
        let lines: Vec<&str> = log.lines().filter(|line| !line.starts_with("[marquetry]")).collect();
        let parts = (0..40).map(|n| format!("part {n}"));
        let expected: Vec<String> = ["begun w0rd-of-the-tenant".to_owned()].into_iter().chain(parts).collect();
        assert_eq!(lines, expected);
    }
}

/// It starts a container of each image, and says what does not work with the remedy.
#[tokio::test]
async fn doctor_tries_each_image() {
    let Some(engine) = ContainerEngine::find() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let doctor = |arguments: Vec<String>| {
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_marquetry"))
            .args(["doctor", "--json", "--data-dir"])
            .arg(folder.path().join("data"))
            .args(arguments)
            .output()
            .unwrap();
        let said: Value = serde_json::from_slice(&done.stdout).unwrap();
        let checks = said["checks"].as_array().unwrap().clone();
        let of_containers = checks
            .into_iter()
            .filter(|check| check["name"] == "containers");
        of_containers.collect::<Vec<_>>()
    };
    let good = doctor(engine.arguments(&["python"]));
    assert_eq!(good.len(), 2, "{good:?}");
    assert!(good.iter().all(|check| check["state"] == "ok"), "{good:?}");
    let missing = "--container-images=node=localhost/no-such-image:1".to_owned();
    let bad = doctor([engine.arguments(&["python"]), vec![missing.clone()]].concat());
    assert_eq!(bad[2]["state"], "fail", "{bad:?}");
    assert!(
        bad[2]["detail"]
            .as_str()
            .unwrap()
            .contains("localhost/no-such-image:1 does not run")
    );
    let none = doctor(vec!["--container-engine=/no/engine".to_owned(), missing]);
    assert_eq!(none[0]["state"], "fail", "{none:?}");
}

both_databases! {
    async fn a_base_without_an_image_and_an_image_that_is_not_there_are_said(database) {
        let more = ["--container-images", "ruby=localhost/no-such-image:1"];
        let Some((server, _)) = server(database, &more).await else {
            return;
        };
        for (base, words) in [
            ("php:8", "base php:8 has no image; the operator names one with --container-images 'php=IMAGE'"),
            ("ruby:3", "localhost/no-such-image:1"),
            ("node:20", "npm is not in the image"),
        ] {
            let manifest = format!("version: 1.0\nbase: {base}\nbuild: npm ci\nrun: ./x\n");
            let name = base.split(':').next().unwrap();
            let files = [("PANDIUM.yaml", manifest.as_str())];
            let scenario = Scenario::new(&server, name, &files, json!({})).await;
            let build = scenario.build("v1").await;
            assert_eq!(build["status"], "Failed", "{build}");
            let message = build["message"].as_str().unwrap();
            assert!(message.contains(words), "{base}: {message}");
        }
    }
}
