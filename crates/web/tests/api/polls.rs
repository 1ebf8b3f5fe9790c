//! Looking at a branch from time to time: when, and what is built.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;

const MINUTE: Duration = Duration::from_secs(60);

fn commit(n: u8) -> String {
    format!("{n:040x}")
}

async fn polled() -> (Client, String) {
    let client = Client::new().await;
    let id = client.integration("shop").await;
    let path = format!("/v2/integrations/{id}");
    set(&client, &path, json!({"poll_seconds": 60})).await;
    (client, path)
}

async fn set(client: &Client, path: &str, body: Value) -> Value {
    client.patch(path, body).await.expect(200)
}

async fn builds(client: &Client) -> usize {
    let found = client.get("/v2/builds").await.expect(200);
    found.as_array().unwrap().len()
}

/// Looks once the period is over; the branch must be due.
async fn look(client: &Client, seen: Result<&str, &str>) {
    client.inside.clock.advance(MINUTE);
    assert_eq!(client.inside.look_at_branches(seen).await, 1, "due");
}

async fn build_badly(client: &Client, commit: &str) {
    let claim = client.inside.take_build().await;
    client.inside.fail_build(&claim, commit).await;
}

#[tokio::test]
async fn a_new_head_is_built_once() {
    let (client, path) = polled().await;
    let see = async |n: u8| client.inside.look_at_branches(Ok(&commit(n))).await;
    assert_eq!(see(1).await, 1, "the first look is at once");
    let found = client.get("/v2/builds").await.expect(200);
    assert_eq!(
        (&found[0]["branch"], &found[0]["tag"]),
        (&json!("main"), &Value::Null)
    );
    let shown = client.get(&path).await.expect(200);
    assert_eq!(shown["poll_message"], Value::Null);
    assert_eq!(shown["polled_date"], "2026-11-23T20:00:00.000Z");
    assert_eq!(see(1).await, 0, "not due before its time");
    client.inside.clock.advance(Duration::from_millis(59_999));
    assert_eq!(see(1).await, 0);
    client.inside.clock.advance(Duration::from_millis(1));
    assert_eq!(see(1).await, 1);
    build_badly(&client, &commit(1)).await;
    for n in [1, 1, 2, 2, 1] {
        let before = builds(&client).await;
        look(&client, Ok(&commit(n))).await;
        if builds(&client).await > before {
            build_badly(&client, &commit(n)).await;
        }
    }
    // 1 at first, then 2, then 1 again: somebody took the branch back.
    assert_eq!(builds(&client).await, 3);
}

#[tokio::test]
async fn a_head_that_was_built_is_not_built_again_by_the_first_look() {
    let client = Client::new().await;
    let id = client.integration("shop").await;
    client.inside.release(id, "v1").await;
    let path = format!("/v2/integrations/{id}");
    set(&client, &path, json!({"poll_seconds": 60})).await;
    let built = "0".repeat(40);
    assert_eq!(client.inside.look_at_branches(Ok(&built)).await, 1);
    assert_eq!(builds(&client).await, 1);
    look(&client, Ok(&commit(7))).await;
    assert_eq!(builds(&client).await, 2);
}

#[tokio::test]
async fn what_a_hook_or_a_person_had_built_is_not_built_again() {
    let (client, _) = polled().await;
    client.inside.look_at_branches(Ok(&commit(1))).await;
    build_badly(&client, &commit(1)).await;
    let body = json!({"integration_id": 1, "tag": "asked"});
    client
        .post("/v2/sourcecontrol/build", body)
        .await
        .expect(201);
    look(&client, Ok(&commit(2))).await;
    assert_eq!(builds(&client).await, 2, "what waits may be of this commit");
    build_badly(&client, &commit(2)).await;
    look(&client, Ok(&commit(2))).await;
    assert_eq!(builds(&client).await, 2, "it was");
    let body = json!({"integration_id": 1, "tag": "again"});
    client
        .post("/v2/sourcecontrol/build", body)
        .await
        .expect(201);
    look(&client, Ok(&commit(3))).await;
    build_badly(&client, &commit(2)).await;
    look(&client, Ok(&commit(3))).await;
    assert_eq!(builds(&client).await, 4, "it was not");
}

#[tokio::test]
async fn a_look_that_fails_is_shown_and_made_again() {
    let (client, path) = polled().await;
    for _ in 0..3 {
        client.inside.clock.advance(MINUTE);
        assert_eq!(client.inside.look_at_branches(Err("no such host")).await, 1);
    }
    let shown = client.get(&path).await.expect(200);
    assert_eq!(shown["poll_message"], "no such host");
    assert_eq!(shown["polled_date"], "2026-11-23T20:03:00.000Z");
    assert_eq!(builds(&client).await, 0);
    look(&client, Ok(&commit(1))).await;
    let shown = client.get(&path).await.expect(200);
    assert_eq!(shown["poll_message"], Value::Null);
    assert_eq!(builds(&client).await, 1);
}

#[tokio::test]
async fn what_stands_still_is_not_looked_at() {
    let (client, path) = polled().await;
    let is_due = async || client.inside.look_at_branches(Ok(&commit(1))).await == 1;
    assert!(is_due().await);
    build_badly(&client, &commit(1)).await;
    let still = [
        (json!({"paused": true}), json!({"paused": false})),
        (json!({"poll_seconds": null}), json!({"poll_seconds": 30})),
        (
            json!({"repository_url": null}),
            json!({"repository_url": "https://git.example.com/a"}),
        ),
    ];
    for (off, on) in still {
        set(&client, &path, off.clone()).await;
        client.inside.clock.advance(2 * MINUTE);
        assert!(!is_due().await, "{off}");
        set(&client, &path, on).await;
        assert!(is_due().await, "planned anew after {off}");
    }
    assert_eq!(builds(&client).await, 1, "the head was built before");
    set(
        &client,
        &path,
        json!({"long_name": "Other", "memory_mb": 99}),
    )
    .await;
    assert!(!is_due().await, "nothing that matters was set");
    set(
        &client,
        &path,
        json!({"repository_tracking_branch": "next"}),
    )
    .await;
    assert!(is_due().await);
    client.delete(&path).await.expect(200);
    client.inside.clock.advance(2 * MINUTE);
    assert!(!is_due().await, "archived");
}

#[tokio::test]
async fn a_look_that_began_before_something_was_set_is_worth_nothing() {
    let (client, path) = polled().await;
    let system = client.inside.system();
    let due = marquetry_app::polls::polls_claim(&system, 2 * MINUTE, 9)
        .await
        .unwrap();
    set(
        &client,
        &path,
        json!({"repository_tracking_branch": "next"}),
    )
    .await;
    let seen = Ok(commit(1));
    let built = marquetry_app::polls::poll_finish(&system, &due.claims[0], seen)
        .await
        .unwrap();
    assert_eq!(built, None);
    assert_eq!(builds(&client).await, 0);
    assert_eq!(
        client.get(&path).await.expect(200)["polled_date"],
        Value::Null
    );
}
