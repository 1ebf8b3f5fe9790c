//! Time, memory and the wish to stop.

use marquetry_testkit::{Scenario, TestServer, both_databases, eventually, manifest};
use serde_json::{Value, json};

use crate::{options, server};

async fn scenario<'a>(
    server: &'a marquetry_testkit::TestServer,
    name: &str,
    code: &str,
    settings: Value,
) -> (Scenario<'a>, i64) {
    let files = [
        ("PANDIUM.yaml", &*manifest("python3 main.py")),
        ("main.py", code),
    ];
    let scenario = Scenario::new(server, name, &files, settings).await;
    scenario.release("v1").await;
    let tenant = scenario.tenant("t").await;
    (scenario, tenant)
}

both_databases! {
    async fn the_time_limit_ends_a_run(database) {
        let server = server(database).await;
        let code = "import time\nprint('{}', flush=True)\ntime.sleep(600)";
        let (scenario, tenant) = scenario(&server, "slow", code, json!({"timeout_seconds": 1})).await;
        let run = scenario.run(tenant).await;
        assert_eq!(run["status"]["phase"], "Failed (Timeout)", "{run}");
        assert_eq!(run["std_out"], Value::Null, "a run that was cut off has no output");
        assert!(scenario.log(&run).await.contains("the time limit of 1 s is passed"));
    }
}

both_databases! {
    async fn the_memory_limit_is_the_integrations_fault(database) {
        let server = server(database).await;
        let code = "x = []\nwhile True:\n    x.append('a' * 10_000_000)";
        let (scenario, tenant) = scenario(&server, "fat", code, json!({"memory_mb": 64})).await;
        let run = scenario.run(tenant).await;
        assert_eq!(run["status"]["phase"], "Failed (Integration Issue)", "{run}");
        let message = run["message"].as_str().unwrap();
        assert!(message.contains("memory limit of 64 MiB"), "{message}");
    }
}

both_databases! {
    async fn a_run_is_cancelled(database) {
        let server = server(database).await;
        let code = "import time, sys\nprint('began', file=sys.stderr, flush=True)\ntime.sleep(600)";
        let (scenario, tenant) = scenario(&server, "long", code, json!({})).await;
        let trigger = scenario.sync(tenant).await;
        let run = eventually("the run is live", || async {
            let runs = server.get(&format!("/v2/tenants/{tenant}/runs")).await.expect(200);
            let run = runs[0].clone();
            (run["status"]["phase"] == "Running").then_some(run)
        })
        .await;
        let path = format!("/v2/runs/{}/cancel", run["id"]);
        let answer = server.post(&path, Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let run = scenario.end(&trigger).await;
        assert_eq!(run["status"]["phase"], "Cancelled", "{run}");
        assert_eq!(server.post(&path, Value::Null).await.status, 409);
    }
}

both_databases! {
    async fn exit_codes_and_signals(database) {
        let server = server(database).await;
        let cases = [
            ("exit 3", "exit code 3"),
            ("no-such-program", "exit code 127"),
            ("kill -9 $$", "killed by signal 9 (SIGKILL)"),
            ("python3 main.py", "killed by signal 9 (SIGKILL)"),
            ("python3 main.py; exit $?", "exit code 137: killed by signal 9 (SIGKILL)"),
        ];
        let code = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)";
        for (n, (command, message)) in cases.into_iter().enumerate() {
            let files = [("PANDIUM.yaml", &*manifest(command)), ("main.py", code)];
            let scenario = Scenario::new(&server, &format!("exit{n}"), &files, json!({})).await;
            scenario.release("v1").await;
            let tenant = scenario.tenant("t").await;
            let run = scenario.run(tenant).await;
            assert_eq!(run["status"]["phase"], "Failed (Integration Issue)", "{command}: {run}");
            assert!(run["message"].as_str().unwrap().contains(message), "{command}: {run}");
        }
    }
}

