//! Pages of lists while somebody writes beside.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use marquetry_testkit::{RunClaim, both_databases};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::client::Client;
use crate::lists::{next_page, scalar_fields};

/// How many objects of each list stand still.
const STILL: i64 = 24;

/// How many orders of each list are tried.
const ORDERS: usize = 12;

/// How often each list is changed meanwhile; the orders are tried again until then.
const WRITES: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Integrations,
    Releases,
    Builds,
    Tenants,
    Runs,
}

impl List {
    fn path(self) -> &'static str {
        match self {
            Self::Integrations => "/v2/integrations",
            Self::Releases => "/v2/integrations/1/releases",
            Self::Builds => "/v2/builds",
            Self::Tenants => "/v2/tenants",
            Self::Runs => "/v2/runs",
        }
    }
}

/// Who changes what a list shows, but never what stands still.
struct Writer {
    client: Arc<Client>,
    list: List,
    turn: i64,
    /// What it made and may change.
    own: Vec<i64>,
    run: Option<(marquetry_model::Run, RunClaim)>,
    /// A tenant that nobody looks for.
    tenant: i64,
}

impl Writer {
    /// Writes as fast as it can, until nobody looks any more.
    async fn work(mut self, written: Arc<AtomicUsize>) {
        while Arc::strong_count(&written) > 1 {
            self.turn += 1;
            let inside = &self.client.inside;
            inside.clock.advance(std::time::Duration::from_millis(7));
            match self.list {
                List::Integrations => self.come_go_and_move(json!({"long_name": "New"})).await,
                List::Tenants => self.come_go_and_move(json!({"integration_id": 1})).await,
                List::Releases => self.release().await,
                List::Builds => self.build().await,
                List::Runs => self.run().await,
            }
            written.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A name before, among or behind those that are looked for, so that pages by number would slip.
    fn name(&self) -> String {
        let first = ["a", "m", "z"][usize::try_from(self.turn % 3).unwrap()];
        format!("{first}{}", self.turn)
    }

    async fn come_go_and_move(&mut self, mut new: Value) {
        let path = self.list.path();
        let oldest = self.own.first().copied();
        match (self.turn % 4, oldest) {
            (1, Some(id)) => {
                let renamed =
                    json!({"name": format!("{}x", self.name()), "paused": self.turn % 8 == 1});
                self.client
                    .patch(&format!("{path}/{id}"), renamed)
                    .await
                    .expect(200);
            }
            (3, Some(id)) => {
                self.client
                    .delete(&format!("{path}/{id}"))
                    .await
                    .expect(200);
                self.own.remove(0);
            }
            _ => {
                new["name"] = json!(self.name());
                let made = self.client.post(path, new).await;
                assert!(made.status.is_success(), "{}", made.text());
                let made: Value = serde_json::from_slice(&made.bytes).unwrap();
                self.own.push(made["id"].as_i64().unwrap());
            }
        }
    }

    async fn release(&mut self) {
        self.client.inside.release(1, &self.name()).await;
    }

    /// Builds come, are taken and fail, or are cancelled.
    async fn build(&mut self) {
        let body = json!({"integration_id": 1, "tag": self.name()});
        let made = self
            .client
            .post("/v2/sourcecontrol/build", body)
            .await
            .expect(201);
        if self.turn % 2 == 0 {
            let path = format!("/v2/builds/{}/cancel", made["id"]);
            self.client.post(&path, Value::Null).await.expect(200);
        } else {
            let claim = self.client.inside.take_build().await;
            self.client.inside.fail_build(&claim, &"1".repeat(40)).await;
        }
    }

    /// A run comes, and ends at the next turn.
    async fn run(&mut self) {
        if let Some((run, claim)) = self.run.take() {
            return self.client.inside.end_run(&run, &claim, "{}").await;
        }
        let sync = format!("/v2/tenants/{}/sync?mode=normal", self.tenant);
        self.client.post(&sync, Value::Null).await.expect(202);
        self.run = Some(self.client.inside.take_run().await);
    }
}

/// Fills every list; answers a tenant that is not among what stands still.
async fn fill(client: &Client) -> i64 {
    let shop = client.integration("shop").await;
    for n in 0..STILL {
        client
            .inside
            .release(shop, &format!("v{}", n * 7 % STILL))
            .await;
    }
    for n in 0..STILL - 1 {
        client.integration(&format!("k{}", n * 7 % STILL)).await;
        client
            .inside
            .clock
            .advance(std::time::Duration::from_millis(5));
    }
    for n in 0..STILL {
        let tenant = client.tenant(shop, &format!("k{}", n * 5 % STILL)).await;
        let mode = if n % 3 == 0 { "init" } else { "normal" };
        let sync = format!("/v2/tenants/{tenant}/sync?mode={mode}");
        client.post(&sync, Value::Null).await.expect(202);
        let (run, claim) = client.inside.take_run().await;
        client
            .inside
            .clock
            .advance(std::time::Duration::from_millis(3));
        client.inside.end_run(&run, &claim, "{}").await;
    }
    client.tenant(shop, "other").await
}

/// Every scalar field in both directions is an order; some of them, with pages of some length.
fn orders(fields: &[String]) -> Vec<String> {
    let all: Vec<String> = fields
        .iter()
        .flat_map(|field| ["ASC", "DESC"].map(|way| format!("{field}__{way}")))
        .collect();
    let count = ORDERS.min(all.len());
    let some = prop::sample::subsequence(all, count).prop_shuffle();
    let pages = prop::collection::vec(3_u8..12, count);
    let (some, pages) = (some, pages)
        .new_tree(&mut TestRunner::default())
        .unwrap()
        .current();
    let queries = some.iter().zip(pages);
    queries
        .map(|(order, limit)| format!("limit={limit}&sort_by={order}"))
        .collect()
}

/// The ids that one walk over all pages shows, of those that stand still.
async fn walk(client: &Client, path: String, still: &BTreeSet<i64>) -> Vec<i64> {
    let mut seen = Vec::new();
    let mut next = Some(path);
    let mut pages = 0;
    while let Some(path) = next {
        let answer = client.get(&path).await;
        let items = answer.expect(200);
        let ids = items.as_array().unwrap().iter();
        let ids = ids.map(|item| item["id"].as_i64().unwrap());
        seen.extend(ids.filter(|id| still.contains(id)));
        next = next_page(&answer);
        pages += 1;
        assert!(pages < 500, "the pages end");
    }
    seen
}

async fn each_row_once(client: &Arc<Client>, list: List, spare: i64) {
    let all = client
        .get(&format!("{}?limit=500", list.path()))
        .await
        .expect(200);
    let all = all.as_array().unwrap();
    let ids = all.iter().map(|item| item["id"].as_i64().unwrap());
    let still: BTreeSet<i64> = ids
        .filter(|id| list != List::Tenants || *id != spare)
        .collect();
    let fields = scalar_fields(&all[0]);
    let written = Arc::new(AtomicUsize::new(0));
    let writer = Writer {
        client: Arc::clone(client),
        list,
        turn: 0,
        own: Vec::new(),
        run: None,
        tenant: spare,
    };
    let writer = tokio::spawn(writer.work(Arc::clone(&written)));
    for (n, query) in orders(&fields).iter().cycle().enumerate() {
        if n >= ORDERS && written.load(Ordering::Relaxed) >= WRITES {
            break;
        }
        let path = format!("{}?{query}", list.path());
        let seen = walk(client, path.clone(), &still).await;
        let once: BTreeSet<i64> = seen.iter().copied().collect();
        assert_eq!(once, still, "{path}");
        assert_eq!(seen.len(), still.len(), "{path}: {seen:?}");
    }
    drop(written);
    writer.await.unwrap();
}

both_databases! {
    async fn each_row_is_visited_once_while_somebody_writes_beside(database) {
        let client = Arc::new(Client::served(database).await);
        let spare = fill(&client).await;
        for list in [List::Runs, List::Tenants, List::Builds, List::Releases, List::Integrations] {
            each_row_once(&client, list, spare).await;
        }
    }
}
