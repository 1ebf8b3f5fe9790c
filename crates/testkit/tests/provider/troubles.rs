//! How providers differ, and what goes wrong with them.

use std::time::{Duration, Instant};

use marquetry_testkit::{ExpiresIn, Provider, TokenFormat, Trouble};
use serde_json::json;

use crate::client::{Answer, ask, form, refresh, tokens};

const OWN: [(&str, &str); 1] = [("grant_type", "client_credentials")];

async fn own(provider: &Provider) -> Answer {
    ask(provider, "/token", &OWN).await
}

#[tokio::test]
async fn tokens_are_written_in_many_ways() {
    let provider = Provider::start().await;
    provider.behave(|b| b.expires_in = ExpiresIn::Text);
    assert_eq!(own(&provider).await.json()["expires_in"], "3600");
    provider.behave(|b| b.expires_in = ExpiresIn::Absent);
    assert_eq!(own(&provider).await.json().get("expires_in"), None);

    provider.behave(|b| {
        b.extra.insert("ok".into(), json!(true));
        let place = json!("https://a.example");
        b.extra.insert("instance_url".into(), place);
    });
    assert_eq!(
        own(&provider).await.field("instance_url"),
        "https://a.example"
    );
    provider.behave(|b| b.nested_in = Some("authed_user".into()));
    let nested = own(&provider).await.json();
    assert_eq!(
        (nested.get("access_token"), &nested["ok"]),
        (None, &json!(true))
    );
    let token = nested["authed_user"]["access_token"].as_str().unwrap();
    assert!(provider.is_live(token));

    provider.behave(|b| {
        b.nested_in = None;
        b.token_format = TokenFormat::FormUnlessAsked;
    });
    let written = own(&provider).await;
    assert_eq!(
        written.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert!(
        written.text.starts_with("access_token=leak-"),
        "{written:?}"
    );
    assert!(
        written
            .text
            .contains("instance_url=https%3A%2F%2Fa.example")
    );
    let (id, secret) = (provider.client_id(), provider.client_secret());
    let asked = form(&provider, "/token", &OWN).basic_auth(id, Some(secret));
    let asked = asked.header("accept", "application/json");
    let written = crate::client::answer(asked).await;
    assert!(provider.is_live(&written.field("access_token")));
}

#[tokio::test]
async fn troubles_come_in_their_order_and_pass() {
    let provider = Provider::start().await;
    provider.trouble("/token", 2, Trouble::Status(503));
    provider.trouble("/token", 1, Trouble::OAuthError("invalid_grant".into()));
    provider.trouble("/token", 1, Trouble::NotOk("token_revoked".into()));
    provider.trouble("/token", 1, Trouble::Html);
    provider.trouble("/token", 1, Trouble::RateLimited(7));
    provider.trouble("/token", 1, Trouble::Oversize(1 << 20));
    assert_eq!(own(&provider).await.status, 503);
    assert_eq!(own(&provider).await.status, 503);
    assert_eq!(own(&provider).await.error(), (400, "invalid_grant".into()));
    assert_eq!(own(&provider).await.error(), (200, "token_revoked".into()));
    let page = own(&provider).await;
    assert!(page.text.starts_with("<!doctype html>") && page.status == 200);
    assert_eq!(own(&provider).await.headers["retry-after"], "7");
    let big = own(&provider).await;
    assert_eq!(
        (big.text.len(), big.headers.get("content-length")),
        (1 << 20, None)
    );
    assert_eq!(provider.counters().tokens, 0);
    assert_eq!(own(&provider).await.status, 200);
    assert_eq!(provider.requests_to("/token").len(), 8);

    provider.lasting_trouble("/token", Trouble::Slow(Duration::from_millis(30)));
    let start = Instant::now();
    assert_eq!(own(&provider).await.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(30));
    provider.end_trouble();
    provider.trouble("/token", 1, Trouble::Closed);
    let (id, secret) = (provider.client_id(), provider.client_secret());
    let asked = || form(&provider, "/token", &OWN).basic_auth(id, Some(secret));
    assert!(asked().send().await.is_err());
    assert_eq!(asked().send().await.unwrap().status(), 200);
    assert_eq!(provider.counters().tokens, 3);
}

/// What no client can prevent: the new refresh token never arrives.
#[tokio::test]
async fn an_answer_may_be_lost_on_its_way() {
    let provider = Provider::start().await;
    let (_, token) = tokens(&provider).await;
    provider.trouble("/token", 1, Trouble::AnswerLost);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &token)];
    let (id, secret) = (provider.client_id(), provider.client_secret());
    let asked = form(&provider, "/token", &fields).basic_auth(id, Some(secret));
    assert!(asked.send().await.is_err());
    assert_eq!(provider.counters().refreshes, 1);
    let again = refresh(&provider, &token).await;
    assert_eq!(again.error(), (400, "invalid_grant".into()));
}
