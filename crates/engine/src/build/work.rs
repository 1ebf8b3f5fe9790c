//! The steps of one build.

use std::path::PathBuf;

use marquetry_app::builds::BuildJob;
use marquetry_app::integration_secrets::{BuildSecrets, build_secrets};
use marquetry_app::repository;
use marquetry_blobs::{ArchiveError, Kind, LinkPolicy, PackLimits, pack};
use marquetry_model::{Build, Integration, Release, ReleaseId};
use marquetry_sandbox::Access;
use tokio::sync::watch;

use super::BuildSink;
use super::checkout::{Checkout, checkout};
use super::command::{Step, judge, run, variables};
use super::manifests::{Found, read_manifests};
use super::source::unpack;
use super::toolchain::{Checked, check_toolchain};
use crate::inner::Inner;
use crate::log::LogBuffer;
use crate::network::Reach;
use crate::pump::Stopped;
use crate::ready::stopped;
use crate::signals::Signal;
use crate::step::{Layout, remove_tree};
use crate::toolchain::toolchain;

/// What a build made.
pub(crate) struct Built {
    pub(crate) tag: String,
    pub(crate) message: Option<String>,
    pub(crate) releases: Vec<Release>,
}

/// Why a build made nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    /// The code's or its author's to mend: the sentence says how.
    #[error("{0}")]
    Source(String),
    /// The platform's fault.
    #[error("{what}")]
    Platform {
        what: &'static str,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The built folder cannot be kept.
    #[error("the built folder cannot be packed")]
    Pack(#[from] ArchiveError),
    /// Stopped from outside.
    #[error("stopped")]
    Stopped(Stopped),
}

impl BuildError {
    pub(crate) fn platform(
        what: &'static str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Platform {
            what,
            cause: cause.into(),
        }
    }

    /// For the one who asked for the build.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Source(message) => message.clone(),
            Self::Platform { what, cause } => {
                tracing::error!(
                    error = &**cause as &dyn std::error::Error,
                    "a build failed by the platform's fault: {what}"
                );
                format!("{what} (platform issue): {cause}")
            }
            Self::Pack(cause) => format!("the built folder cannot be kept: {cause}"),
            Self::Stopped(Stopped::Cancelled) => "cancelled".to_owned(),
            Self::Stopped(Stopped::Timeout) => "stopped at the time limit of builds".to_owned(),
            Self::Stopped(Stopped::Lost | Stopped::Shutdown) => {
                "the builder was stopped".to_owned()
            }
        }
    }
}

/// One build's surroundings.
pub(super) struct Site<'a, 'b> {
    pub(super) inner: &'a Inner,
    pub(super) integration: &'a Integration,
    pub(super) secrets: BuildSecrets,
    pub(super) layout: Layout,
    /// The build's own folder on the host, which its code cannot write.
    pub(super) scratch: std::path::PathBuf,
    pub(super) reach: Reach,
    pub(super) log: &'a mut LogBuffer,
    pub(super) sink: &'a mut BuildSink<'b>,
    pub(super) signal: watch::Receiver<Signal>,
    pub(super) started: tokio::time::Instant,
}

/// Builds it. `commit` is set as soon as it is known, however the build ends.
pub(crate) async fn build(
    inner: &Inner,
    job: &BuildJob,
    log: &mut LogBuffer,
    sink: &mut BuildSink<'_>,
    signal: watch::Receiver<Signal>,
) -> Result<Built, BuildError> {
    let BuildJob {
        build, integration, ..
    } = job;
    let origin = Origin::of(inner, build, integration)?;
    let secrets = build_secrets(
        &inner.ctx,
        integration.id,
        integration.repository_url.as_deref(),
    )
    .await;
    let secrets =
        secrets.map_err(|e| BuildError::platform("the build's secrets could not be opened", e))?;
    log.mask(&secrets.texts());
    if let (Origin::Repository(..), Some(why)) = (&origin, secrets.refusal) {
        return Err(BuildError::Source(format!("repository_credential {why}")));
    }
    log.say(&format!(
        "build {} of {} from {}",
        build.id,
        integration.name,
        origin.name()
    ));
    let name = format!("build-{}-{}", build.id, build.attempt);
    let tree = inner.config.work_dir.join(format!("{name}-source"));
    let made = tokio::fs::create_dir_all(&tree).await;
    made.map_err(|e| BuildError::platform("the build's folder could not be made", e))?;
    // Twice the artifact: checkouts and intermediate files go with it.
    let access = Access::ReadWrite {
        max_bytes: Some(inner.config.build.artifact_bytes * 2),
    };
    let scratch = inner.config.work_dir.join(&name);
    let layout = Layout::of_build(inner, &scratch, tree.clone(), access).await;
    let layout =
        layout.map_err(|e| BuildError::platform("the build's folder could not be made", e))?;
    let reach = Reach::of_build(inner).await;
    let started = tokio::time::Instant::now();
    let mut site = Site {
        inner,
        integration,
        secrets,
        layout,
        scratch: scratch.clone(),
        reach,
        log,
        sink,
        signal,
        started,
    };
    let result = steps(&mut site, build, &origin, &tree).await;
    remove_tree(&scratch).await;
    remove_tree(&tree).await;
    result
}

