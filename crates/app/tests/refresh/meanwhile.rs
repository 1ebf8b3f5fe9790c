//! What somebody does to a connection while it is being renewed counts.

use std::time::Duration;

use marquetry_app::connections::credentials::Owner;
use marquetry_app::connections::disconnect::connector_disconnect;
use marquetry_app::connections::run::{RunSecrets, run_secrets};
use marquetry_model::TenantId;
use marquetry_testkit::{Trouble, both_databases, eventually};
use tokio::task::JoinHandle;

use crate::ground::Ground;

both_databases! {
    async fn whoever_connects_again_meanwhile_is_not_told_to(database) {
        let ground = Ground::of_oauth2(database).await;
        let tenant = ground.tenant().await;
        ground.consent(tenant).await;
        ground.provider.revoke_all();
        let run = run_that_renews(&ground, tenant).await;
        ground.consent(tenant).await;
        let given = run.await.unwrap();
        let token = token(&given).expect("it is connected");
        assert!(ground.provider.is_live(&token));
        assert_eq!(ground.row(tenant).await.reason, None);
    }
}

both_databases! {
    async fn whoever_is_disconnected_meanwhile_stays_so(database) {
        let ground = Ground::of_oauth2(database).await;
        let tenant = ground.tenant().await;
        ground.consent(tenant).await;
        let run = run_that_renews(&ground, tenant).await;
        let done = connector_disconnect(&ground.ctx(), Owner::Tenant(tenant), "demo").await;
        done.unwrap();
        let given = run.await.unwrap();
        assert_eq!((token(&given), given.missing), (None, vec!["demo".to_owned()]));
        assert_eq!(ground.row(tenant).await.sealed, None);
    }
}

/// A run whose token has ended, and whose request for another is at the provider now.
async fn run_that_renews(ground: &Ground, tenant: TenantId) -> JoinHandle<RunSecrets> {
    let mut job = ground.job().await;
    job.tenant.id = tenant;
    ground.advance(Duration::from_secs(3600));
    let slow = Trouble::Slow(Duration::from_millis(800));
    ground.provider.trouble("/token", 1, slow);
    ground.provider.forget_requests();
    let ctx = ground.ctx();
    let run = tokio::spawn(async move {
        let given = run_secrets(&ctx, &job, Duration::from_secs(600)).await;
        given.map_err(|why| why.to_string()).unwrap()
    });
    eventually("the provider is asked", || async {
        let asked = ground.provider.requests_to("/token");
        (!asked.is_empty()).then_some(())
    })
    .await;
    run
}

fn token(given: &RunSecrets) -> Option<String> {
    let mut variables = given.variables.iter();
    let found = variables.find(|(name, _)| name == "PAN_SEC_DEMO_ACCESS_TOKEN");
    found.map(|(_, value)| value.clone())
}
