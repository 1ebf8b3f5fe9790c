//! Nothing due costs next to nothing.

use std::time::Duration;

use marquetry_testkit::{TestServer, both_databases};
use serde_json::{Value, json};

use crate::options;

/// Longer than the pause between two looks without a hint.
const WATCHED: Duration = Duration::from_secs(35);

/// Longer than it takes until PostgreSQL counts what a connection that rests has done.
const SETTLED: Duration = Duration::from_secs(12);

/// What a process and its children have used: processor time in hundredths of a second, and how
/// often a thread of theirs slept and was woken.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    hundredths: u64,
    wakes: u64,
}

fn used(pid: u32) -> Used {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}"));
    let stat = read("stat").unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let times = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok());
    let mut used = Used {
        hundredths: times.sum(),
        wakes: 0,
    };
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let wakes = read("status").lines().find_map(|line| {
            line.strip_prefix("voluntary_ctxt_switches:")?
                .trim()
                .parse()
                .ok()
        });
        used.wakes += wakes.unwrap_or(0_u64);
        for child in read("children").split_whitespace() {
            let child = self::used(child.parse().unwrap());
            used.hundredths += child.hundredths;
            used.wakes += child.wakes;
        }
    }
    used
}

both_databases! {
    async fn an_idle_server_sleeps(database) {
        let server = TestServer::start(options(database)).await;
        let body = json!({"name": "shop", "long_name": "Shop"});
        server.post("/v2/integrations", body).await.expect(201);
        let yearly = json!({"name": "acme", "integration_id": 1, "user_schedule": "0 0 1 1 *"});
        let tenant = server.post("/v2/tenants", yearly).await.expect(200);
        server.patch("/v2/tenants/1", json!({"paused": false})).await.expect(200);
        assert_ne!(tenant["schedule"], Value::Null);
        tokio::time::sleep(SETTLED).await;
        let (before, transactions) = (used(server.pid()), server.transactions().await);
        tokio::time::sleep(WATCHED).await;
        let (after, later) = (used(server.pid()), server.transactions().await);
        let hundredths = after.hundredths.saturating_sub(before.hundredths);
        // Threads that are no longer needed have ended meanwhile, with what they had counted.
        let wakes = after.wakes.saturating_sub(before.wakes);
        let queries = later.unwrap_or(0) - transactions.unwrap_or(0);
        // S3 allows 0.05 s of a processor in 60 s, for a build that is optimized.
        assert!(hundredths <= 5, "{hundredths}/100 s");
        assert!(wakes < 150, "woken {wakes} times");
        // Each of the loops looks once or twice, for one to three things.
        assert!(queries <= 32, "{queries} transactions");
    }
}
