//! The server is killed in the middle of everything.

use std::collections::BTreeMap;
use std::path::Path;

use marquetry_testkit::{Scenario, TestServer, both_databases, eventually, manifest};
use serde_json::{Value, json};

use crate::{options, server};

/// A word that stands in the command line of every process that the integration starts; another
/// one in every test process, because they run side by side.
fn mark() -> String {
    format!("marquetry-crash-test-{}-", std::process::id())
}

fn slow_manifest(build: &str) -> String {
    let run = format!("python3 main.py {}", mark());
    manifest(&run).replace("build: 'true'", &format!("build: {}", json!(build)))
}

const SLOW: &str = r#"
import os, subprocess, sys, time
stay = os.environ.get("PAN_CFG_STAY")
if stay:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]], start_new_session=True)
    print("begun", file=sys.stderr, flush=True)
    time.sleep(600)
print("{}")
"#;

both_databases! {
    async fn ten_runs_and_a_build(database) {
        let mut server = TestServer::start(options(database).with("--run-slots=16")).await;
        let (integration, tenants, accepted, build) = set_the_scene(&server).await;
        server.kill();
        // The kernel ends the children when it has noticed; nobody else does.
        eventually("no process is left over", || async { processes(&mark()).is_empty().then_some(()) }).await;
        server.restart();

        let after = Story { server: &server, integration };
        after.check_interrupted(&accepted).await;
        let ended = server.build_end(build).await;
        assert_eq!(ended["status"], "Succeeded", "a build is begun again: {ended}");
        // What waited behind the interrupted runs goes on by itself, and nothing doubled.
        after.check_each_once(&accepted).await;
        for tenant in tenants {
            let runs = server.get(&format!("/v2/tenants/{tenant}/runs")).await.expect(200);
            let live = runs.as_array().unwrap().iter().filter(|run| {
                matches!(run["status"]["phase"].as_str(), Some("Pending" | "Running"))
            });
            assert!(live.count() <= 1);
        }
        server.stop();
        assert!(processes(&mark()).is_empty());
        check_nothing_left(server.data_dir.path());
    }
}

both_databases! {
    async fn a_lost_run_is_repeated_once_where_that_is_wanted(database) {
        let mut server = TestServer::start(options(database)).await;
        let (tenant, first) = {
            let code = slow_manifest("true");
            let files = [("PANDIUM.yaml", code.as_str()), ("main.py", SLOW)];
            let wanted = json!({"retry": "platform"});
            let scenario = Scenario::new(&server, "again", &files, wanted).await;
            scenario.release("v1").await;
            let tenant = scenario.tenant("t").await;
            let stay = json!({"configs": {"stay": "yes"}});
            server.patch(&format!("/v2/tenants/{tenant}"), stay).await.expect(200);
            scenario.sync(tenant).await;
            (tenant, live_run(&server, tenant, 1).await)
        };
        // The node is lost with the run, and then with the one that repeats it.
        server.kill();
        server.restart();
        let second = live_run(&server, tenant, 2).await;
        assert_eq!((&second["rerun_of"], &second["release_id"]), (&first["id"], &first["release_id"]));
        let lost = server.get(&format!("/v2/runs/{}", first["id"])).await.expect(200);
        assert_eq!(lost["status"]["phase"], "Failed (Platform Issue)");
        server.kill();
        server.restart();
        let path = format!("/v2/tenants/{tenant}/runs");
        eventually("both are over", || async {
            let runs = server.get(&path).await.expect(200);
            let over = |run: &Value| run["status"]["phase"] == "Failed (Platform Issue)";
            runs.as_array().unwrap().iter().all(over).then_some(())
        })
        .await;
        // A sync waits behind whatever waits already: it comes next, so nothing does.
        let gone = json!({"configs": {"stay": null}});
        server.patch(&format!("/v2/tenants/{tenant}"), gone).await.expect(200);
        let sync = format!("/v2/tenants/{tenant}/sync?mode=normal");
        let asked = server.post(&sync, Value::Null).await.expect(202)["trigger_id"].clone();
        let status = format!("/v2/runs/triggers/{}/status?wait=30", asked.as_str().unwrap());
        assert_eq!(server.get(&status).await.expect(200)["status"], "Succeeded");
        let runs = server.get(&path).await.expect(200);
        assert_eq!(runs.as_array().unwrap().len(), 3, "{runs}");
    }
}

const COUNTS: &str = r#"
import json, os, time
if os.environ.get("PAN_CFG_STAY"):
    time.sleep(600)
state = json.loads(os.environ.get("PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT", "{}"))
print(json.dumps({"count": state.get("count", 0) + 1}))
"#;

