//! The disk of a server is full for a while.

use marquetry_testkit::{Scenario, TestServer, both_databases, eventually, manifest, skipped};
use serde_json::{Value, json};

use crate::options;

/// Has much to say while there is no room for it, and ends meanwhile.
const CODE: &str = r#"
import sys, time
for n in range(300):
    print(f"part {n} " + "x" * 2000, file=sys.stderr, flush=True)
time.sleep(2)
print("{\"it\": \"has ended\"}")
"#;

both_databases! {
    async fn what_was_accepted_ends_when_there_is_room_again(database) {
        if !is_root() {
            skipped("a full disk: only root can make a small one");
            return;
        }
        let server = TestServer::start(options(database).with_small_disk(64)).await;
        let code = manifest("python3 main.py");
        let files = [("PANDIUM.yaml", &*code), ("main.py", CODE)];
        let scenario = Scenario::new(&server, "talks", &files, json!({})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("acme").await;
        let first = scenario.sync(tenant).await;
        server.live_run(tenant, "part 3").await;
        server.disk().fill();
        let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
        let payload = json!({"long": "y".repeat(100_000)});
        let mut accepted = vec![first];
        // What is refused says for how long; what is not is kept.
        for _ in 0..5 {
            let answer = server.post(&path, payload.clone()).await;
            match answer.status {
                202 => accepted.push(trigger_of(&answer.json())),
                503 => assert!(answer.headers.contains_key("retry-after"), "{answer:?}"),
                _ => panic!("{answer:?}"),
            }
        }
        assert!(accepted.len() < 6, "a payload has no room");
        assert_eq!(server.get("/v2/tenants").await.status, 200, "it can be read");
        // The run ends meanwhile.
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        server.disk().free();
        let later = eventually("it takes triggers again", async || {
            let answer = server.post(&path, Value::Null).await;
            (answer.status == 202).then(|| trigger_of(&answer.json()))
        })
        .await;
        accepted.push(later);
        for trigger in &accepted {
            scenario.over(trigger).await;
            let run = scenario.run_of(trigger).await;
            assert_eq!(run["status"]["phase"], "Succeeded", "{run}");
            let log = server.run_log(&run).await;
            let parts = log.lines().filter(|line| line.starts_with("part "));
            assert_eq!(parts.count(), 300);
        }
    }
}

fn trigger_of(made: &Value) -> String {
    made["trigger_id"].as_str().unwrap().to_owned()
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}
