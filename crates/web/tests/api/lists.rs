//! Pages of lists.

use std::collections::BTreeSet;

use marquetry_testkit::both_databases;
use serde_json::{Value, json};

use crate::client::{Answer, Client};

/// All pages from here on, by their links.
async fn walk(client: &Client, first: &str) -> Vec<Vec<i64>> {
    let mut pages = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let answer = client.get(&path).await;
        let items = answer.expect(200);
        let ids = items.as_array().unwrap().iter();
        pages.push(ids.map(|item| item["id"].as_i64().unwrap()).collect());
        next = next_page(&answer);
        assert!(pages.len() < 50, "the pages end");
    }
    pages
}

/// The link to the page that follows.
pub(crate) fn next_page(answer: &Answer) -> Option<String> {
    answer.headers.get("link").map(|link| {
        let link = link.to_str().unwrap();
        let path = link.strip_prefix('<').unwrap();
        path.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
    })
}

#[tokio::test]
async fn the_links_visit_each_object_once() {
    let client = Client::new().await;
    let integration = client.integration("shop").await;
    let mut ids = Vec::new();
    for n in 0..7 {
        ids.push(client.tenant(integration, &format!("t{n}")).await);
    }
    let pages = walk(&client, "/v2/tenants?limit=3&integration_id=1").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    assert_eq!(pages.concat(), ids);
    let backwards = walk(&client, "/v2/tenants?limit=2&sort_by=name__DESC&skip=1").await;
    ids.reverse();
    assert_eq!(backwards.concat(), ids[1..]);
    assert_eq!(walk(&client, "/v2/tenants?limit=7").await.len(), 1);
    assert_eq!(walk(&client, "/v2/tenants?limit=0").await, [[0_i64; 0]]);
}

/// What others do between two pages, by turns.
struct Others {
    integration: i64,
    turn: usize,
    /// Theirs alone: nobody asks where these stand.
    restless: Vec<i64>,
}

impl Others {
    async fn disturb(&mut self, client: &Client) {
        self.turn += 1;
        // Before and behind every name that is looked for, so that pages by number would slip.
        let name = format!("{}{}", ["a", "m", "z"][self.turn % 3], self.turn);
        let new = client.tenant(self.integration, &name).await;
        let old = self.restless[self.turn % self.restless.len()];
        let path = format!("/v2/tenants/{old}");
        if self.turn.is_multiple_of(2) {
            client.delete(&path).await.expect(200);
            self.restless.retain(|id| *id != old);
        } else {
            let name = format!("{}{}x", ["z", "a", "m"][self.turn % 3], self.turn);
            client.patch(&path, json!({"name": name})).await.expect(200);
        }
        self.restless.push(new);
    }
}

both_databases! {
    async fn each_row_is_visited_once_while_others_come_go_and_move(database) {
        let client = Client::served(database).await;
        let integration = client.integration("shop").await;
        let mut others = Others { integration, turn: 0, restless: Vec::new() };
        let mut still = BTreeSet::new();
        for n in 0..36_i64 {
            let id = client.tenant(integration, &format!("k{}", n * 7 % 36)).await;
            if n % 3 == 0 {
                others.restless.push(id);
            } else {
                still.insert(id);
            }
        }
        for query in [
            "limit=4",
            "limit=3&sort_by=id__DESC",
            "limit=5&sort_by=name__ASC",
            "limit=2&sort_by=name__DESC",
            "limit=4&sort_by=created_date__DESC",
            "limit=3&sort_by=modified_date__ASC",
            "limit=3&sort_by=paused__ASC",
            "limit=3&sort_by=user_name__DESC",
        ] {
            let mut seen = Vec::new();
            let mut next = Some(format!("/v2/tenants?integration_id={integration}&{query}"));
            while let Some(path) = next {
                let answer = client.get(&path).await;
                let items = answer.expect(200);
                let ids = items.as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap());
                seen.extend(ids.filter(|id| still.contains(id)));
                next = next_page(&answer);
                others.disturb(&client).await;
                assert!(others.turn < 1_000, "the pages end");
            }
            let once: BTreeSet<i64> = seen.iter().copied().collect();
            assert_eq!(once, still, "{query}");
            assert_eq!(seen.len(), still.len(), "{query}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn the_total_is_told_when_it_is_asked_for() {
    let client = Client::new().await;
    let integration = client.integration("shop").await;
    for n in 0..3 {
        client.tenant(integration, &format!("t{n}")).await;
    }
    let with = client.get("/v2/tenants?limit=1&total=true").await;
    assert_eq!(with.header("x-total-count"), "3");
    let without = client.get("/v2/tenants?limit=1").await;
    assert!(!without.headers.contains_key("x-total-count"));
}

#[tokio::test]
async fn archived_ones_are_listed_apart() {
    let client = Client::new().await;
    let integration = client.integration("shop").await;
    let gone = client.tenant(integration, "gone").await;
    let kept = client.tenant(integration, "kept").await;
    client
        .delete(&format!("/v2/tenants/{gone}"))
        .await
        .expect(200);
    assert_eq!(walk(&client, "/v2/tenants").await, [[kept]]);
    assert_eq!(walk(&client, "/v2/tenants?archived=true").await, [[gone]]);
    assert_eq!(
        walk(&client, "/v2/tenants?integration_id=99").await,
        [[0_i64; 0]]
    );
}

#[tokio::test]
async fn every_scalar_field_sorts() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let sync = format!("/v2/tenants/{tenant}/sync?mode=normal");
    client.post(&sync, Value::Null).await.expect(202);
    let (run, claim) = client.inside.take_run().await;
    client.inside.end_run(&run, &claim, "{}").await;
    let lists = [
        "/v2/integrations",
        "/v2/integrations/1/releases",
        "/v2/tenants",
        "/v2/builds",
        "/v2/keys",
        "/v2/nodes",
        "/v2/runs",
        "/v2/tenants/1/runs",
    ];
    client.inside.node_tells("a", false).await;
    for list in lists {
        let found = client.get(list).await.expect(200);
        for field in scalar_fields(&found[0]) {
            for direction in ["ASC", "DESC"] {
                let path = format!("{list}?sort_by={field}__{direction}");
                let answer = client.get(&path).await;
                assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            }
        }
    }
}

/// What a list of such objects is sorted by. Lists and objects are no scalars; they are what a field
/// of the answer shows.
pub(crate) fn scalar_fields(object: &Value) -> Vec<String> {
    let fields = object.as_object().unwrap().iter();
    fields
        .filter(|(field, value)| {
            !(value.is_object() || value.is_array() || NOT_SORTED.contains(&field.as_str()))
        })
        .map(|(field, _)| field.clone())
        .collect()
}

/// Constants of this version, and nulls that will be objects.
const NOT_SORTED: [&str; 2] = ["flag", "metadata_schema"];