both_databases! {
    async fn the_last_line_of_stdout_is_bounded(database) {
        let server = server(database).await;
        let code = "print('\"' + 'x' * 130_000 + '\"')";
        let (scenario, tenant) = scenario(&server, "wide", code, json!({})).await;
        let run = scenario.run(tenant).await;
        assert_eq!(run["status"]["phase"], "Failed (Platform Issue)", "{run}");
        assert!(run["message"].as_str().unwrap().contains("130002"), "{run}");
    }
}

both_databases! {
    async fn a_lower_limit_does_not_hold_up_other_changes(database) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("marquetry.toml");
        std::fs::write(&file, "").unwrap();
        let options = options(database).with("--config").with(&file.display().to_string());
        let mut server = TestServer::start(options).await;
        let body = json!({"name": "large", "long_name": "Large", "memory_mb": 512});
        let made = server.post("/v2/integrations", body).await.expect(201);
        let path = format!("/v2/integrations/{}", made["id"]);

        server.stop();
        std::fs::write(&file, "[run]\nmemory_mb = 64\nmax_memory_mb = 256\n").unwrap();
        server.restart();
        let paused = server.patch(&path, json!({"paused": true, "memory_mb": 512})).await;
        assert_eq!(paused.expect(200)["paused"], true);
        let fault = server.patch(&path, json!({"memory_mb": 511})).await.expect(422);
        assert_eq!(fault["detail"][0]["loc"], json!(["body", "memory_mb"]));
        assert_eq!(fault["detail"][0]["msg"], "Value error, must be from 16 to 256");
    }
}

both_databases! {
    async fn what_the_operator_takes_back_is_gone_for_what_was_saved(database) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("marquetry.toml");
        std::fs::write(&file, "allow_host_network = true\n").unwrap();
        let options = options(database).with("--config").with(&file.display().to_string());
        let mut server = TestServer::start(options).await;
        // An init run takes 150 MiB of memory, the others time.
        let code = "import os, time\nheld = b'x' * (150 << 20) if os.environ['PAN_CTX_RUN_MODE'] == 'init' else b''\ntime.sleep(600)";
        let tenant = {
            let files = [("PANDIUM.yaml", &*manifest("python3 main.py")), ("main.py", code)];
            let wide = json!({"egress": "host", "timeout_seconds": 500, "memory_mb": 512});
            let scenario = Scenario::new(&server, "wide", &files, wide).await;
            scenario.release("v1").await;
            scenario.tenant("t").await
        };
        server.stop();
        std::fs::write(&file, "[run]\ntimeout_seconds = 1\nmax_timeout_seconds = 2\nmemory_mb = 64\nmax_memory_mb = 64\n").unwrap();
        server.restart();
        let run = async |mode: &str| {
            let path = format!("/v2/tenants/{tenant}/sync?mode={mode}");
            let accepted = server.post(&path, Value::Null).await.expect(202);
            let trigger = accepted["trigger_id"].as_str().unwrap().to_owned();
            let status = format!("/v2/runs/triggers/{trigger}/status?wait=30");
            server.get(&status).await.expect(200);
            server.get(&format!("/v2/tenants/{tenant}/runs?limit=1")).await.expect(200)[0].clone()
        };
        let refused = run("normal").await;
        assert_eq!(refused["status"]["phase"], "Failed (Integration Issue)");
        let message = refused["message"].as_str().unwrap();
        assert!(message.starts_with("egress host is not allowed here"), "{message}");
        let path = format!("/v2/integrations/{}", refused["integration_id"]);
        server.patch(&path, json!({"egress": "none"})).await.expect(200);
        let late = run("normal").await;
        assert!(late["message"].as_str().unwrap().contains("2 s"), "{late}");
        let fat = run("init").await;
        assert!(fat["message"].as_str().unwrap().contains("memory limit of 64 MiB"), "{fat}");
    }
}
