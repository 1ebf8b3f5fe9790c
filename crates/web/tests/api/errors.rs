//! Which failure has which status and body.

use std::time::Duration;

use axum::body::Body;
use http::Method;
use marquetry_app::Limits;
use marquetry_testkit::{Inside, both_databases, eventually};
use marquetry_web::WebConfig;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::client::Client;

/// More than may write at once, on either database.
const WRITERS: usize = 20;

#[tokio::test]
async fn what_does_not_exist_has_a_message() {
    let client = Client::new().await;
    for path in [
        "/v2/integrations/7",
        "/v2/integrations/7/releases",
        "/v2/integrations/7/releases/default",
        "/v2/integrations/7/releases/latest",
        "/v2/integrations/x/releases/latest",
        "/v2/integrations/99999999999999999999/releases/latest",
        "/v2/integrations/7/releases/1",
        "/v2/tenants/7",
        "/v2/tenants/7/runs",
        "/v2/tenants/7/release",
        "/v2/tenants/7/integration_release",
        "/v2/runs/7",
        "/v2/runs/7/log",
        "/v2/runs/7/log/stream",
        "/v2/runs/triggers/7/status",
        "/v2/runs/triggers/x/status",
        "/v2/runs/triggers/7/status?wait=60",
        "/v2/builds/7",
        "/v2/builds/7/log?follow=true",
        "/v2/nothing",
        "/nothing",
    ] {
        let body = client.get(path).await.expect(404);
        let fields: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["message"], "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let client = Client::new().await;
    let answer = client.raw(Method::PUT, "/v2/integrations", "").await;
    let body = answer.expect(405);
    assert!(body["message"].is_string());
    assert_eq!(answer.header("allow"), "GET,HEAD,POST");
}

#[tokio::test]
async fn conflicts_have_a_message() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let wanted = json!({"name": "shop", "long_name": "Again"});
    let taken = client.post("/v2/integrations", wanted).await.expect(409);
    assert_eq!(
        taken,
        json!({"message": "an integration named shop exists; choose another name or archive it"})
    );
    let live = client.delete("/v2/integrations/1").await.expect(409);
    assert!(live["message"].as_str().unwrap().contains("?cascade=true"));
    let over = client.post("/v2/builds/1/cancel", Value::Null).await;
    assert_eq!(
        over.expect(409),
        json!({"message": "build 1 is already Succeeded"})
    );
    assert_eq!(tenant, 1);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(6 << 20));
    let declared = client.request(Method::POST, &path);
    let declared = declared.header("content-length", large.len());
    let declared = declared.body(Body::from(large.clone())).unwrap();
    client.send(declared).await.expect(413);
    // Without a declared length it is counted.
    let pieces = futures_util::stream::iter(
        large
            .as_bytes()
            .chunks(64 << 10)
            .map(|piece| Ok::<_, std::io::Error>(bytes::Bytes::copy_from_slice(piece)))
            .collect::<Vec<_>>(),
    );
    let counted = client
        .raw(Method::POST, &path, Body::from_stream(pieces))
        .await;
    assert!(counted.expect(413)["message"].is_string());
    let fitting = format!("{{\"a\":\"{}\"}}", "x".repeat((6 << 20) - 8));
    assert_eq!(client.raw(Method::POST, &path, fitting).await.status, 202);
}

#[tokio::test]
async fn too_many_waiting_triggers_are_refused_for_a_while() {
    let limits = Limits {
        waiting_per_tenant: 2,
        ..Limits::default()
    };
    let client = Client::of(Inside::with_limits(limits).await, WebConfig::default());
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    for _ in 0..2 {
        client.post(&path, Value::Null).await.expect(202);
    }
    let answer = client.post(&path, Value::Null).await;
    assert!(answer.expect(429)["message"].is_string());
    assert_eq!(answer.header("retry-after"), "10");
    // A body that is stored apart is refused before it is.
    let large = serde_json::json!({"text": "x".repeat(64 << 10)});
    client.post(&path, large).await.expect(429);
    assert_eq!(client.inside.blobs()["payload"].count, 0);
}

both_databases! {
    async fn a_node_that_does_not_come_round_to_writing_refuses_more_of_it(database) {
        const MOST: usize = 5;
        let limits = Limits {
            waiting_writes: MOST,
            ..Limits::default()
        };
        let client = Client::of(Inside::with(database, limits).await, WebConfig::default());
        let tenant = client.runnable().await;
        let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
        // All that writes waits for this.
        let mut held = Vec::new();
        for _ in 0..WRITERS {
            let begun = tokio::time::timeout(Duration::from_millis(50), client.inside.app.store.write());
            match begun.await {
                Ok(tx) => held.push(tx.unwrap()),
                Err(_) => break,
            }
        }
        let waiting: Vec<_> = (0..MOST)
            .map(|_| {
                let (router, request) = (client.router.clone(), client.request(Method::POST, &path));
                tokio::spawn(router.oneshot(request.body(Body::empty()).unwrap()))
            })
            .collect();
        eventually("they wait", async || {
            (client.inside.app.store.waiting_writers() == MOST).then_some(())
        })
        .await;
        let answer = client.post(&path, Value::Null).await;
        assert!(answer.expect(429)["message"].as_str().unwrap().contains("try again"));
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(client.get("/v2/runs").await.status, 200, "reading goes on");
        drop(held);
        for one in waiting {
            assert_eq!(one.await.unwrap().unwrap().status(), 202);
        }
        client.post(&path, Value::Null).await.expect(202);
    }
}

#[tokio::test]
async fn answers_are_not_kept_and_not_guessed() {
    let client = Client::new().await;
    for path in ["/v2/tenants", "/v2/tenants/7", "/healthz", "/nothing"] {
        let answer = client.get(path).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn a_key_without_the_scope_is_not_authorized() {
    let client = Client::new().await;
    let wanted = json!({"name": "reader", "scopes": ["read"]});
    let made = client.post("/v2/keys", wanted).await.expect(201);
    let key = made["key"].as_str().unwrap();
    let request = |method: Method, path: &str, body: &str| {
        let builder = http::Request::builder().method(method).uri(path);
        let builder = builder.header("x-api-key", key);
        builder.body(Body::from(body.to_owned())).unwrap()
    };
    let list = request(Method::GET, "/v2/tenants", "");
    client.send(list).await.expect(200);
    // The scope comes before everything else that may be wrong.
    for (method, path) in [
        (Method::POST, "/v2/tenants/x/sync?mode=x"),
        (Method::POST, "/v2/integrations/x/sync"),
        (Method::POST, "/v2/runs/x/cancel"),
        (Method::POST, "/v2/sourcecontrol/build"),
        (Method::POST, "/v2/tenants"),
        (Method::DELETE, "/v2/tenants/x"),
        (Method::PATCH, "/v2/integrations/x"),
        (Method::GET, "/v2/keys?limit=x"),
    ] {
        let answer = client.send(request(method, path, "{")).await;
        assert_eq!(
            answer.expect(403),
            json!({"detail": "Not authorized"}),
            "{path}"
        );
    }
}
