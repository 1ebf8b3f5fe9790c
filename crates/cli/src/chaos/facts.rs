//! What the platform tells in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::time::Instant;

use super::audit::Run;
use crate::client::{Client, ClientError, PageArgs, list};
use crate::load;

/// Requests at once.
const AT_ONCE: usize = 8;
/// How long a request may be tried: a node may not have come to itself yet.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);
/// How a log names what is the platform's.
const PLATFORM: &str = "[marquetry]";

/// Waits until the last trigger of each tenant is over, and answers for which it is not, in this time.
pub(super) async fn drained(
    client: &Client,
    accepted: &BTreeMap<i64, i64>,
    within: Duration,
) -> anyhow::Result<Vec<i64>> {
    let last: BTreeMap<i64, i64> = accepted
        .iter()
        .map(|(trigger, tenant)| (*tenant, *trigger))
        .collect();
    let until = Instant::now() + within;
    let wait = |trigger: i64| async move {
        let path = format!("/v2/runs/triggers/{trigger}/status");
        let query = [("wait", "5".to_owned())];
        while Instant::now() < until {
            let asked = patiently(async || match client.get(&path, &query).await {
                // No run has taken it yet.
                Err(ClientError::NotFound { .. }) => Ok(None),
                answer => answer.map(Some),
            });
            match asked.await? {
                Some(answer) if !is_open(&answer.value) => return Ok(None),
                Some(_) => {}
                None => tokio::time::sleep(PAUSE).await,
            }
        }
        Ok(Some(trigger))
    };
    let waiting = load::each(AT_ONCE, last.into_values().collect(), wait).await?;
    Ok(waiting.into_iter().flatten().collect())
}

fn is_open(status: &Value) -> bool {
    matches!(status["status"].as_str(), Some("Pending" | "Running"))
}

/// All runs of these tenants, with their logs.
pub(super) async fn runs(client: &Client, tenants: &[i64]) -> anyhow::Result<Vec<Run>> {
    let of = |tenant: i64| async move {
        let path = format!("/v2/tenants/{tenant}/runs");
        let found = patiently(|| list(client, &path, &[], &PageArgs::ALL))
            .await?
            .value;
        let found = found.as_array().cloned().context("no list of runs")?;
        let mut runs = Vec::with_capacity(found.len());
        for run in &found {
            runs.push(read(client, tenant, run).await?);
        }
        anyhow::Ok(runs)
    };
    let all = load::each(AT_ONCE, tenants.to_vec(), of).await?;
    let mut all: Vec<Run> = all.into_iter().flatten().collect();
    all.sort_by_key(|run| run.id);
    Ok(all)
}

async fn read(client: &Client, tenant: i64, run: &Value) -> anyhow::Result<Run> {
    let id = run["id"].as_i64().context("a run has an id")?;
    let path = format!("/v2/runs/{id}/log");
    let log = patiently(|| client.text(&path)).await?;
    let is_platform = |line: &String| line.starts_with(PLATFORM);
    let (notes, log) = log.lines().map(str::to_owned).partition(is_platform);
    let triggers = run["triggers"].as_array().context("a run has triggers")?;
    let triggers: Option<BTreeSet<i64>> = triggers.iter().map(|one| one["id"].as_i64()).collect();
    let said = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let output = run["std_out"].as_str().unwrap_or("null");
    Ok(Run {
        id,
        tenant,
        phase: said(&run["status"]["phase"]),
        message: said(&run["message"]),
        triggers: triggers.context("a trigger has an id")?,
        output: serde_json::from_str::<Value>(output)
            .ok()
            .and_then(|output| output["run"].as_i64()),
        log,
        notes,
    })
}

/// Asks again while the node cannot answer.
async fn patiently<T, F>(ask: impl Fn() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let until = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error @ (ClientError::Forbidden { .. } | ClientError::NotFound { .. })) => {
                return Err(error.into());
            }
            Err(error) if Instant::now() > until => return Err(error.into()),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
