//! Nothing due costs next to nothing, however many schedules there are.

use std::time::{Duration, Instant};

use marquetry_testkit::{Database, TestServer, both_databases};
use serde_json::{Value, json};

use crate::options;
use crate::usage::{anonymous, rest_of};

/// Longer than the pause between two looks without a hint.
const WATCHED: Duration = Duration::from_secs(35);

/// Longer than what a server does after its start.
const SETTLED: Duration = Duration::from_secs(12);

/// Two looks are at least so far apart: 30 s, but for what a busy machine and a long timer take.
const APART: Duration = Duration::from_secs(24);

/// From the start to the first answer, by a build that is not optimized, on a busy machine: far beyond R6.
const STARTED: Duration = Duration::from_secs(5);

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
    let begun = Instant::now();
    server.restart();
    let last = server.get(&format!("/v2/tenants/{tenants}")).await;
    let last = last.expect(200);
    let took = begun.elapsed();
    assert!(took < STARTED, "{took:?} until the first answer");
    assert_ne!(last["schedule"], Value::Null);
    assert_eq!(last["paused"], false);
    server
}

both_databases! {
    async fn an_idle_server_sleeps(database) {
        let servers = [scheduled(database, 1).await, scheduled(database, MANY).await];
        tokio::time::sleep(SETTLED).await;
        let pids = servers.each_ref().map(TestServer::pid);
        for rest in rest_of(&pids, WATCHED).await {
            // All loops look at the same instant, and who sleeps asks the database nothing.
            assert!((1..=2).contains(&rest.awake.len()), "{rest:?}");
            let apart = rest.awake.windows(2).map(|two| two[1].saturating_sub(two[0]));
            assert!(apart.min().is_none_or(|least| least > APART), "{rest:?}");
            // Each loop asks for one to three things, and each answer wakes two or three threads.
            assert!(rest.wakes < 150, "{rest:?}");
            // 0.05 s of a processor in 60 s are allowed to a build that is optimized.
            assert!(rest.hundredths <= 5, "{rest:?}");
        }
        let [few, many] = servers.map(|server| anonymous(server.pid()));
        assert!(few <= AT_REST, "{few} KiB");
        let grown = many.saturating_sub(few);
        assert!(grown <= OF_SCHEDULES, "{grown} KiB more with {MANY} schedules");
    }
}
