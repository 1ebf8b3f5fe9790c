//! Logs of runs and builds.

use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt as _;
use http::Request;
use marquetry_app::logs::{LogOf, log_archive};
use marquetry_model::{Run, RunId};
use marquetry_testkit::Inside;
use marquetry_web::WebConfig;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::client::{Answer, Client};

async fn without_key(client: &Client, path: &str) -> Answer {
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    client.send(request).await
}

/// A client with one run, taken.
async fn running() -> (Client, Run, marquetry_testkit::RunClaim) {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    client.post(&path, Value::Null).await.expect(202);
    let (run, claim) = client.inside.take_run().await;
    (client, run, claim)
}

#[tokio::test]
async fn a_link_opens_one_log_for_fifteen_minutes() {
    let (client, run, claim) = running().await;
    client
        .inside
        .run_log(&run, &claim, 1, "eins\n".as_bytes())
        .await;
    client
        .inside
        .run_log(&run, &claim, 2, "zwei ä\n".as_bytes())
        .await;
    let answer = client.get("/v2/runs/1/log").await;
    assert_eq!(answer.status, 302);
    let link = answer.header("location").to_owned();
    assert!(link.starts_with("/logs/1?expires="), "{link}");
    let log = without_key(&client, &link).await;
    assert_eq!(log.status, 200);
    assert_eq!(log.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(log.text(), "eins\nzwei ä\n");
    for wrong in [
        link.replace("/logs/1", "/logs/2"),
        link.replace("expires=1", "expires=2"),
        link.replace("signature=", "signature=0"),
        "/logs/1".to_owned(),
        "/logs/1?expires=x&signature=x".to_owned(),
    ] {
        let refused = without_key(&client, &wrong).await.expect(403);
        assert_eq!(refused, json!({"detail": "Not authorized"}), "{wrong}");
    }
    client.inside.clock.advance(Duration::from_secs(14 * 60));
    assert_eq!(without_key(&client, &link).await.status, 200);
    client.inside.clock.advance(Duration::from_secs(2 * 60));
    without_key(&client, &link).await.expect(403);
}

#[tokio::test]
async fn links_are_absolute_where_the_address_is_known() {
    let config = WebConfig {
        public_url: Some("https://sync.example/".into()),
        ..WebConfig::default()
    };
    let client = Client::of(Inside::new().await, config);
    let tenant = client.runnable().await;
    client.tenant(1, "other").await;
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    client.post(&path, Value::Null).await.expect(202);
    client.inside.take_run().await;
    let answer = client.get("/v2/runs/1/log").await;
    let link = answer.header("location");
    assert!(link.starts_with("https://sync.example/logs/1?"), "{link}");
    let list = client.get("/v2/tenants?limit=1").await;
    let link = list.header("link");
    assert!(
        link.starts_with("<https://sync.example/v2/tenants?limit=1&cursor="),
        "{link}"
    );
}

#[tokio::test]
async fn a_live_log_is_streamed_until_its_run_ends() {
    let (client, run, claim) = running().await;
    client.inside.run_log(&run, &claim, 1, b"one\nt").await;
    let mut events = client.stream("/v2/runs/1/log/stream", None).await;
    assert_eq!(events.next().await.unwrap(), "id: 4\ndata: one\n\n");
    client.inside.run_log(&run, &claim, 2, b"wo\nthree\n").await;
    assert_eq!(
        events.next().await.unwrap(),
        "id: 14\ndata: two\ndata: three\n\n"
    );
    // A character and a line that are cut between two chunks come whole.
    client.inside.run_log(&run, &claim, 3, b"\xc3").await;
    client.inside.run_log(&run, &claim, 4, b"\xa4\r\nend").await;
    assert_eq!(events.next().await.unwrap(), "id: 18\ndata: ä\n\n");
    client.inside.end_run(&run, &claim, "{}").await;
    assert_eq!(events.next().await.unwrap(), "id: 21\ndata: end\n\n");
    assert_eq!(
        events.next().await.unwrap(),
        "event: end\ndata: Succeeded\n\n"
    );
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_client_that_comes_back_misses_and_repeats_nothing() {
    let (client, run, claim) = running().await;
    client.inside.run_log(&run, &claim, 1, b"one\n").await;
    client
        .inside
        .run_log(&run, &claim, 2, b"two\nthree\n")
        .await;
    let path = "/v2/runs/1/log/stream";
    let mut events = client.stream(path, Some("8")).await;
    assert_eq!(events.next().await.unwrap(), "id: 14\ndata: three\n\n");
    // The log moves to the blob store while somebody follows it.
    let long = "x".repeat(9000) + "\n";
    client
        .inside
        .run_log(&run, &claim, 3, long.as_bytes())
        .await;
    assert!(events.next().await.unwrap().starts_with("id: 9015\n"));
    client.inside.end_run(&run, &claim, "{}").await;
    let of = LogOf::Run(RunId::new(1));
    log_archive(&client.inside.system(), of).await.unwrap();
    assert_eq!(
        events.next().await.unwrap(),
        "event: end\ndata: Succeeded\n\n"
    );
    let mut events = client.stream(path, Some("4")).await;
    let event = events.next().await.unwrap();
    assert!(event.starts_with("id: 9015\ndata: two\ndata: three\ndata: xxx"));
    let mut events = client.stream(path, Some("9015")).await;
    assert_eq!(
        events.next().await.unwrap(),
        "event: end\ndata: Succeeded\n\n"
    );
    let mut events = client.stream(path, Some("nonsense")).await;
    assert!(
        events
            .next()
            .await
            .unwrap()
            .starts_with("id: 9015\ndata: one\n")
    );
}

#[tokio::test]
async fn a_line_without_an_end_comes_in_pieces() {
    let (client, run, claim) = running().await;
    let long = "ä".repeat(100_000);
    client
        .inside
        .run_log(&run, &claim, 1, long.as_bytes())
        .await;
    client.inside.end_run(&run, &claim, "{}").await;
    let mut events = client.stream("/v2/runs/1/log/stream", None).await;
    let mut text = String::new();
    while let Some(event) = events.next().await {
        if let Some((_, data)) = event.split_once("\ndata: ") {
            text.push_str(data.strip_suffix("\n\n").unwrap_or_default());
        }
    }
    assert_eq!(text, format!("{long}Succeeded"));
}

#[tokio::test]
async fn a_builds_log_can_be_read_and_followed() {
    let client = Client::new().await;
    let integration = client.integration("shop").await;
    let body = json!({"tag": "v1", "integration_id": integration});
    client
        .post("/v2/sourcecontrol/build", body)
        .await
        .expect(201);
    assert_eq!(client.get("/v2/builds/1/log").await.text(), "");
    let claim = client.inside.take_build().await;
    client.inside.build_log(&claim, 1, b"fetch\n").await;
    assert_eq!(
        client.get("/v2/builds/1/log?follow=no").await.text(),
        "fetch\n"
    );
    let mut events = client.stream("/v2/builds/1/log?follow=true", None).await;
    assert_eq!(events.next().await.unwrap(), "id: 6\ndata: fetch\n\n");
    client.inside.end_build(&claim, integration, "v1").await;
    assert_eq!(
        events.next().await.unwrap(),
        "event: end\ndata: Succeeded\n\n"
    );
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn the_log_of_a_build_goes_on_when_its_node_was_lost() {
    let client = Client::new().await;
    let integration = client.integration("shop").await;
    let body = json!({"integration_id": integration, "tag": "v1"});
    client
        .post("/v2/sourcecontrol/build", body)
        .await
        .expect(201);
    let first = client.inside.take_build().await;
    client.inside.build_log(&first, 1, b"one\n").await;
    let mut early = client.stream("/v2/builds/1/log?follow=true", None).await;
    assert_eq!(early.next().await.unwrap(), "id: 4\ndata: one\n\n");
    client.inside.lose_node().await;
    let second = client.inside.take_build().await;
    assert_eq!(second.attempt, 2);
    client.inside.build_log(&second, 2, b"two\n").await;
    assert_eq!(early.next().await.unwrap(), "id: 8\ndata: two\n\n");
    let path = "/v2/builds/1/log?follow=true";
    let mut late = client.stream(path, Some("4")).await;
    assert_eq!(late.next().await.unwrap(), "id: 8\ndata: two\n\n");
    assert_eq!(client.get("/v2/builds/1/log").await.text(), "one\ntwo\n");
}

#[tokio::test]
async fn a_large_archived_log_comes_in_pieces() {
    let (client, run, claim) = running().await;
    let mut whole = String::new();
    for number in 1..=6 {
        // Not all alike, or it would be small where it is kept.
        let lines: Vec<_> = (0..40_000).map(|n| format!("{number} {n}\n")).collect();
        let lines = lines.concat();
        client
            .inside
            .run_log(&run, &claim, number, lines.as_bytes())
            .await;
        whole.push_str(&lines);
    }
    client.inside.end_run(&run, &claim, "{}").await;
    let of = LogOf::Run(RunId::new(1));
    log_archive(&client.inside.system(), of).await.unwrap();
    let answer = client.get("/v2/runs/1/log").await;
    let link = answer.header("location").to_owned();
    let request = Request::builder().uri(link).body(Body::empty()).unwrap();
    let response = client.router.clone().oneshot(request).await.unwrap();
    let mut pieces = response.into_body().into_data_stream();
    let mut found = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.unwrap();
        assert!(piece.len() <= 256 << 10, "{} bytes at once", piece.len());
        found.extend_from_slice(&piece);
    }
    assert!(found == whole.as_bytes(), "{} bytes", found.len());
    // A follower that comes back in the middle goes on there.
    let middle = whole.len() - 4;
    let mut events = client
        .stream("/v2/runs/1/log/stream", Some(&middle.to_string()))
        .await;
    let wanted = format!("id: {}\ndata: 999\n\n", whole.len());
    assert_eq!(events.next().await.unwrap(), wanted);
}
