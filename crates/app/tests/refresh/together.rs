//! Many who need the same credentials at once, on two nodes: one of them renews, and all have what it got.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use marquetry_app::connections::run::run_secrets;
use marquetry_app::connections::tend::connection_tend;
use marquetry_app::jobs::RunJob;
use marquetry_app::{App, Ctx};
use marquetry_model::{ConnectionId, ConnectionStatus, TenantId};
use marquetry_testkit::{Trouble, both_databases};
use tokio::task::JoinSet;

use crate::ground::{Ground, on};

const CONNECTIONS: usize = 50;
const ROUNDS: usize = 20;

both_databases! {
    async fn a_refresh_token_is_never_spent_twice(database) {
        let ground = Ground::of_oauth2(database).await;
        let second = ground.inside.second_node().await;
        let nodes = [Arc::clone(&ground.inside.app), second];
        let job = ground.job().await;
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let tenant = ground.tenant().await;
            ground.consent(tenant).await;
            connections.push((tenant, ground.row(tenant).await.id));
        }
        for round in 1..=ROUNDS {
            // All of them have ended.
            ground.advance(Duration::from_secs(3600));
            if round % 7 == 0 {
                ground.provider.trouble("/token", 10, Trouble::Status(503));
                ground.provider.trouble("/token", 10, Trouble::Closed);
            }
            all_at_once(&ground, &nodes, &job, &connections).await;
            let counters = ground.provider.counters();
            assert_eq!(counters.refresh_tokens_reused, 0, "round {round}");
            assert_eq!(counters.refreshes, round * CONNECTIONS, "round {round}");
        }
        for (tenant, _) in connections {
            let row = ground.row(tenant).await;
            assert_eq!((row.status, row.reason), (ConnectionStatus::Connected, None));
        }
    }
}

/// Each connection is renewed ahead of time on one of the nodes, and for runs on both.
async fn all_at_once(
    ground: &Ground,
    nodes: &[Arc<App>; 2],
    job: &RunJob,
    connections: &[(TenantId, ConnectionId)],
) {
    let mut callers = JoinSet::new();
    for (number, (tenant, id)) in connections.iter().enumerate() {
        let (ctx, id) = (on(&nodes[number % 2]), *id);
        callers.spawn(async move {
            connection_tend(&ctx, id).await.unwrap();
            None
        });
        for node in nodes {
            let mut job = job.clone();
            job.tenant.id = *tenant;
            callers.spawn(run(on(node), job));
        }
    }
    let mut tokens = HashSet::new();
    for (tenant, token) in callers.join_all().await.into_iter().flatten() {
        assert!(
            ground.provider.is_live(&token),
            "tenant {tenant} got a token that has ended"
        );
        tokens.insert(token);
    }
    assert_eq!(
        tokens.len(),
        connections.len(),
        "one token for all who asked at once"
    );
}

async fn run(ctx: Ctx, job: RunJob) -> Option<(TenantId, String)> {
    let given = run_secrets(&ctx, &job, Duration::from_secs(600)).await;
    let given = given.map_err(|why| why.to_string()).unwrap();
    let mut variables = given.variables.into_iter();
    let token = variables.find(|(name, _)| name == "PAN_SEC_DEMO_ACCESS_TOKEN");
    Some((job.tenant.id, token.unwrap().1))
}

both_databases! {
    async fn who_waits_for_a_renewal_that_fails_does_not_ask_again(database) {
        let ground = Ground::of_oauth2(database).await;
        let second = ground.inside.second_node().await;
        let mut job = ground.job().await;
        let tenant = ground.tenant().await;
        ground.consent(tenant).await;
        job.tenant.id = tenant;
        ground.advance(Duration::from_secs(3600));
        ground.provider.forget_requests();
        ground.provider.lasting_trouble("/token", Trouble::Status(503));
        let mut callers = JoinSet::new();
        for node in [&ground.inside.app, &second].repeat(10) {
            let (ctx, job) = (on(node), job.clone());
            callers.spawn(async move { run_secrets(&ctx, &job, Duration::from_secs(600)).await.is_err() });
        }
        assert!(callers.join_all().await.into_iter().all(|failed| failed));
        // Three tries for all who asked together; one who comes late on a busy machine may begin again.
        let asked = ground.provider.requests_to("/token").len();
        assert!(asked <= 9, "{asked}");
        // The next one asks.
        ground.provider.end_trouble();
        run(ground.ctx(), job).await;
        assert_eq!(ground.provider.counters().refreshes, 1);
    }
}
