//! Closes what lost nodes left open, and what a former process of this node did.

use std::sync::Arc;
use std::time::Duration;

use marquetry_app::builds::builds_reap;
use marquetry_app::idempotency::keys_reap;
use marquetry_app::run_engine::{Lost, runs_reap};
use marquetry_model::{Error, Result, RunId};
use tokio::time::Instant;

use crate::inner::Inner;

/// Leases of other nodes are looked at with what is looked at anyway, but not more often than this.
const LEAST: Duration = Duration::from_secs(15);

/// A node has one process (its data folder is locked), so what stands under its name now was a
/// former one's.
///
/// `alive` are the runs that it has taken back from that one.
pub(crate) async fn at_start(inner: &Inner, alive: &[RunId]) -> Result<()> {
    close_own(inner, alive).await?;
    let kept = inner.scratch.names_in_use();
    empty(&inner.config.work_dir, &kept)
        .await
        .map_err(Error::internal)?;
    if let Some(folder) = &inner.config.memory_dir {
        empty(folder, &kept).await.map_err(Error::internal)?;
    }
    Ok(())
}

async fn close_own(inner: &Inner, alive: &[RunId]) -> Result<()> {
    let node = inner.config.node.as_str();
    let mut closed = 0;
    loop {
        let found = runs_reap(&inner.ctx, Lost::Of(node, alive)).await?;
        if found == 0 {
            break;
        }
        closed += found;
    }
    let requeued = builds_reap(&inner.ctx, Some(node)).await?;
    if closed > 0 || requeued > 0 {
        tracing::warn!(
            runs = closed,
            builds = requeued,
            "closed what the last process left open"
        );
    }
    Ok(())
}

/// Removes the scratch of runs and builds that were interrupted.
async fn empty(folder: &std::path::Path, kept: &[String]) -> std::io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        if !kept.iter().any(|name| entry.file_name() == name.as_str()) {
            crate::step::remove_tree(&entry.path()).await;
        }
    }
    Ok(())
}

pub(crate) async fn run_loop(inner: Arc<Inner>) {
    loop {
        let again = inner.look_again(None).max(Instant::now() + LEAST);
        tokio::select! {
            () = tokio::time::sleep_until(again) => {}
            () = inner.stop.cancelled() => return,
        }
        // A clock that has just become wrong must not end the leases of others.
        inner.presence.compare().await;
        if !inner.may_go_on().await {
            return;
        }
        let alive = inner.signals.known();
        let runs = runs_reap(&inner.ctx, Lost::Overdue(&alive))
            .await
            .map(|_| ());
        let builds = builds_reap(&inner.ctx, None).await.map(|_| ());
        let keys = keys_reap(&inner.ctx.app).await.map(|_| ());
        if let Err(error) = runs.and(builds).and(keys) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "looking for what is lost or over failed"
            );
        }
    }
}
