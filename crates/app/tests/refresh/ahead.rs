//! Renewal ahead of time, by nobody's wish.

use std::time::Duration;

use marquetry_app::connections::tend::connection_tend;
use marquetry_app::integrations::integration_archive;
use marquetry_model::ConnectionStatus;
use marquetry_testkit::{Database, Trouble, both_databases};
use serde_json::json;

use crate::ground::Ground;

const HOUR: Duration = Duration::from_secs(3600);

both_databases! {
    async fn a_token_is_renewed_ahead_of_its_end(database) {
        let ground = Ground::of_oauth2(database).await;
        assert_eq!(ground.tend().await, None);
        let tenant = ground.tenant().await;
        ground.consent(tenant).await;
        let mut row = ground.row(tenant).await;
        for count in 1..=30 {
            let next = ground.tend().await.unwrap();
            let end = row.expires_at.unwrap();
            // Nothing wakes up in between.
            let ahead = end.since(next);
            assert!(Duration::from_secs(300) < ahead && ahead < HOUR / 2, "{next:?} {end:?}");
            assert_eq!(ground.provider.counters().refreshes, count - 1);
            ground.move_to(next);
            let after = ground.tend().await.unwrap();
            assert!(after.since(ground.now()) > HOUR / 2 || after == row.check_at.unwrap());
            row = ground.row(tenant).await;
            assert_eq!(row.status, ConnectionStatus::Connected);
            assert!(row.expires_at.unwrap() > end);
        }
        let counters = ground.provider.counters();
        assert_eq!((counters.refreshes, counters.refresh_tokens_reused), (30, 0));
    }
}

both_databases! {
    async fn a_provider_in_trouble_is_asked_again_but_not_all_the_time(database) {
        let ground = Ground::of_oauth2(database).await;
        let tenant = ground.tenant().await;
        ground.consent(tenant).await;
        ground.provider.lasting_trouble("/token", Trouble::Status(503));
        ground.provider.forget_requests();
        // The look is due, too, and cannot be had without a token.
        ground.advance(24 * HOUR);
        let next = ground.tend().await.unwrap();
        assert!(next.since(ground.now()) >= Duration::from_secs(300));
        assert!(ground.provider.requests_to("/token").len() <= 6);
        let row = ground.row(tenant).await;
        assert_eq!(row.status, ConnectionStatus::Connected);
        assert!(row.reason.unwrap().contains("503"));
        ground.provider.end_trouble();
        ground.move_to(next);
        ground.tend().await;
        let row = ground.row(tenant).await;
        assert_eq!((row.reason, ground.provider.counters().refreshes), (None, 1));
    }
}

both_databases! {
    async fn a_consent_that_was_taken_back_is_told_once(database) {
        let ground = Ground::of_oauth2(database).await;
        let tenant = ground.tenant().await;
        ground.consent(tenant).await;
        ground.provider.revoke_all();
        let next = ground.tend().await.unwrap();
        ground.move_to(next);
        assert_eq!(ground.tend().await, None);
        let row = ground.row(tenant).await;
        assert_eq!((row.status, row.changed_at), (ConnectionStatus::NeedsReconnect, next));
        assert!(row.reason.unwrap().contains("invalid_grant"));
        ground.advance(HOUR);
        ground.consent(tenant).await;
        let row = ground.row(tenant).await;
        assert_eq!((row.status, row.reason), (ConnectionStatus::Connected, None));
        assert_eq!(row.changed_at, ground.now());
        assert!(ground.tend().await.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_lost_its_tokens_or_its_definition_lets_nodes_rest() {
    let ground = Ground::of_oauth2(Database::Sqlite).await;
    let tenant = ground.tenant().await;
    ground.consent(tenant).await;
    let simple = json!({
        "name": "demo", "title": "Demo", "auth": {"kind": "api_key", "inject": []},
        "base_url": ground.provider.url(),
    });
    ground.define(&simple).await;
    ground.advance(HOUR);
    let next = ground.tend().await.unwrap();
    assert!(next.since(ground.now()) >= HOUR);
    let mut tx = ground.inside.app.store.write().await.unwrap();
    let deleted = marquetry_store::connectors::delete(&mut tx, "demo").await;
    assert!(deleted.unwrap());
    tx.commit().await.unwrap();
    ground.move_to(next);
    // Another node may know it.
    assert_eq!(ground.tend().await, Some(ground.now().plus(HOUR)));
    assert_eq!(ground.row(tenant).await.status, ConnectionStatus::Connected);
}

both_databases! {
    async fn nothing_is_renewed_for_an_integration_that_is_archived(database) {
        let ground = Ground::of_oauth2(database).await;
        let tenant = ground.tenant().await;
        ground.consent(tenant).await;
        let archived = integration_archive(&ground.ctx(), ground.integration, true).await;
        archived.unwrap();
        let row = ground.row(tenant).await;
        assert_eq!((row.status, row.sealed), (ConnectionStatus::Disconnected, None));
        assert_eq!(ground.tend().await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_open_is_told_now_and_then() {
    let ground = Ground::of_oauth2(Database::Sqlite).await;
    let tenant = ground.tenant().await;
    ground.consent(tenant).await;
    let row = ground.row(tenant).await;
    let intact = row.sealed.clone();
    ground.set_sealed(&row, Some("damaged")).await;
    ground.advance(HOUR);
    let told = connection_tend(&ground.ctx(), row.id).await;
    assert!(told.is_err());
    let next = ground.tend().await.unwrap();
    assert_eq!(next.since(ground.now()), HOUR);
    // It was mended meanwhile.
    ground
        .set_sealed(&ground.row(tenant).await, intact.as_deref())
        .await;
    ground.move_to(next);
    ground.tend().await;
    assert_eq!(ground.provider.counters().refreshes, 1);
}
