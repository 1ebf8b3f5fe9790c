//! What is kept no longer: rows first, in small steps, then the blobs that nothing refers to any
//! more.

use std::time::Duration;

use marquetry_blobs::{BlobRef, Kind, ListedBlob};
use marquetry_model::{ReleaseId, Result, RunId, TenantId, Timestamp};
use marquetry_store::{
    audit, connect_attempts, connect_links, decisions, nodes, retention, settings,
};
use tokio::time::Instant;

use crate::ctx::Ctx;
use crate::errors::{blob_error, store_error};

/// Rows of one step.
const ROWS: i64 = 200;
/// Blobs of one step.
const BLOBS: usize = 500;
/// A blob that nothing refers to is left alone for so long: what put it may not have said so yet. An
/// artifact that was given up, too: a run may have been on its way to it.
const GRACE: Duration = Duration::from_secs(24 * 3600);
/// Who did what is kept for two years.
const AUDIT: Duration = Duration::from_secs(730 * 24 * 3600);
/// A node that is lost is listed for so long, so that somebody sees it.
const LOST_NODES: Duration = Duration::from_secs(24 * 3600);
/// How often rows are looked through, by one node of them all.
const ROWS_EVERY: Duration = Duration::from_secs(3600);
/// How often blobs are: a bucket counts each page.
const BLOBS_EVERY: Duration = Duration::from_secs(24 * 3600);

/// How long what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Runs with their triggers, payloads and logs; cancelled triggers; output written by hand.
    pub runs: Duration,
    /// Bodies and headers of webhooks.
    pub webhook_bodies: Duration,
    /// Notes of what was decided against.
    pub decisions: Duration,
    /// Logs of builds, and what was sent to be built.
    pub build_logs: Duration,
    /// Artifacts of releases that nothing uses.
    pub artifacts: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            runs: 90 * DAY,
            webhook_bodies: 14 * DAY,
            decisions: 30 * DAY,
            build_logs: 90 * DAY,
            artifacts: 365 * DAY,
        }
    }
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Runs.
    pub runs: u64,
    /// Other rows: triggers, bodies, notes, logs of builds, outputs, lost nodes; artifacts that were given up.
    pub rows: u64,
    /// Blobs.
    pub blobs: u64,
}

/// Removes what is kept no longer, unless another node has done so within the hour (rows) or the
/// day (blobs). Between two steps it rests `rest` times as long as the step took, so that those who
/// wait for the database come in between.
pub async fn retain(ctx: &Ctx, rest: u32) -> Result<Removed> {
    // One time for all of it: a clock that is set on in the middle must not remove what is young.
    let now = ctx.now();
    let mut removed = Removed::default();
    let mut pace = Pace {
        rest,
        began: Instant::now(),
    };
    if claim(ctx, "retention_rows", ROWS_EVERY).await? {
        rows(ctx, now, &mut removed, &mut pace).await?;
    }
    if claim(ctx, "retention_blobs", BLOBS_EVERY).await? {
        for kind in Kind::ALL {
            blobs(ctx, kind, now, &mut removed, &mut pace).await?;
        }
    }
    Ok(removed)
}

/// How fast the steps follow each other.
struct Pace {
    rest: u32,
    began: Instant,
}

impl Pace {
    async fn rest(&mut self) {
        tokio::time::sleep(self.began.elapsed() * self.rest).await;
        self.began = Instant::now();
    }
}

async fn claim(ctx: &Ctx, name: &str, every: Duration) -> Result<bool> {
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let taken = settings::claim(&mut tx, name, now, now.minus(every)).await;
    let taken = taken.map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    Ok(taken)
}

/// Rows that one step forgets.
#[derive(Debug, Clone, Copy)]
enum Rows {
    Cancelled,
    WebhookBodies,
    Decisions,
    BuildLogs,
    Outputs,
    Artifacts,
    Nodes,
    Audit,
    ConnectLinks,
    ConnectAttempts,
}