/// Where the code comes from.
enum Origin<'a> {
    Repository(&'a str, repository::Location),
    Archive(&'a str),
}

impl<'a> Origin<'a> {
    fn of(
        inner: &Inner,
        build: &'a Build,
        integration: &'a Integration,
    ) -> Result<Self, BuildError> {
        if let Some(source) = &build.source_blob {
            return Ok(Self::Archive(source));
        }
        let address = integration.repository_url.as_deref().unwrap_or_default();
        let location = repository::locate(address, &inner.ctx.app.settings.local_repositories);
        let location =
            location.map_err(|why| BuildError::Source(format!("repository_url {why}")))?;
        Ok(Self::Repository(address, location))
    }

    fn name(&self) -> &str {
        match self {
            Self::Repository(address, _) => address,
            Self::Archive(_) => "an archive",
        }
    }
}

async fn steps(
    site: &mut Site<'_, '_>,
    build: &Build,
    origin: &Origin<'_>,
    tree: &std::path::Path,
) -> Result<Built, BuildError> {
    let checkout = match origin {
        Origin::Repository(_, location) => checkout(site, build, location).await?,
        Origin::Archive(source) => unpack(site, source, tree).await?,
    };
    let found = read_manifests(site, tree).await?;
    let mut warnings = Vec::new();
    for one in &found {
        let image = site.inner.config.images.of(&one.manifest.base);
        if let Some(image) = image.map_err(BuildError::Source)? {
            site.log
                .say(&format!("in a container of the image {image}"));
            site.layout = site.layout.in_image(image);
        }
        let mut checked = check_toolchain(site, one).await?;
        warnings.extend(checked.warning.take());
        build_one(site, one, &checked).await?;
    }
    // History is no part of a release.
    remove_tree(&tree.join(".git")).await;
    let artifact = unless_stopped(site, tree).await?;
    let tag = build.tag.clone().or_else(|| checkout.short.clone());
    let tag = tag.unwrap_or_else(|| format!("build-{}", build.id));
    let releases = found
        .into_iter()
        .map(|one| release(site, build, &checkout, one, &tag, &artifact));
    let mut releases: Vec<Release> = releases.collect();
    // Who follows `Latest` follows one manifest, however many are added behind it.
    for other in releases.iter_mut().skip(1) {
        other.counts_as_latest = false;
    }
    let message = (!warnings.is_empty()).then(|| warnings.join("; "));
    Ok(Built {
        tag,
        message,
        releases,
    })
}

/// Runs the build command with the network and the cache of builds.
async fn build_one(
    site: &mut Site<'_, '_>,
    found: &Found,
    checked: &Checked,
) -> Result<(), BuildError> {
    site.log
        .say(&format!("{}: {}", found.path, found.manifest.build));
    let command = &found.manifest.build;
    let before = toolchain(found.manifest.base.language).before;
    let step = Step {
        command: &format!("{}{command}", before.unwrap_or_default()),
        folder: found.folder(),
        what: "the build command",
    };
    let what = step.what;
    let environment = variables(site, found).await?;
    let network = site.reach.network.clone();
    let status = run(site, step, environment, network, None).await?;
    judge(status, what).map_err(|failure| match checked.hint(command) {
        Some(hint) => BuildError::Source(format!("{}; {hint}", failure.sentence())),
        None => failure,
    })
}

/// Folders that stand at the same place wherever a release runs, so links to them are kept:
/// Python's virtual environments need that. `further` are the operator's toolchains.
pub fn toolchain_links(further: &[PathBuf]) -> LinkPolicy {
    let folders = ["/usr", "/bin", "/lib", "/lib64", "/sbin", "/opt"];
    let folders = folders.map(PathBuf::from).into_iter();
    LinkPolicy {
        outside: folders.chain(further.iter().cloned()).collect(),
    }
}

/// Keeps the built folder, unless somebody stops the build or its time is up meanwhile. No process
/// of the build is left then, so what is dropped here is only the packing.
async fn unless_stopped(
    site: &mut Site<'_, '_>,
    tree: &std::path::Path,
) -> Result<String, BuildError> {
    let mut signal = site.signal.clone();
    let end = site.started + site.inner.config.build.timeout;
    tokio::select! {
        biased;
        why = stopped(&mut signal, end) => Err(BuildError::Stopped(why)),
        kept = keep(site, tree) => kept,
    }
}

async fn keep(site: &mut Site<'_, '_>, tree: &std::path::Path) -> Result<String, BuildError> {
    let out = site.scratch.join("artifact");
    let limits = PackLimits {
        max_bytes: site.inner.config.build.artifact_bytes,
        links: toolchain_links(&site.inner.config.toolchain_paths),
        ..PackLimits::default()
    };
    let packed = pack(tree, limits, &out).await?;
    let kept = site
        .inner
        .ctx
        .app
        .blobs
        .put_file(Kind::Artifact, &out)
        .await;
    let kept = kept.map_err(|e| BuildError::platform("the artifact could not be stored", e))?;
    site.log.say(&format!(
        "{} files, {} bytes, kept as {kept}",
        packed.files, packed.content_bytes
    ));
    Ok(kept.to_string())
}

fn release(
    site: &Site<'_, '_>,
    build: &Build,
    checkout: &Checkout,
    found: Found,
    tag: &str,
    artifact: &str,
) -> Release {
    let integration = site.integration;
    let manifest = found.manifest;
    let several = integration.repository_paths.len() > 1;
    let suffix = if several {
        format!("-{}", slug(&found.path))
    } else {
        String::new()
    };
    Release {
        id: ReleaseId::new(0),
        integration_id: integration.id,
        build_id: build.id,
        name: format!("{}-{tag}{suffix}", integration.name),
        tag: tag.to_owned(),
        branch: checkout.branch.clone(),
        commit_hash: checkout.commit.clone(),
        manifest_path: found.path,
        config_version: manifest.version,
        base: manifest.base.written,
        run_command: manifest.run,
        config_schema: manifest.configs,
        metadata_schema: manifest.metadata_schema,
        narrowing: narrowing(&manifest.marquetry),
        artifact: artifact.to_owned(),
        counts_as_latest: build.latest.unwrap_or(checkout.counts_as_latest),
        created_at: site.inner.ctx.now(),
        artifact_removed_at: None,
    }
}

fn narrowing(narrowing: &marquetry_manifest::Narrowing) -> Option<serde_json::Value> {
    let mut all = serde_json::Map::new();
    if let Some(seconds) = narrowing.timeout_seconds {
        all.insert("timeout_seconds".to_owned(), seconds.into());
    }
    if let Some(egress) = narrowing.egress {
        all.insert("egress".to_owned(), egress.as_str().into());
    }
    (!all.is_empty()).then_some(all.into())
}

fn slug(path: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    path.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn packing_is_stopped_by_a_wish_and_by_the_time() {
        let (sender, mut signal) = watch::channel(Signal::default());
        let passed = Instant::now();
        assert_eq!(stopped(&mut signal, passed).await, Stopped::Timeout);
        let end = Instant::now() + Duration::from_secs(60);
        for (change, why) in [
            (
                Signal {
                    cancel: true,
                    ..Signal::default()
                },
                Stopped::Cancelled,
            ),
            (
                Signal {
                    stop: crate::signals::Stop::End,
                    ..Signal::default()
                },
                Stopped::Shutdown,
            ),
            (
                Signal {
                    lost: true,
                    cancel: true,
                    ..Signal::default()
                },
                Stopped::Lost,
            ),
        ] {
            sender.send_replace(change);
            assert_eq!(stopped(&mut signal, end).await, why);
        }
        // A lease that moves on stops nothing.
        sender.send_replace(Signal {
            lease_end: Some(end),
            ..Signal::default()
        });
        assert_eq!(stopped(&mut signal, passed).await, Stopped::Timeout);
    }
}
