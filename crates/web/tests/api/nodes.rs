//! The list of nodes: what each last told, and what is made of it later.

use std::time::Duration;

use marquetry_app::nodes::node_leave;
use marquetry_app::retention::retain;
use serde_json::{Value, json};

use crate::client::Client;

async fn statuses(client: &Client) -> Vec<(String, String)> {
    let found = client.get("/v2/nodes").await.expect(200);
    let text = |node: &Value, name: &str| node[name].as_str().unwrap().to_owned();
    let nodes = found.as_array().unwrap().iter();
    nodes
        .map(|node| (text(node, "name"), text(node, "status")))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, status): &(&str, &str)| ((*name).to_owned(), (*status).to_owned());
    pairs.iter().map(owned).collect()
}

#[tokio::test]
async fn a_node_is_shown_as_it_told() {
    let client = Client::new().await;
    assert_eq!(client.get("/v2/nodes").await.expect(200), json!([]));
    let now = client.inside.app.now();
    client.inside.node_tells("a", false).await;
    let found = client.get("/v2/nodes").await.expect(200);
    assert_eq!(
        found,
        json!([{
            "id": 1, "name": "a", "status": "Live", "version": "0.1.0", "roles": ["api", "runner"],
            "live_runs": 2, "run_slots": 8, "live_builds": 0, "build_slots": 0,
            "clock_difference_ms": null, "started_date": now.to_string(), "seen_date": now.to_string(),
        }])
    );
    client.get("/v2/nodes?sort_by=clock").await.expect(422);
    client.inside.node_tells("b", true).await;
    let sorted = client
        .get("/v2/nodes?sort_by=status__ASC")
        .await
        .expect(200);
    assert_eq!(
        (&sorted[0]["name"], &sorted[1]["name"]),
        (&json!("b"), &json!("a"))
    );
}

#[tokio::test]
async fn who_says_nothing_is_lost_and_forgotten_after_a_day() {
    let client = Client::new().await;
    let ctx = client.inside.system();
    for name in ["a", "b", "c"] {
        client.inside.node_tells(name, false).await;
    }
    client.inside.clock.advance(Duration::from_secs(91));
    client.inside.node_tells("b", true).await;
    node_leave(&ctx, "c").await.unwrap();
    let expected = [("a", "Lost"), ("b", "Draining")];
    assert_eq!(statuses(&client).await, pairs(&expected));
    client.inside.clock.advance(Duration::from_secs(24 * 3600));
    client.inside.node_tells("b", false).await;
    retain(&ctx, 0).await.unwrap();
    assert_eq!(statuses(&client).await, pairs(&[("b", "Live")]));
}