both_databases! {
    async fn a_repetition_turns_no_state_back(database) {
        let mut server = TestServer::start(options(database)).await;
        let code = manifest("python3 main.py");
        let files = [("PANDIUM.yaml", code.as_str()), ("main.py", COUNTS)];
        let tenant = {
            let wanted = json!({"retry": "platform"});
            let scenario = Scenario::new(&server, "counts", &files, wanted).await;
            scenario.release("v1").await;
            let tenant = scenario.tenant("t").await;
            let path = format!("/v2/tenants/{tenant}");
            server.patch(&path, json!({"configs": {"stay": "yes"}})).await.expect(200);
            scenario.sync(tenant).await;
            live_run(&server, tenant, 1).await;
            server.patch(&path, json!({"configs": {"stay": null}})).await.expect(200);
            // Waits behind the one that will be lost, and goes before its repetition.
            scenario.sync(tenant).await;
            tenant
        };
        server.kill();
        server.restart();
        let runs = eventually("the waiting one and the repetition end", || async {
            let runs = server.get(&format!("/v2/tenants/{tenant}/runs")).await.expect(200);
            let succeeded = |run: &&Value| run["status"]["phase"] == "Succeeded";
            let ended = runs.as_array().unwrap().iter().filter(succeeded).count();
            (ended == 2).then_some(runs)
        })
        .await;
        let printed = |run: &Value| run["std_out"].as_str().unwrap().to_owned();
        let outputs = [printed(&runs[1]), printed(&runs[0])];
        assert_eq!(outputs, [r#"{"count": 1}"#, r#"{"count": 2}"#], "{runs}");
        assert!(runs[0]["rerun_of"].is_number());
    }
}

/// The copy knows itself by the same name, and must not take what is the live server's.
#[tokio::test]
async fn a_copy_of_the_data_folder_beside_it_disturbs_no_run() {
    let server = server(marquetry_testkit::Database::Sqlite).await;
    let files = [(
        "PANDIUM.yaml",
        manifest("while [ ! -e /nowhere ]; do sleep 0.1; done"),
    )];
    let files = [(files[0].0, files[0].1.as_str())];
    let scenario = Scenario::new(&server, "shop", &files, json!({})).await;
    scenario.release("v1").await;
    let tenant = scenario.tenant("t").await;
    scenario.sync(tenant).await;
    let live = live_run(&server, tenant, 1).await;
    let mut copy = server.start_copy(options(marquetry_testkit::Database::Sqlite));
    let theirs = copy
        .get(&format!("/v2/runs/{}", live["id"]))
        .await
        .expect(200);
    assert_eq!(
        theirs["status"]["phase"], "Failed (Platform Issue)",
        "lost, for the copy"
    );
    assert!(copy.stop().success());
    let ours = server
        .get(&format!("/v2/runs/{}", live["id"]))
        .await
        .expect(200);
    assert_eq!(ours["status"]["phase"], "Running");
    server
        .post(&format!("/v2/runs/{}/cancel", live["id"]), Value::Null)
        .await
        .expect(200);
    // Its scratch is still there for another one.
    let next = scenario.sync(tenant).await;
    let next_run = live_run(&server, tenant, 2).await;
    server
        .post(&format!("/v2/runs/{}/cancel", next_run["id"]), Value::Null)
        .await
        .expect(200);
    assert_eq!(scenario.end(&next).await["status"]["phase"], "Cancelled");
}

/// The newest of a tenant's runs, when there are so many and it is at work.
async fn live_run(server: &TestServer, tenant: i64, count: usize) -> Value {
    eventually("a run is live", || async {
        let runs = server
            .get(&format!("/v2/tenants/{tenant}/runs"))
            .await
            .expect(200);
        let live =
            runs.as_array().unwrap().len() == count && runs[0]["status"]["phase"] == "Running";
        live.then(|| runs[0].clone())
    })
    .await
}

/// Ten tenants with a live run each and one trigger waiting behind it, and a build at work.
async fn set_the_scene(server: &TestServer) -> (i64, Vec<i64>, Vec<(String, String)>, i64) {
    let quick = slow_manifest("true");
    let files = [("PANDIUM.yaml", quick.as_str()), ("main.py", SLOW)];
    let scenario = Scenario::new(server, "crash", &files, json!({})).await;
    scenario.release("v1").await;
    let mut tenants = Vec::new();
    let mut accepted = Vec::new();
    for n in 0..10 {
        let tenant = scenario.tenant(&format!("t{n}")).await;
        let stay = json!({"configs": {"stay": "yes"}});
        server
            .patch(&format!("/v2/tenants/{tenant}"), stay)
            .await
            .expect(200);
        tenants.push(tenant);
        let live = scenario.sync(tenant).await;
        eventually("the run is live", || async {
            let runs = server
                .get(&format!("/v2/tenants/{tenant}/runs"))
                .await
                .expect(200);
            (runs[0]["status"]["phase"] == "Running").then_some(())
        })
        .await;
        accepted.push((live, scenario.sync(tenant).await));
    }
    eventually("twenty processes", || async {
        (processes(&mark()).len() >= 20).then_some(())
    })
    .await;
    // What is begun after the restart ends at once.
    for tenant in &tenants {
        let gone = json!({"configs": {"stay": null}});
        server
            .patch(&format!("/v2/tenants/{tenant}"), gone)
            .await
            .expect(200);
    }
    // Stays for a while the first time: the package cache outlives the attempt.
    let once = format!(
        "test -e $npm_config_cache-tried || {{ touch $npm_config_cache-tried; python3 -c 'import time; time.sleep(600)' {}; }}",
        mark()
    );
    scenario
        .repository
        .commit(&[("PANDIUM.yaml", &slow_manifest(&once))]);
    let body = json!({"integration_id": scenario.integration, "tag": "v2"});
    let build = server
        .post("/v2/sourcecontrol/build", body)
        .await
        .expect(201)["id"]
        .as_i64()
        .unwrap();
    let tried = server
        .data_dir
        .path()
        .join(format!("cache/{}/npm-tried", scenario.integration));
    eventually("the build is at work", || async {
        tried.exists().then_some(())
    })
    .await;
    (scenario.integration, tenants, accepted, build)
}

struct Story<'a> {
    server: &'a TestServer,
    integration: i64,
}

impl Story<'_> {
    async fn runs(&self) -> Vec<Value> {
        let path = format!("/v2/runs?integration_id={}&limit=500", self.integration);
        self.server
            .get(&path)
            .await
            .expect(200)
            .as_array()
            .unwrap()
            .clone()
    }

    async fn check_interrupted(&self, accepted: &[(String, String)]) {
        for (live, _) in accepted {
            let path = format!("/v2/runs/triggers/{live}/status");
            let status = self.server.get(&path).await.expect(200);
            assert_eq!(status["status"], "Failed (Platform Issue)");
        }
    }

    async fn check_each_once(&self, accepted: &[(String, String)]) {
        for (_, waiting) in accepted {
            eventually("the waiting trigger's run ends", || async {
                let path = format!("/v2/runs/triggers/{waiting}/status?wait=5");
                let answer = self.server.get(&path).await;
                (answer.status == 200 && answer.json()["status"] == "Succeeded").then_some(())
            })
            .await;
        }
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        for run in self.runs().await {
            for trigger in run["triggers"].as_array().unwrap() {
                *taken.entry(trigger["id"].to_string()).or_default() += 1;
            }
        }
        for (live, waiting) in accepted {
            assert_eq!((taken.get(live), taken.get(waiting)), (Some(&1), Some(&1)));
        }
    }
}

