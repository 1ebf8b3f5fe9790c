//! Logs of runs and builds: reading, following, signed links.

use std::time::Duration;

use marquetry_blobs::{BlobRef, Kind, LinkError};
use marquetry_model::{BuildId, Error, Result, RunId, Scope, TenantId};
use marquetry_store::logs::{Chunk, LogOf};
use marquetry_store::{builds, logs, runs};

use crate::App;
use crate::ctx::Ctx;
use crate::errors::{blob_error, store_error};
use crate::hints::Topic;

/// How long a link to a log works (the contract's fifteen minutes).
pub const LINK_LIFE: Duration = Duration::from_secs(15 * 60);
/// A finished log above this size moves from the database to the blob store.
const INLINE_LOG: usize = 8 * 1024;
/// How many chunks are read at once.
const CHUNKS: i64 = 64;
/// No log can be larger than the limit plus what the platform adds.
const LARGEST_LOG: u64 = 64 << 20;

/// A part of a log, and whether more can come.
#[derive(Debug, Clone)]
pub struct LogPart {
    /// In order; the last one's number is where to go on.
    pub chunks: Vec<Chunk>,
    /// Whether the run or build is over and nothing is left behind these chunks.
    pub complete: bool,
}

/// A link to a run's log that needs no key: path and query.
pub async fn log_link(ctx: &Ctx, id: RunId) -> Result<String> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    runs::get(&mut tx, id).await.map_err(store_error)?;
    let expires = ctx.now().plus(LINK_LIFE).as_seconds();
    let signature = ctx.app.log_links.sign(id.get(), expires);
    Ok(format!(
        "/logs/{id}?expires={expires}&signature={signature}"
    ))
}

/// Lets the bearer of a link read the log; otherwise not authorized.
pub fn log_link_check(app: &App, id: RunId, expires: i64, signature: &str) -> Result<()> {
    let now = app.now().as_seconds();
    match app.log_links.verify(id.get(), expires, signature, now) {
        Ok(()) => Ok(()),
        Err(LinkError::Expired | LinkError::Wrong) => Err(Error::Unauthenticated),
    }
}

/// What a log holds after chunk number `after` (0: from the beginning). An archived log is one
/// chunk with the number of the last one it was made of.
pub async fn log_part(ctx: &Ctx, of: LogOf, after: i64) -> Result<LogPart> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    // The state is read before the chunks: what was over then has all its chunks now.
    let over = match of {
        LogOf::Run(id) => runs::get(&mut tx, id)
            .await
            .map_err(store_error)?
            .phase
            .is_final(),
        LogOf::Build(id) => builds::get(&mut tx, id)
            .await
            .map_err(store_error)?
            .completed_at
            .is_some(),
    };
    let chunks = logs::list(&mut tx, of, after, CHUNKS)
        .await
        .map_err(store_error)?;
    let full = i64::try_from(chunks.len()).is_ok_and(|n| n == CHUNKS);
    let blob = if chunks.is_empty() && over {
        logs::find_blob(&mut tx, of).await.map_err(store_error)?
    } else {
        None
    };
    drop(tx);
    match blob {
        Some(blob) => archived(ctx, &blob, after).await,
        None => Ok(LogPart {
            chunks,
            complete: over && !full,
        }),
    }
}

async fn archived(ctx: &Ctx, blob: &str, after: i64) -> Result<LogPart> {
    let blob: BlobRef = blob.parse().map_err(Error::internal)?;
    let bytes = ctx
        .app
        .blobs
        .get(&blob, LARGEST_LOG)
        .await
        .map_err(blob_error)?;
    // Followers count in chunks; an archived log counts in bytes from a number that no chunk has.
    let start = usize::try_from(after - ARCHIVED)
        .unwrap_or(0)
        .min(bytes.len());
    let number = ARCHIVED + i64::try_from(bytes.len()).unwrap_or(i64::MAX - ARCHIVED);
    let chunks = if start == bytes.len() {
        Vec::new()
    } else {
        vec![Chunk {
            number,
            bytes: bytes[start..].to_vec(),
        }]
    };
    Ok(LogPart {
        chunks,
        complete: true,
    })
}

/// Chunk numbers from here on mean bytes of an archived log.
const ARCHIVED: i64 = 1 << 40;

/// Waits until something may have changed about a log, at most `longest`.
pub async fn log_wait(ctx: &Ctx, topic: Topic, longest: Duration) {
    let listener = ctx.app.hints.listen(topic);
    // A hint or the time, both mean: look again.
    let _ = tokio::time::timeout(longest, listener.next()).await;
}

/// The topic on which news of a log comes.
pub async fn log_topic(ctx: &Ctx, of: LogOf) -> Result<Topic> {
    match of {
        LogOf::Build(id) => Ok(Topic::Build(id)),
        LogOf::Run(id) => Ok(Topic::Tenant(tenant_of(ctx, id).await?)),
    }
}

async fn tenant_of(ctx: &Ctx, id: RunId) -> Result<TenantId> {
    let mut tx = ctx.read().await?;
    Ok(runs::get(&mut tx, id).await.map_err(store_error)?.tenant_id)
}

/// Moves a finished log out of the database when it is large.
pub async fn log_archive(ctx: &Ctx, of: LogOf) -> Result<()> {
    let mut whole = Vec::new();
    let mut after = 0;
    loop {
        let mut tx = ctx.read().await?;
        let part = logs::list(&mut tx, of, after, CHUNKS)
            .await
            .map_err(store_error)?;
        let Some(last) = part.last() else { break };
        after = last.number;
        for chunk in part {
            whole.extend_from_slice(&chunk.bytes);
        }
    }
    if whole.len() <= INLINE_LOG {
        return Ok(());
    }
    let blob = ctx
        .app
        .blobs
        .put(Kind::Log, whole.into())
        .await
        .map_err(blob_error)?;
    let mut tx = ctx.write().await?;
    logs::update_blob(&mut tx, of, &blob.to_string())
        .await
        .map_err(store_error)?;
    tx.commit().await.map_err(store_error)
}

/// Whether the build exists, for routes that answer with a stream.
pub async fn log_exists(ctx: &Ctx, of: LogOf) -> Result<()> {
    ctx.require(Scope::Read)?;
    match of {
        LogOf::Run(id) => tenant_of(ctx, id).await.map(|_| ()),
        LogOf::Build(id) => build_exists(ctx, id).await,
    }
}

async fn build_exists(ctx: &Ctx, id: BuildId) -> Result<()> {
    let mut tx = ctx.read().await?;
    builds::get(&mut tx, id)
        .await
        .map(|_| ())
        .map_err(store_error)
}
