//! Builds of a source folder that somebody sends instead of committing it.

use std::io;
use std::path::{Path, PathBuf};

use marquetry_blobs::Kind;
use marquetry_model::{Build, Error, FieldError, IntegrationId, Loc, Result, Scope};
use marquetry_store::{ReadTx, Tx, builds, integrations};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use crate::ctx::Ctx;
use crate::errors::{blob_error, store_error};
use crate::hints::Topic;
use crate::integrations::check_git_name;
use crate::random;

/// What a gzip stream begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Builds that may wait of one integration when another archive comes.
const MOST_WAITING: i64 = 20;
/// How long somebody is asked to wait when too many builds do.
const RETRY_S: u32 = 60;

/// An archive on its way in. Dropped before its end, it leaves nothing behind.
pub struct Upload {
    integration: IntegrationId,
    tag: Option<String>,
    file: File,
    path: Temporary,
    start: Vec<u8>,
}

/// An archive that is kept, before anything is built of it.
#[derive(Debug)]
pub struct Uploaded {
    integration: IntegrationId,
    tag: Option<String>,
    /// Its content address.
    pub source: String,
}

/// Begins to take a `.tar.gz` of a source folder. Everything that can be refused before its first
/// byte is refused here.
pub async fn upload_begin(
    ctx: &Ctx,
    integration: IntegrationId,
    tag: Option<String>,
) -> Result<Upload> {
    ctx.require(Scope::Write)?;
    if let Some(fault) = upload_fault(tag.as_deref()) {
        return Err(Error::Invalid(vec![fault]));
    }
    let mut tx: ReadTx = ctx.read().await?;
    check_taken(&mut tx, integration).await?;
    drop(tx);
    let folder = &ctx.app.settings.uploads_dir;
    let name = random::hex(&random::bytes::<16>());
    let path = Temporary(folder.join(name));
    let file = File::create_new(&path.0).await.map_err(not_kept)?;
    Ok(Upload {
        integration,
        tag,
        file,
        path,
        start: Vec::new(),
    })
}

/// What is wrong with the label of an archive.
pub fn upload_fault(tag: Option<&str>) -> Option<FieldError> {
    let why = check_git_name(tag?).err()?;
    Some(FieldError::query("tag", why))
}

impl Upload {
    /// Takes what came next. What does not begin like a gzip stream is refused at once.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let missing = GZIP.len().saturating_sub(self.start.len());
        self.start.extend(bytes.iter().take(missing));
        if !GZIP.starts_with(&self.start) {
            return Err(no_archive("is no gzip stream"));
        }
        self.file.write_all(bytes).await.map_err(not_kept)
    }

    /// Keeps the archive.
    pub async fn finish(mut self, ctx: &Ctx) -> Result<Uploaded> {
        if self.start.is_empty() {
            return Err(no_archive("is empty"));
        }
        if self.start != GZIP {
            return Err(no_archive("is no gzip stream"));
        }
        self.file.flush().await.map_err(not_kept)?;
        let kept = ctx.app.blobs.put_file(Kind::Source, self.path.as_ref());
        Ok(Uploaded {
            integration: self.integration,
            tag: self.tag,
            source: kept.await.map_err(blob_error)?.to_string(),
        })
    }
}

/// Asks for the build of an archive that is kept.
pub async fn upload_build(ctx: &Ctx, upload: &Uploaded) -> Result<Build> {
    ctx.require(Scope::Write)?;
    let mut tx = ctx.write().await?;
    // Taken for a change, so that two uploads at once are counted one after the other.
    integrations::lock(&mut tx, upload.integration)
        .await
        .map_err(store_error)?;
    check_taken(&mut tx, upload.integration).await?;
    let tag = upload.tag.as_deref();
    let build = builds::insert_source(&mut tx, upload.integration, tag, &upload.source, ctx.now())
        .await
        .map_err(store_error)?;
    ctx.commit(tx, build.id.get()).await?;
    ctx.app.hints.give(Topic::Builds);
    Ok(build)
}

/// Whether the integration takes an archive now.
async fn check_taken(tx: &mut Tx, id: IntegrationId) -> Result<()> {
    let integration = integrations::get(tx, id).await.map_err(store_error)?;
    if integration.archived_at.is_some() {
        return Err(Error::not_found(IntegrationId::KIND, id));
    }
    let waiting = builds::count_waiting(tx, id).await.map_err(store_error)?;
    if waiting < MOST_WAITING {
        return Ok(());
    }
    Err(Error::RateLimited {
        retry_after_s: RETRY_S,
        message: format!(
            "{waiting} builds of integration {id} wait already; let them end or cancel some"
        ),
    })
}

fn no_archive(why: &str) -> Error {
    let remedy = "send the .tar.gz of a source folder as the body: tar -czf - -C FOLDER .";
    Error::Invalid(vec![FieldError {
        loc: vec![Loc::Name("body".into())],
        message: format!("{why}; {remedy}"),
        kind: "value_error",
        context: None,
    }])
}

fn not_kept(cause: io::Error) -> Error {
    Error::Unavailable {
        message: "the archive could not be kept; the server's log has the cause".to_owned(),
        cause: Some(Box::new(cause)),
    }
}

/// A file that goes away with its owner.
struct Temporary(PathBuf);

impl AsRef<Path> for Temporary {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What stays is removed at the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}
