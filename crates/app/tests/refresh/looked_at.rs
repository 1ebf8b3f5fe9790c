//! Whether a connection works is looked at from time to time.

use std::time::Duration;

use marquetry_app::connections::credentials::{Owner, credentials_put};
use marquetry_model::ConnectionStatus::{Connected, NeedsReconnect};
use marquetry_testkit::{Trouble, both_databases};
use serde_json::json;

use crate::ground::{Ground, values};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn refused() -> Trouble {
    Trouble::OAuthError("no_such_account".to_owned())
}

both_databases! {
    async fn a_key_that_is_refused_needs_to_be_entered_again(database) {
        let ground = Ground::new(database).await;
        let definition = json!({
            "name": "demo",
            "title": "Demo",
            "auth": {"kind": "api_key", "inject": [
                {"in": "header", "name": "X-Api-Key", "value": "{{key}}"}
            ]},
            "fields": [{"name": "key", "secret": true, "required": true}],
            "base_url": ground.provider.url(),
            "check": {"url": "/api/key"},
        });
        ground.define(&definition).await;
        let tenant = ground.tenant().await;
        let enter = || async {
            let key = values(&[("key", &ground.provider.credentials().api_key)]);
            let ctx = ground.ctx();
            let put = credentials_put(&ctx, Owner::Tenant(tenant), "demo", key, true);
            put.await.unwrap();
        };
        enter().await;
        let since = ground.now();
        ground.provider.forget_requests();

        // It works, and nobody wakes up before the next look.
        for day in 1..=3 {
            let next = ground.tend().await.unwrap();
            assert_eq!(next.since(ground.now()), DAY);
            ground.move_to(next);
            ground.tend().await;
            assert_eq!(ground.provider.requests_to("/api/key").len(), day);
        }
        let row = ground.row(tenant).await;
        assert_eq!((row.status, row.changed_at), (Connected, since));

        // Who cannot be asked has not refused.
        ground.provider.trouble("/api/key", 1, Trouble::Status(500));
        ground.advance(DAY);
        let next = ground.tend().await.unwrap();
        let row = ground.row(tenant).await;
        assert_eq!((row.status, row.changed_at), (Connected, since));
        assert!(row.reason.unwrap().contains("500"));
        ground.move_to(next);
        ground.tend().await;
        assert_eq!(ground.row(tenant).await.reason, None);

        // Who says twice what may mean a refusal has refused, and is not asked again.
        ground.provider.lasting_trouble("/api/key", refused());
        ground.advance(DAY);
        let next = ground.tend().await.unwrap();
        let row = ground.row(tenant).await;
        assert_eq!((row.status, row.changed_at), (Connected, since));
        assert!(row.reason.as_ref().unwrap().contains("400"), "{row:?}");
        ground.move_to(next);
        assert_eq!(ground.tend().await, None);
        let row = ground.row(tenant).await;
        assert_eq!((row.status, row.changed_at), (NeedsReconnect, ground.now()));
        assert!(row.reason.as_ref().unwrap().contains("400"), "{row:?}");
        ground.provider.forget_requests();
        ground.advance(40 * DAY);
        assert_eq!(ground.tend().await, None);
        assert_eq!(ground.provider.requests().len(), 0);

        ground.provider.end_trouble();
        enter().await;
        let row = ground.row(tenant).await;
        assert_eq!((row.status, row.reason, row.changed_at), (Connected, None, ground.now()));
        assert_eq!(ground.tend().await, Some(ground.now().plus(DAY)));
    }
}

both_databases! {
    async fn a_token_that_is_refused_is_renewed_before_anybody_is_asked(database) {
        let ground = Ground::of_oauth2(database).await;
        ground.provider.behave(|it| it.token_lifetime = 30 * DAY);
        let tenant = ground.tenant().await;
        ground.consent(tenant).await;
        let since = ground.now();

        ground.provider.expire_all();
        ground.advance(DAY);
        let next = ground.tend().await.unwrap();
        assert_eq!(next.since(ground.now()), DAY);
        let row = ground.row(tenant).await;
        assert_eq!((row.status, row.reason, row.changed_at), (Connected, None, since));
        assert_eq!(ground.provider.counters().refreshes, 1);

        // The new one is refused, too: the account itself is no good.
        ground.provider.lasting_trouble("/api/me", Trouble::Status(401));
        ground.move_to(next);
        assert_eq!(ground.tend().await, None);
        let row = ground.row(tenant).await;
        assert_eq!((row.status, row.changed_at), (NeedsReconnect, next));
        assert!(row.reason.unwrap().contains("401"));
        assert_eq!(ground.provider.counters().refreshes, 2);

        ground.provider.end_trouble();
        ground.consent(tenant).await;
        let row = ground.row(tenant).await;
        assert_eq!((row.status, row.reason), (Connected, None));
        assert!(ground.tend().await.is_some());
    }
}
