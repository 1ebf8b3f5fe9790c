//! Nothing due costs next to nothing, however many schedules there are.

use std::time::Duration;

use marquetry_testkit::{Database, TestServer, both_databases};
use serde_json::{Value, json};

use crate::options;
use crate::usage::{anonymous, used};

/// Longer than the pause between two looks without a hint.
const WATCHED: Duration = Duration::from_secs(35);

/// Longer than it takes until PostgreSQL counts what a connection that rests has done.
const SETTLED: Duration = Duration::from_secs(12);

/// Tenants with a schedule, of the server that has many.
const MANY: usize = 100_000;

/// KiB of a server at rest: 25 MB.
const AT_REST: u64 = 24_400;

/// KiB that many schedules may take: 10 MB, a hundred bytes for each. All of them are rows, none is in
/// memory.
const OF_SCHEDULES: u64 = 9_760;

/// A server that has just started, with so many tenants whose schedule is due once a year.
async fn scheduled(database: Database, tenants: usize) -> TestServer {
    let mut server = TestServer::start(options(database)).await;
    let body = json!({"name": "shop", "long_name": "Shop"});
    server.post("/v2/integrations", body).await.expect(201);
    let yearly = json!({"name": "acme", "integration_id": 1, "user_schedule": "0 0 1 1 *"});
    server.post("/v2/tenants", yearly).await.expect(200);
    let resumed = json!({"paused": false});
    server.patch("/v2/tenants/1", resumed).await.expect(200);
    server.stop();
    server.multiply_tenant(1, tenants).await;
    server.restart();
    let last = server.get(&format!("/v2/tenants/{tenants}")).await;
    let last = last.expect(200);
    assert_ne!(last["schedule"], Value::Null);
    assert_eq!(last["paused"], false);
    server
}

both_databases! {
    async fn an_idle_server_sleeps(database) {
        let servers = [scheduled(database, 1).await, scheduled(database, MANY).await];
        tokio::time::sleep(SETTLED).await;
        let mut before = Vec::new();
        for server in &servers {
            before.push((used(server.pid()), server.transactions().await));
        }
        tokio::time::sleep(WATCHED).await;
        for (server, (before, transactions)) in servers.iter().zip(before) {
            let (after, later) = (used(server.pid()), server.transactions().await);
            let hundredths = after.hundredths.saturating_sub(before.hundredths);
            // Threads that are no longer needed have ended meanwhile, with what they had counted.
            let wakes = after.wakes.saturating_sub(before.wakes);
            let queries = later.unwrap_or(0) - transactions.unwrap_or(0);
            // 0.05 s of a processor in 60 s are allowed to a build that is optimized.
            assert!(hundredths <= 5, "{hundredths}/100 s");
            assert!(wakes < 150, "woken {wakes} times");
            // Each of the loops looks once or twice, for one to three things.
            assert!(queries <= 32, "{queries} transactions");
        }
        let [few, many] = servers.map(|server| anonymous(server.pid()));
        assert!(few <= AT_REST, "{few} KiB");
        let grown = many.saturating_sub(few);
        assert!(grown <= OF_SCHEDULES, "{grown} KiB more with {MANY} schedules");
    }
}
