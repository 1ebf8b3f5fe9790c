//! Two nodes on hosts of their own, cut off from the database and from each other by the packet filter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use marquetry_testkit::{
    Database, Network, PostgresDatabase, Scenario, TestServer, eventually, manifest,
};
use serde_json::{Value, json};

use crate::crash::processes;
use crate::options;

/// Lives for as long as its settings say.
const CODE: &str = r#"
import os, sys, time
print("begun", file=sys.stderr, flush=True)
time.sleep(float(os.environ.get("PAN_CFG_SECONDS", "0.2")))
print('{"done": true}')
"#;

/// The longest that a lease and who looks for ended ones may take, and some time for a slow machine.
const CLOSED: Duration = Duration::from_secs(120);

/// How many processes of each tenant are alive, by the word in their arguments.
fn alive(mark: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for line in processes(mark) {
        // The program itself, not the shell that started it.
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["python3", _, word] = words[..] {
            *found.entry(word.to_owned()).or_default() += 1;
        }
    }
    found
}

/// Looks all the time whether a tenant ever has two processes.
fn watch(mark: String, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<BTreeSet<String>> {
    std::thread::spawn(move || {
        let mut twice = BTreeSet::new();
        while !stop.load(Ordering::SeqCst) {
            let found = alive(&mark);
            twice.extend(
                found
                    .into_iter()
                    .filter(|(_, count)| *count > 1)
                    .map(|(word, _)| word),
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        twice
    })
}

async fn sync(server: &TestServer, tenant: i64) -> String {
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let made = server.post(&path, Value::Null).await.expect(202);
    made["trigger_id"].as_str().unwrap().to_owned()
}

async fn statuses(server: &TestServer) -> Vec<String> {
    let nodes = server.get("/v2/nodes").await.expect(200);
    let nodes = nodes.as_array().unwrap().iter();
    nodes
        .map(|node| node["status"].as_str().unwrap().to_owned())
        .collect()
}

/// How the run of a trigger ended.
async fn phase(server: &TestServer, trigger: &str) -> String {
    let until = Instant::now() + CLOSED;
    let path = format!("/v2/runs/triggers/{trigger}/status?wait=30");
    loop {
        let said = server.get(&path).await.expect(200);
        let phase = said["status"].as_str().unwrap();
        if !["Pending", "Running"].contains(&phase) {
            return phase.to_owned();
        }
        assert!(Instant::now() < until, "trigger {trigger} is still {phase}");
    }
}

/// An integration for each tenant, so that the process says whose it is.
async fn tenants(server: &TestServer, mark: &str) -> Vec<i64> {
    let mut all = Vec::new();
    for number in 0..4 {
        let run = manifest(&format!("exec python3 main.py {mark}-{number}"));
        let files = [("PANDIUM.yaml", run.as_str()), ("main.py", CODE)];
        let name = format!("apart-{number}");
        let scenario = Scenario::new(server, &name, &files, json!({})).await;
        scenario.release("v1").await;
        all.push(scenario.tenant("t").await);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes some minutes, and needs root, ip and nft"]
async fn two_hosts_that_are_cut_off_keep_every_promise() {
    if !Database::Postgres.is_wanted() {
        return;
    }
    let database = Arc::new(PostgresDatabase::create().await);
    let mut network = Network::make();
    let at = network.lead_to(database.socket());
    let (left, right) = (network.host(), network.host());
    let first = TestServer::start_on(options(Database::Postgres).on_host(&left, at), database);
    let second = first.start_beside(options(Database::Postgres).on_host(&right, at));
    let mark = format!("apart-{}", std::process::id());
    let tenants = tenants(&first, &mark).await;
    eventually("both nodes live", || async {
        (statuses(&second).await == ["Live", "Live"]).then_some(())
    })
    .await;
    let stop = Arc::new(AtomicBool::new(false));
    let watched = watch(mark.clone(), Arc::clone(&stop));

    let mut accepted = Vec::new();
    for (cut, host, other, rest) in [
        (&first, &left, &right, &second),
        (&second, &right, &left, &first),
    ] {
        // A run that would last for long, asked for at the node that is going to be cut off.
        let long = json!({"configs": {"seconds": "600"}});
        let path = format!("/v2/tenants/{}", tenants[0]);
        rest.patch(&path, long).await.expect(200);
        let trigger = sync(cut, tenants[0]).await;
        let word = format!("{mark}-0");
        eventually("the long run runs", || async {
            alive(&mark).get(&word).map(drop)
        })
        .await;
        accepted.push(trigger);
        host.cut_off(&[network.own_address(), other.address]);
        let began = Instant::now();
        // The node that is left goes on for everybody, also for the tenant of the run that may be lost.
        let short = json!({"configs": {"seconds": "0.2"}});
        rest.patch(&path, short).await.expect(200);
        while began.elapsed() < Duration::from_secs(40) {
            for tenant in &tenants {
                accepted.push(sync(rest, *tenant).await);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        eventually(
            "the one that is cut off is told to be lost, or both live",
            || async {
                statuses(rest)
                    .await
                    .iter()
                    .any(|status| status != "Live")
                    .then_some(())
            },
        )
        .await;
        host.mend();
        eventually("both nodes live again", || async {
            (statuses(rest).await == ["Live", "Live"]).then_some(())
        })
        .await;
        // It answers, and takes what it is asked for.
        eventually("it answers again", || async {
            (cut.get("/v2/nodes").await.status == 200).then_some(())
        })
        .await;
        accepted.push(sync(cut, tenants[1]).await);
    }

    let mut phases: BTreeMap<String, usize> = BTreeMap::new();
    for trigger in &accepted {
        *phases.entry(phase(&first, trigger).await).or_default() += 1;
    }
    println!("{} triggers: {phases:?}", accepted.len());
    for phase in phases.keys() {
        // A run that was lost with its node is closed as one, and no other fails.
        let known = ["Succeeded", "Failed (Platform Issue)"];
        assert!(known.contains(&phase.as_str()), "{phases:?}");
    }
    assert!(
        phases["Failed (Platform Issue)"] >= 1,
        "a cut took a run with it: {phases:?}"
    );
    assert!(phases["Succeeded"] * 10 > accepted.len() * 9, "{phases:?}");
    let mut taken = 0;
    for tenant in &tenants {
        taken += crate::outage::taken(&first, *tenant).await;
    }
    assert_eq!(taken, accepted.len(), "each in one run");
    stop.store(true, Ordering::SeqCst);
    assert_eq!(
        watched.join().unwrap(),
        BTreeSet::new(),
        "tenants with two processes"
    );
    eventually("no process is left", || async {
        alive(&mark).is_empty().then_some(())
    })
    .await;
}
