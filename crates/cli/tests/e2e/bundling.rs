//! At most one live run of a tenant, and nothing that was accepted is lost.

use std::collections::BTreeMap;

use marquetry_testkit::{Scenario, both_databases, eventually, manifest};
use serde_json::{Value, json};

use crate::server;

/// Waits until the test lets it go, which it does by cancelling the sleep: a marker in the config
/// says how long to stay.
const SLOW: &str = r#"
import json, os, time
began = time.clock_gettime(time.CLOCK_BOOTTIME)
time.sleep(float(os.environ.get("PAN_CFG_STAY", "0")))
ids = [trigger["id"] for trigger in json.loads(os.environ["PAN_CTX_RUN_TRIGGERS"])]
print(json.dumps({"ids": ids, "began": began, "ended": time.clock_gettime(time.CLOCK_BOOTTIME)}))
"#;

fn files() -> Vec<(&'static str, String)> {
    vec![
        ("PANDIUM.yaml", manifest("python3 main.py")),
        ("main.py", SLOW.to_owned()),
    ]
}

async fn scenario<'a>(server: &'a marquetry_testkit::TestServer, name: &str) -> Scenario<'a> {
    let files = files();
    let files: Vec<(&str, &str)> = files.iter().map(|(n, c)| (*n, c.as_str())).collect();
    let scenario = Scenario::new(server, name, &files, json!({})).await;
    scenario.release("v1").await;
    scenario
}

both_databases! {
    async fn thirty_syncs_meanwhile_make_one_further_run(database) {
        let server = server(database).await;
        let scenario = scenario(&server, "bundle").await;
        let tenant = scenario.tenant("t").await;
        let stay = json!({"configs": {"stay": 2}});
        server.patch(&format!("/v2/tenants/{tenant}"), stay).await.expect(200);
        let first = scenario.sync(tenant).await;
        eventually("the first run is live", || async {
            let status = server.get(&format!("/v2/runs/triggers/{first}/status")).await;
            (status.status == 200 && status.json()["status"] == "Running").then_some(())
        })
        .await;
        let mut accepted = Vec::new();
        for _ in 0..30 {
            accepted.push(scenario.sync(tenant).await);
        }
        let live = server.get(&format!("/v2/runs/triggers/{first}/status")).await.json();
        assert_eq!(live["status"], "Running", "the test was too slow to say anything");
        let none = json!({"configs": {"stay": 0}});
        server.patch(&format!("/v2/tenants/{tenant}"), none).await.expect(200);
        let second = scenario.end(&accepted[29]).await;
        let output: Value = serde_json::from_str(second["std_out"].as_str().unwrap()).unwrap();
        assert_eq!(output["ids"], json!(accepted), "all thirty, in order");
        let runs = server.get(&format!("/v2/tenants/{tenant}/runs")).await.expect(200);
        assert_eq!(runs.as_array().unwrap().len(), 2, "{runs}");
    }
}

both_databases! {
    async fn twenty_tenants_with_thirty_triggers_each(database) {
        let server = server(database).await;
        let scenario = scenario(&server, "crowd").await;
        let mut tenants = Vec::new();
        for n in 0..20 {
            tenants.push(scenario.tenant(&format!("t{n}")).await);
        }
        let all = tenants.iter().flat_map(|tenant| std::iter::repeat_n(*tenant, 30));
        let posts = all.map(|tenant| {
            let scenario = &scenario;
            async move { (tenant, scenario.sync(tenant).await) }
        });
        let accepted = all_at_once(posts.collect()).await;
        for (_, trigger) in &accepted {
            scenario.end(trigger).await;
        }
        let path = format!("/v2/runs?integration_id={}&limit=500", scenario.integration);
        let mut runs = server.get(&path).await.expect(200).as_array().unwrap().clone();
        let more = server.get(&format!("{path}&skip=500")).await.expect(200);
        runs.extend(more.as_array().unwrap().iter().cloned());
        check_exactly_once(&accepted, &runs);
        check_never_two(&runs);
    }
}

/// The futures of a test, a few dozen at a time.
pub(crate) async fn all_at_once<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut done = Vec::new();
    let mut left = futures.into_iter().peekable();
    while left.peek().is_some() {
        let mut some: Vec<_> = left.by_ref().take(60).map(Box::pin).collect();
        let mut answers: Vec<Option<T>> = some.iter().map(|_| None).collect();
        std::future::poll_fn(|context| {
            let mut open = false;
            for (future, answer) in some.iter_mut().zip(&mut answers) {
                if answer.is_none() {
                    match future.as_mut().poll(context) {
                        std::task::Poll::Ready(value) => *answer = Some(value),
                        std::task::Poll::Pending => open = true,
                    }
                }
            }
            if open {
                std::task::Poll::Pending
            } else {
                std::task::Poll::Ready(())
            }
        })
        .await;
        done.extend(answers.into_iter().flatten());
    }
    done
}

fn check_exactly_once(accepted: &[(i64, String)], runs: &[Value]) {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for run in runs {
        assert_eq!(run["status"]["phase"], "Succeeded", "{run}");
        for trigger in run["triggers"].as_array().unwrap() {
            *taken.entry(trigger["id"].to_string()).or_default() += 1;
        }
    }
    for (tenant, trigger) in accepted {
        assert_eq!(
            taken.get(trigger),
            Some(&1),
            "trigger {trigger} of tenant {tenant}"
        );
    }
    assert_eq!(taken.len(), accepted.len());
}

/// As the integration's own clock saw it.
fn check_never_two(runs: &[Value]) {
    let mut spans: BTreeMap<i64, Vec<(f64, f64)>> = BTreeMap::new();
    for run in runs {
        let output: Value = serde_json::from_str(run["std_out"].as_str().unwrap()).unwrap();
        let span = (
            output["began"].as_f64().unwrap(),
            output["ended"].as_f64().unwrap(),
        );
        spans
            .entry(run["tenant_id"].as_i64().unwrap())
            .or_default()
            .push(span);
    }
    for (tenant, mut spans) in spans {
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        for pair in spans.windows(2) {
            assert!(
                pair[0].1 <= pair[1].0,
                "two runs of tenant {tenant} at once: {pair:?}"
            );
        }
    }
}
