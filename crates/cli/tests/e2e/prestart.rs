//! Interpreters that are started ahead: a run cannot tell, but by the log.

use std::collections::BTreeMap;

use marquetry_testkit::{
    Database, Scenario, TestServer, both_databases, eventually, manifest, node_manifest, skipped,
};
use serde_json::{Value, json};

/// What the platform says of a run that was given to one.
const SAID: &str = "[marquetry] a pre-started interpreter is used";

const NODE: &str = r"
const { Worker, isMainThread, parentPort } = require('worker_threads');
const fs = require('fs');
const path = require('path');
if (isMainThread) {
  const child = require('child_process').execFileSync(process.execPath, ['-p', 'JSON.stringify(process.env)']);
  const worker = new Worker(__filename);
  worker.on('message', (seen) => console.log(JSON.stringify({
    env: process.env, worker: seen, child: JSON.parse(child),
    argv: process.argv, options: process.execArgv, main: require.main === module,
    files: fs.readdirSync(path.dirname(process.env.PAN_CTX_RUN_TRIGGERS_FILE)).sort(),
    cwd: process.cwd(),
  })));
} else {
  parentPort.postMessage(Object.keys(process.env).sort());
}
";
const ESM: &str = r"
import fs from 'node:fs';
import path from 'node:path';
console.log(JSON.stringify({
  env: process.env, argv: process.argv, options: process.execArgv, url: import.meta.url,
  files: fs.readdirSync(path.dirname(process.env.PAN_CTX_RUN_TRIGGERS_FILE)).sort(),
  cwd: process.cwd(),
}));
";
const PYTHON: &str = r#"
import json, os, subprocess, sys
child = subprocess.run(
    [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"],
    capture_output=True, text=True, check=True)
print(json.dumps({
    "env": dict(os.environ), "child": json.loads(child.stdout), "argv": sys.argv, "path": sys.path,
    "name": __name__, "flags": str(sys.flags), "modules": sorted(sys.modules),
    "files": sorted(os.listdir(os.path.dirname(os.environ["PAN_CTX_RUN_TRIGGERS_FILE"]))),
    "cwd": os.getcwd(),
}))
"#;

async fn served(database: Database) -> TestServer {
    TestServer::start(crate::options(database).with("--prestart").with("2")).await
}

fn output(run: &Value) -> Value {
    let text = run["std_out"].as_str().unwrap_or_else(|| panic!("{run}"));
    serde_json::from_str(text).unwrap()
}

/// Runs new tenants until one was given to an interpreter that stood ready; answers the first run,
/// which was not, and that one.
async fn cold_and_ready(scenario: &Scenario<'_>) -> (Value, Value) {
    let first = scenario.tenant("first").await;
    let cold = scenario.run(first).await;
    let log = scenario.log(&cold).await;
    assert!(!log.contains(SAID), "{log}");
    let ready = eventually("an interpreter stands ready", || async {
        let runs = scenario.server.get("/v2/runs").await.expect(200);
        let tenant = scenario.tenant(&format!("t{}", runs[0]["id"])).await;
        let run = scenario.run(tenant).await;
        scenario.log(&run).await.contains(SAID).then_some(run)
    });
    (cold, ready.await)
}

/// What is of its own in each run: ids, names, and what is made up by chance.
fn without_own(env: &Value) -> BTreeMap<String, Value> {
    let env = env.as_object().unwrap().iter();
    env.map(|(name, value)| {
        let is_own = name.starts_with("PAN_CTX_RUN")
            || name.starts_with("PAN_CTX_TENANT")
            || name == "TRACEPARENT";
        let value = if is_own { Value::Null } else { value.clone() };
        (name.clone(), value)
    })
    .collect()
}

fn look_alike(cold: &Value, ready: &Value) {
    let (mut cold, mut ready) = (output(cold), output(ready));
    assert_ne!(
        cold["env"]["PAN_CTX_RUN_ID"],
        ready["env"]["PAN_CTX_RUN_ID"]
    );
    for part in ["env", "child"] {
        if cold[part].is_object() {
            assert_eq!(
                without_own(&cold[part]),
                without_own(&ready[part]),
                "{part}"
            );
            cold[part].take();
            ready[part].take();
        }
    }
    assert_eq!(cold, ready);
}

both_databases! {
    async fn a_run_of_node_cannot_tell(database) {
        if !has_node() {
            return skipped("pre-started Node: node is not on this machine");
        }
        let server = served(database).await;
        let plain = [("PANDIUM.yaml", &*node_manifest("node main.js one --two=2")), ("main.js", NODE)];
        let scenario = Scenario::new(&server, "plain", &plain, json!({})).await;
        scenario.release("v1").await;
        let (cold, ready) = cold_and_ready(&scenario).await;
        look_alike(&cold, &ready);
        let esm = [("PANDIUM.yaml", &*node_manifest("node main.mjs")), ("main.mjs", ESM)];
        let scenario = Scenario::new(&server, "esm", &esm, json!({})).await;
        scenario.release("v1").await;
        let (cold, ready) = cold_and_ready(&scenario).await;
        look_alike(&cold, &ready);
    }
}

both_databases! {
    async fn a_run_of_python_cannot_tell(database) {
        let server = served(database).await;
        let files = [("PANDIUM.yaml", &*manifest("python3 main.py one --two=2")), ("main.py", PYTHON)];
        let scenario = Scenario::new(&server, "seen", &files, json!({})).await;
        scenario.release("v1").await;
        let (cold, ready) = cold_and_ready(&scenario).await;
        look_alike(&cold, &ready);
        // Its modules may have the names of those that ours would have loaded.
        let program = "import keyword, sys; print(keyword.MINE, 'json' in sys.modules)";
        let files = [("PANDIUM.yaml", &*manifest("python3 main.py")), ("main.py", program), ("keyword.py", "MINE = 1")];
        let scenario = Scenario::new(&server, "keyword", &files, json!({})).await;
        scenario.release("v1").await;
        let (cold, ready) = cold_and_ready(&scenario).await;
        assert_eq!((&cold["std_out"], &ready["std_out"]), (&json!("1 False"), &json!("1 False")));
    }
}

both_databases! {
    async fn no_code_of_a_package_runs_without_a_run(database) {
        let server = served(database).await;
        let build = r#"mkdir -p "$(python3 -m site --user-site)" && echo 'import os, sys; sys.early = "PAN_CTX_RUN_ID" in os.environ' > "$(python3 -m site --user-site)/early.pth""#;
        let manifest = format!("version: 0.4\nbase: python:3.11\nbuild: {}\nrun: python3 main.py\n", json!(build));
        let files = [("PANDIUM.yaml", &*manifest), ("main.py", "import sys; print(sys.early)")];
        let scenario = Scenario::new(&server, "early", &files, json!({})).await;
        scenario.release("v1").await;
        for name in ["a", "b", "c", "d"] {
            let tenant = scenario.tenant(name).await;
            let run = scenario.run(tenant).await;
            assert_eq!(run["std_out"], "True", "{}", scenario.log(&run).await);
            assert!(!scenario.log(&run).await.contains(SAID));
        }
    }
}

both_databases! {
    async fn another_setting_of_the_sandbox_is_another_interpreter(database) {
        let server = served(database).await;
        let program = "import os; print(os.environ['PAN_CFG_WORD'])";
        let files = [("PANDIUM.yaml", &*manifest("python3 main.py")), ("main.py", program)];
        let scenario = Scenario::new(&server, "changed", &files, json!({})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("t").await;
        let mut last = Value::Null;
        for word in ["one", "two", "three"] {
            let configs = json!({"configs": {"word": word}});
            server.patch(&format!("/v2/tenants/{tenant}"), configs).await.expect(200);
            last = scenario.run(tenant).await;
            assert_eq!(last["std_out"], word);
        }
        let run = eventually("an interpreter stands ready", || async {
            let run = scenario.run(tenant).await;
            scenario.log(&run).await.contains(SAID).then_some(run)
        });
        assert_ne!(run.await["id"], last["id"]);
        let change = json!({"memory_mb": 200});
        server.patch(&format!("/v2/integrations/{}", scenario.integration), change).await.expect(200);
        let run = scenario.run(tenant).await;
        assert!(!scenario.log(&run).await.contains(SAID), "it has another limit");
        assert_eq!(run["std_out"], "three");
    }
}

both_databases! {
    async fn none_is_left_after_a_kill(database) {
        let mut server = served(database).await;
        let folder = server.data_dir.path().file_name().unwrap().to_string_lossy();
        let file = format!("main-{}.py", folder.trim_start_matches('.'));
        let files = [("PANDIUM.yaml", &*manifest(&format!("python3 {file}"))), (&*file, "print(1)")];
        {
            let scenario = Scenario::new(&server, "left", &files, json!({})).await;
            scenario.release("v1").await;
            let tenant = scenario.tenant("t").await;
            scenario.run(tenant).await;
            scenario.run(tenant).await;
        }
        eventually("one stands ready", || async { waiting(&file).then_some(()) }).await;
        server.kill();
        eventually("it is gone", || async { (!waiting(&file)).then_some(()) }).await;
    }
}

fn has_node() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("node").is_file())
}

/// Whether a process has this file as an argument.
fn waiting(file: &str) -> bool {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .any(|line| {
            line.split(|byte| *byte == 0)
                .any(|word| word == file.as_bytes())
        })
}
