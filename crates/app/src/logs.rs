//! Logs of runs and builds: reading, following, signed links.

use std::time::Duration;

use futures_util::StreamExt as _;
use marquetry_blobs::{BlobRef, BlobStream, Kind, LinkError};
use marquetry_model::{BuildId, Error, Result, RunId, Scope, TenantId};
pub use marquetry_store::logs::{Chunk, LogOf};
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

/// What begins a line of a log that the platform wrote.
pub const MARK: &str = "[marquetry] ";

/// The end of a run's log that is not stored yet.
#[derive(Debug, Clone)]
pub struct LogEnd {
    /// The number of its chunk.
    pub number: i64,
    /// The text, which may be empty.
    pub text: Vec<u8>,
    /// Whether a line may begin behind it.
    pub is_at_line_start: bool,
}

impl LogEnd {
    /// A line of the platform's own; answers how many bytes were added.
    pub fn say(&mut self, line: &str) -> usize {
        let before = self.text.len();
        if !self.is_at_line_start {
            self.text.push(b'\n');
        }
        self.text.extend_from_slice(MARK.as_bytes());
        self.text.extend_from_slice(line.as_bytes());
        self.text.push(b'\n');
        self.is_at_line_start = true;
        self.text.len() - before
    }
}

/// A part of a log.
enum LogPart {
    /// In order; the last one's number is where to go on.
    Chunks {
        chunks: Vec<Chunk>,
        /// Whether the run or build is over and nothing is left behind these chunks.
        complete: bool,
    },
    /// All of it lies here.
    Archived(BlobRef),
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

/// Where a reader of a log is. It counts bytes too, because a log that is moved to the blob store
/// under its reader loses its chunk numbers.
#[derive(Default)]
pub struct LogCursor {
    after: i64,
    read: u64,
    skip: u64,
    /// The log in the blob store, once it is there: it is read piece by piece, never whole.
    archive: Option<BlobStream>,
}

impl LogCursor {
    /// From this byte on.
    pub fn at(offset: u64) -> Self {
        Self {
            skip: offset,
            ..Self::default()
        }
    }

    /// The byte after the last one that was read.
    pub fn offset(&self) -> u64 {
        self.read
    }

    /// The whole log comes again, from the blob store.
    fn begin_again(&mut self) {
        self.skip = self.skip.max(self.read);
        self.read = 0;
    }

    /// The part of the next bytes that is new to this reader.
    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let size = bytes.len() as u64;
        let known = self.skip.saturating_sub(self.read).min(size);
        self.read += size;
        let known = usize::try_from(known).unwrap_or(bytes.len());
        bytes[known..].to_vec()
    }

    /// The next new bytes of the archived log; none at its end.
    async fn next_archived(&mut self) -> Result<Option<Vec<u8>>> {
        while let Some(archive) = &mut self.archive {
            match archive.next().await {
                Some(piece) => {
                    let new = self.take(&piece.map_err(blob_error)?);
                    if !new.is_empty() {
                        return Ok(Some(new));
                    }
                }
                None => return Ok(None),
            }
        }
        Ok(None)
    }
}

/// The next bytes of a log, and whether nothing comes behind them. Every byte comes once, also when
/// the log is archived meanwhile; an answer without bytes that is not complete means: not yet.
pub async fn log_next(ctx: &Ctx, of: LogOf, cursor: &mut LogCursor) -> Result<(Vec<u8>, bool)> {
    if cursor.archive.is_none() {
        match log_part(ctx, of, cursor.after).await? {
            LogPart::Chunks { chunks, complete } => {
                let mut bytes = Vec::new();
                for chunk in chunks {
                    cursor.after = chunk.number;
                    bytes.append(&mut cursor.take(&chunk.bytes));
                }
                return Ok((bytes, complete));
            }
            LogPart::Archived(blob) => {
                cursor.begin_again();
                let stream = ctx.app.blobs.stream(&blob, u64::MAX).await;
                cursor.archive = Some(stream.map_err(blob_error)?);
            }
        }
    }
    let bytes = cursor.next_archived().await?;
    let complete = bytes.is_none();
    Ok((bytes.unwrap_or_default(), complete))
}

/// What a log holds after chunk number `after` (0: from the beginning).
async fn log_part(ctx: &Ctx, of: LogOf, after: i64) -> Result<LogPart> {
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
    if chunks.is_empty()
        && over
        && let Some(blob) = logs::find_blob(&mut tx, of).await.map_err(store_error)?
    {
        return Ok(LogPart::Archived(blob.parse().map_err(Error::internal)?));
    }
    Ok(LogPart::Chunks {
        chunks,
        complete: over && !full,
    })
}

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

/// The phase of the run, or the status of the build, that a log belongs to.
pub async fn log_status(ctx: &Ctx, of: LogOf) -> Result<&'static str> {
    let mut tx = ctx.read().await?;
    match of {
        LogOf::Run(id) => {
            let run = runs::get(&mut tx, id).await.map_err(store_error)?;
            Ok(run.phase.as_str())
        }
        LogOf::Build(id) => {
            let build = builds::get(&mut tx, id).await.map_err(store_error)?;
            Ok(build.status.as_str())
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_archived_under_its_reader_does_not_repeat() {
        let mut cursor = LogCursor::default();
        assert_eq!(cursor.take(b"one\n"), b"one\n");
        cursor.begin_again();
        assert_eq!(cursor.take(b"on"), b"");
        assert_eq!(cursor.take(b"e\ntwo\n"), b"two\n");
        assert_eq!(cursor.offset(), 8);
    }

    #[test]
    fn what_is_said_at_the_end_has_a_line_of_its_own() {
        let mut log = LogEnd {
            number: 1,
            text: b"half".to_vec(),
            is_at_line_start: false,
        };
        let added = log.say("one") + log.say("two");
        assert_eq!(log.text, b"half\n[marquetry] one\n[marquetry] two\n");
        assert_eq!(added, log.text.len() - 4);
    }

    #[test]
    fn a_reader_goes_on_in_the_middle_of_a_chunk() {
        let mut cursor = LogCursor::at(5);
        assert_eq!(cursor.take(b"one\n"), b"");
        assert_eq!(cursor.take(b"two\n"), b"wo\n");
        let mut cursor = LogCursor::at(5);
        cursor.begin_again();
        assert_eq!(cursor.take(b"one\ntwo\n"), b"wo\n");
        assert_eq!(cursor.offset(), 8);
    }
}
