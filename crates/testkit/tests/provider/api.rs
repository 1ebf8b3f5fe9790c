//! The API that wants credentials.

use marquetry_testkit::{ApiKeyIn, Provider};
use reqwest::Method;
use serde_json::json;

use crate::client::{answer, call, request, tokens};

#[tokio::test]
async fn each_credential_is_taken_where_it_belongs() {
    let provider = Provider::start().await;
    let get = |path: &str| request(&provider, Method::GET, path);
    for path in [
        "/api/me",
        "/api/connections",
        "/userinfo",
        "/api/basic",
        "/api/oauth1",
    ] {
        let refused = answer(get(path)).await;
        assert_eq!(refused.status, 401, "{path}");
        assert!(refused.headers.contains_key("www-authenticate"), "{path}");
    }
    assert_eq!(answer(get("/api/aws/some/path")).await.status, 403);
    let (access, _) = tokens(&provider).await;
    let connections = call(&provider, "/api/connections", &access).await;
    assert_eq!(connections.json()[1]["tenantId"], "org-2");

    let twice = get("/api/me").bearer_auth("other").bearer_auth(&access);
    assert_eq!(answer(twice).await.status, 400);

    let own = provider.credentials();
    let basic = get("/api/basic").basic_auth(&own.username, Some(&own.password));
    assert_eq!(answer(basic).await.status, 200);
    let in_header = || get("/api/key").header("x-api-key", &own.api_key);
    let in_query = || get("/api/key").query(&[("api_key", &own.api_key)]);
    assert_eq!(answer(in_header()).await.field("in"), "header");
    assert_eq!(answer(in_query()).await.field("in"), "query");
    provider.behave(|b| b.api_key_in = ApiKeyIn::Header);
    assert_eq!(answer(in_query()).await.status, 401);
    provider.behave(|b| b.api_key_in = ApiKeyIn::Query);
    assert_eq!(answer(in_header()).await.status, 401);
}

#[tokio::test]
async fn requests_are_echoed_and_kept() {
    let provider = Provider::start_with_marker("marked").await;
    let path = "/api/echo/a%20b?x=1&x=2&y=%26";
    let sent = request(&provider, Method::PATCH, path).header("x-own", "é");
    let echo = answer(sent.body("text")).await.json();
    assert_eq!(echo["method"], "PATCH");
    assert_eq!(echo["path"], "/api/echo/a%20b");
    assert_eq!(echo["query"], json!({"x": ["1", "2"], "y": "&"}));
    assert_eq!(
        (&echo["headers"]["x-own"], &echo["body"]),
        (&json!("é"), &json!("text"))
    );
    let kept = provider.requests();
    assert_eq!(
        (kept[0].query.as_str(), kept[0].text()),
        ("x=1&x=2&y=%26", "text".into())
    );
    provider.forget_requests();

    let to = "/api/redirect?status=307&to=http%3A%2F%2Fother.example%2F";
    let sent_on = answer(request(&provider, Method::GET, to)).await;
    assert_eq!(
        (sent_on.status, &sent_on.headers["location"]),
        (307, &"http://other.example/".parse().unwrap())
    );
    tokens(&provider).await;
    let secrets = provider.secrets();
    assert_eq!(secrets.len(), 7 + 3);
    assert!(secrets.iter().all(|secret| secret.starts_with("marked-")));
    let paths: Vec<_> = provider.requests().into_iter().map(|r| r.path).collect();
    assert_eq!(paths, ["/api/redirect", "/authorize", "/token"]);
}

#[tokio::test]
async fn it_stops_when_it_is_dropped() {
    let provider = Provider::start().await;
    let asked = request(&provider, Method::GET, "/api/echo");
    let again = asked.try_clone().unwrap();
    assert_eq!(answer(asked).await.status, 200);
    drop(provider);
    assert!(again.send().await.is_err());
}