/// Processes with a word in their command line, whoever's they are.
pub(crate) fn processes(word: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        (line.contains(word) && pid != std::process::id()).then_some(line)
    });
    lines.collect()
}

fn check_nothing_left(data: &Path) {
    let work: Vec<_> = std::fs::read_dir(data.join("work"))
        .unwrap()
        .flatten()
        .collect();
    assert!(work.is_empty(), "{work:?}");
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(data.to_str().unwrap()), "{mounts}");
    let node = std::fs::read_to_string(data.join("node")).unwrap();
    let memory = Path::new("/dev/shm").join(format!("marquetry-{}", node.trim()));
    assert!(!memory.exists(), "{} is left", memory.display());
    for controller in ["memory", "pids", "unified"] {
        let root = Path::new("/sys/fs/cgroup").join(controller);
        assert!(
            !contains_folder(&root, node.trim(), 3),
            "a control group is left in {}",
            root.display()
        );
    }
}

fn contains_folder(root: &Path, word: &str, depth: usize) -> bool {
    let Ok(entries) = std::fs::read_dir(root) else {
        return false;
    };
    entries
        .flatten()
        .filter(|e| e.path().is_dir())
        .any(|entry| {
            entry.file_name().to_string_lossy().contains(word)
                || (depth > 0 && contains_folder(&entry.path(), word, depth - 1))
        })
}

both_databases! {
    async fn an_accepted_trigger_survives_at_once(database) {
        let mut server = server(database).await;
        let files = [("PANDIUM.yaml", &*manifest("true"))];
        let scenario = Scenario::new(&server, "durable", &files, json!({})).await;
        scenario.release("v1").await;
        let integration = scenario.integration;
        let tenant = scenario.tenant("t").await;
        let trigger = scenario.sync(tenant).await;
        server.kill();
        server.restart();
        let story = Story { server: &server, integration };
        eventually("the run of the accepted trigger ends", || async {
            let answer = server.get(&format!("/v2/runs/triggers/{trigger}/status")).await;
            (answer.status == 200 && answer.json()["status"] != "Running").then_some(())
        })
        .await;
        let count = story.runs().await.len();
        assert_eq!(count, 1);
    }
}