async fn rows(ctx: &Ctx, now: Timestamp, removed: &mut Removed, pace: &mut Pace) -> Result<()> {
    let kept = ctx.app.settings.retention;
    let mut next = Some(RunId::new(0));
    while let Some(after) = next {
        let mut tx = ctx.write().await?;
        let step = retention::delete_runs(&mut tx, after, now.minus(kept.runs), ROWS).await;
        let step = step.map_err(store_error)?;
        tx.commit().await.map_err(store_error)?;
        removed.runs += step.deleted;
        next = step.next;
        pace.rest().await;
    }
    let mut next = Some(TenantId::new(0));
    while let Some(after) = next {
        let mut tx = ctx.write().await?;
        let step = retention::delete_unused_configs(&mut tx, after, ROWS).await;
        next = step.map_err(store_error)?;
        tx.commit().await.map_err(store_error)?;
        pace.rest().await;
    }
    let mut next = Some(ReleaseId::new(0));
    while let Some(after) = next {
        let mut tx = ctx.write().await?;
        let step = retention::update_unused(&mut tx, after, now, ROWS).await;
        next = step.map_err(store_error)?;
        tx.commit().await.map_err(store_error)?;
        pace.rest().await;
    }
    for (what, age) in [
        (Rows::Cancelled, kept.runs),
        (Rows::WebhookBodies, kept.webhook_bodies),
        (Rows::Decisions, kept.decisions),
        (Rows::BuildLogs, kept.build_logs),
        (Rows::Outputs, kept.runs),
        (Rows::Artifacts, kept.artifacts),
        (Rows::Nodes, LOST_NODES),
        (Rows::Audit, AUDIT),
        (Rows::ConnectLinks, Duration::ZERO),
        (Rows::ConnectAttempts, Duration::ZERO),
    ] {
        loop {
            let count = forget(ctx, what, now, age).await?;
            removed.rows += count;
            pace.rest().await;
            if count == 0 {
                break;
            }
        }
    }
    Ok(())
}

async fn forget(ctx: &Ctx, what: Rows, now: Timestamp, age: Duration) -> Result<u64> {
    let before = now.minus(age);
    let mut tx = ctx.write().await?;
    let count = match what {
        Rows::Cancelled => retention::delete_cancelled(&mut tx, before, ROWS).await,
        Rows::WebhookBodies => retention::delete_webhook_bodies(&mut tx, before, ROWS).await,
        Rows::Decisions => decisions::delete(&mut tx, before, ROWS).await,
        Rows::BuildLogs => retention::delete_build_logs(&mut tx, before, ROWS).await,
        Rows::Outputs => retention::delete_outputs(&mut tx, before, ROWS).await,
        Rows::Artifacts => retention::delete_artifacts(&mut tx, before, now, ROWS).await,
        Rows::Nodes => nodes::delete_lost(&mut tx, before, ROWS).await,
        Rows::Audit => audit::delete(&mut tx, before, ROWS).await,
        Rows::ConnectLinks => connect_links::delete_ended(&mut tx, now, ROWS).await,
        Rows::ConnectAttempts => connect_attempts::delete_ended(&mut tx, now, ROWS).await,
    };
    let count = count.map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    Ok(count)
}

/// Removes blobs of a kind that nothing refers to, page by page.
async fn blobs(
    ctx: &Ctx,
    kind: Kind,
    now: Timestamp,
    removed: &mut Removed,
    pace: &mut Pace,
) -> Result<()> {
    let mut after = None;
    loop {
        let page = ctx.app.blobs.list(kind, after.as_ref(), BLOBS).await;
        let page = page.map_err(blob_error)?;
        let old = page.blobs.into_iter().filter(|listed| is_old(now, listed));
        let old: Vec<BlobRef> = old.map(|listed| listed.blob).collect();
        for blob in unreferenced(ctx, now, old).await? {
            // A build may have put it again since it was listed.
            let found = ctx.app.blobs.find(&blob).await.map_err(blob_error)?;
            if !found.is_some_and(|listed| is_old(now, &listed)) {
                continue;
            }
            ctx.app.blobs.delete(&blob).await.map_err(blob_error)?;
            removed.blobs += 1;
        }
        pace.rest().await;
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Whether it was put long ago; putting it again makes it young.
fn is_old(now: Timestamp, listed: &ListedBlob) -> bool {
    let before = now.minus(GRACE);
    let since = listed.put_at.duration_since(std::time::UNIX_EPOCH);
    // A time before 1970 is no reason to remove anything.
    let millis = since
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok());
    millis.is_some_and(|millis| Timestamp::from_millis(millis) < before)
}

async fn unreferenced(ctx: &Ctx, now: Timestamp, mut found: Vec<BlobRef>) -> Result<Vec<BlobRef>> {
    let names: Vec<String> = found.iter().map(ToString::to_string).collect();
    let sent = now.minus(ctx.app.settings.retention.build_logs);
    let mut tx = ctx.read().await?;
    let kept = retention::list_referenced(&mut tx, &names, sent, now.minus(GRACE))
        .await
        .map_err(store_error)?;
    drop(tx);
    found.retain(|blob| !kept.contains(&Box::from(blob.to_string())));
    Ok(found)
}
