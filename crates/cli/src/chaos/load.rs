//! Triggers that are asked for until each is accepted, by clients that know several nodes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::future::try_join_all;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use marquetry_model::Chance;

/// Clients at once.
const CLIENTS: u32 = 16;
/// How long a node may take to answer before another one is asked.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a node is left alone that did not answer, as a load balancer does it.
const AVOIDED: Duration = Duration::from_secs(5);
/// How long a client waits before it asks again.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a trigger may take to be accepted by anybody.
const LONGEST: Duration = Duration::from_secs(180);

/// What is asked, and of whom.
pub(super) struct Load<'a> {
    pub(super) seed: u64,
    pub(super) key: &'a str,
    pub(super) nodes: Vec<watch::Receiver<String>>,
    pub(super) tenants: &'a [i64],
    pub(super) triggers: u32,
    /// Of all clients together, in a second.
    pub(super) rate: u32,
    /// How many are accepted.
    pub(super) accepted: &'a watch::Sender<u32>,
}

/// What the clients know together.
struct Shared {
    http: reqwest::Client,
    /// The number of the next trigger.
    next: AtomicU32,
    began: Instant,
    /// Until when each node is left alone.
    avoided: Vec<Mutex<Instant>>,
}

impl Shared {
    /// One that is not avoided, or any where all are.
    fn choose(&self, chance: &mut Chance) -> usize {
        let now = Instant::now();
        let first = chance.below(self.avoided.len());
        let all = (0..self.avoided.len()).map(|step| (first + step) % self.avoided.len());
        let is_free = |node: &usize| *self.until(*node) <= now;
        all.into_iter().find(is_free).unwrap_or(first)
    }

    fn avoid(&self, node: usize) {
        *self.until(node) = Instant::now() + AVOIDED;
    }

    fn until(&self, node: usize) -> MutexGuard<'_, Instant> {
        self.avoided[node]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load<'_> {
    /// Answers the accepted triggers with their tenants.
    ///
    /// # Errors
    /// One is refused, or is accepted by nobody for a long time.
    pub(super) async fn run(&self) -> anyhow::Result<BTreeMap<i64, i64>> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(1))
            .timeout(PATIENCE)
            .build()?;
        let began = Instant::now();
        let shared = Shared {
            http,
            next: AtomicU32::new(0),
            began,
            avoided: self.nodes.iter().map(|_| Mutex::new(began)).collect(),
        };
        let clients = (0..CLIENTS).map(|_| self.client(&shared));
        let accepted = try_join_all(clients).await?;
        Ok(accepted.into_iter().flatten().collect())
    }

    async fn client(&self, shared: &Shared) -> anyhow::Result<Vec<(i64, i64)>> {
        let mut all = Vec::new();
        loop {
            let number = shared.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.triggers {
                return Ok(all);
            }
            let due = f64::from(number) / f64::from(self.rate);
            sleep_until(shared.began + Duration::from_secs_f64(due)).await;
            let mut chance = Chance::new(self.seed ^ (u64::from(number) << 20));
            let tenant = self.tenants[chance.below(self.tenants.len())];
            let trigger = self.ask(shared, number, tenant, &mut chance).await?;
            all.push((trigger, tenant));
            self.accepted.send_modify(|count| *count += 1);
        }
    }

    /// Asks until it is accepted: the key makes sure that it is, once.
    async fn ask(
        &self,
        shared: &Shared,
        number: u32,
        tenant: i64,
        chance: &mut Chance,
    ) -> anyhow::Result<i64> {
        let until = Instant::now() + LONGEST;
        let mut last = String::new();
        while Instant::now() < until {
            let node = shared.choose(chance);
            let url = self.nodes[node].borrow().clone();
            let asked = shared
                .http
                .post(format!("{url}/v2/tenants/{tenant}/sync?mode=normal"))
                .header("X-API-KEY", self.key)
                .header("Idempotency-Key", format!("chaos-{number}"))
                .send()
                .await;
            match asked {
                Ok(answer) if answer.status() == StatusCode::ACCEPTED => {
                    // Half of an answer is none.
                    if let Ok(made) = answer.json::<Value>().await {
                        let id = made["trigger_id"].as_str().and_then(|id| id.parse().ok());
                        return id.with_context(|| format!("no trigger_id in {made}"));
                    }
                }
                Ok(answer) if is_for_later(answer.status()) => last = answer.status().to_string(),
                Ok(answer) => {
                    let status = answer.status();
                    let text = answer.text().await.unwrap_or_default();
                    bail!("trigger {number} was refused with {status}: {text}");
                }
                Err(error) => {
                    last = error.to_string();
                    shared.avoid(node);
                }
            }
            sleep(PAUSE).await;
        }
        bail!(
            "trigger {number} was not accepted within {} s: {last}",
            LONGEST.as_secs()
        )
    }
}

/// Busy, away, or at work on the same.
fn is_for_later(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    )
}
