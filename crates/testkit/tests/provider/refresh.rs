//! Tokens over time.

use std::time::Duration;

use marquetry_testkit::{Provider, RefreshTokens, Trouble};

use crate::client::{ask, call, refresh, tokens};

#[tokio::test]
async fn a_spent_refresh_token_ends_its_family_and_no_other() {
    let provider = Provider::start().await;
    let (first, old) = tokens(&provider).await;
    let (of_another, _) = tokens(&provider).await;
    let answer = refresh(&provider, &old).await;
    let (second, new) = (answer.field("access_token"), answer.field("refresh_token"));
    assert!(provider.is_live(&first) && provider.is_live(&second));
    assert!(provider.can_refresh(&new) && !provider.can_refresh(&old));

    let again = refresh(&provider, &old).await;
    assert_eq!(again.error(), (400, "invalid_grant".into()));
    assert!(!provider.is_live(&first) && !provider.is_live(&second));
    assert!(provider.is_live(&of_another));
    let after = refresh(&provider, &new).await;
    assert_eq!(after.error(), (400, "invalid_grant".into()));
    let counters = provider.counters();
    assert_eq!((counters.refreshes, counters.refresh_tokens_reused), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_refreshes_at_once_one_is_a_reuse() {
    let provider = Provider::start().await;
    for round in 1..=10 {
        let (_, token) = tokens(&provider).await;
        provider.trouble("/token", 2, Trouble::Slow(Duration::from_millis(20)));
        let (one, other) = tokio::join!(refresh(&provider, &token), refresh(&provider, &token));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400]);
        let won = if one.status == 200 { one } else { other };
        assert!(!provider.is_live(&won.field("access_token")));
        assert_eq!(provider.counters().refresh_tokens_reused, round);
    }
}

#[tokio::test]
async fn a_refresh_token_may_stay_good() {
    let provider = Provider::start().await;
    let (_, token) = tokens(&provider).await;
    for (mode, said) in [
        (RefreshTokens::Repeated, Some(token.as_str())),
        (RefreshTokens::Silent, None),
    ] {
        provider.behave(|b| b.refresh_tokens = mode);
        for _ in 0..2 {
            let answer = refresh(&provider, &token).await.json();
            assert_eq!(answer["refresh_token"].as_str(), said);
        }
    }
    assert_eq!(provider.counters().refresh_tokens_reused, 0);
}

#[tokio::test]
async fn tokens_end_by_time_by_the_client_and_by_the_person() {
    let provider = Provider::start().await;
    provider.behave(|b| b.token_lifetime = Duration::from_secs(60));
    let (first, token) = tokens(&provider).await;
    provider.advance(Duration::from_secs(59));
    assert!(provider.is_live(&first));
    provider.advance(Duration::from_secs(1));
    let refused = call(&provider, "/api/me", &first).await;
    assert_eq!(refused.error(), (401, "invalid_token".into()));
    let challenge = refused.headers["www-authenticate"].to_str().unwrap();
    let expected = r#"Bearer realm="provider", error="invalid_token", error_description="the access token has expired""#;
    assert_eq!(challenge, expected);

    let answer = refresh(&provider, &token).await;
    let (second, token) = (answer.field("access_token"), answer.field("refresh_token"));
    provider.expire_all();
    assert!(!provider.is_live(&second));
    let answer = refresh(&provider, &token).await;
    let (third, token) = (answer.field("access_token"), answer.field("refresh_token"));
    assert!(provider.is_live(&third));
    let revoked = ask(&provider, "/revoke", &[("token", &token)]).await;
    assert_eq!(revoked.status, 200);
    let unknown = ask(&provider, "/revoke", &[("token", "unknown")]).await;
    assert_eq!(unknown.status, 200);
    assert_eq!(provider.counters().revoked, 1);
    assert!(!provider.is_live(&third) && !provider.can_refresh(&token));

    let (fourth, token) = tokens(&provider).await;
    provider.revoke_all();
    assert!(!provider.is_live(&fourth) && !provider.can_refresh(&token));
}
