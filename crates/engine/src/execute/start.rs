//! From a claimed run to its process.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use marquetry_app::connections::run::{RunSecrets, RunSecretsError, run_secrets};
use marquetry_app::environment::{Facts, secrets, too_large, variables};
use marquetry_app::integration_secrets::run_build_secrets;
use marquetry_app::jobs::RunJob;
use marquetry_app::tenant_secrets::run_configs;
use marquetry_blobs::Unpacked;
use marquetry_manifest::{Base, Egress, LastLine};
use marquetry_model::TenantId;
use marquetry_sandbox::Child;
use marquetry_store::runs::RunClaim;
use tokio::sync::watch;
use tokio::time::Instant;

use super::files;
use super::follow::{Followed, Run};
use super::terms::{egress, lease_left, reach, spec, timeout_s};
use crate::inner::Inner;
use crate::keeping::Keeping;
use crate::label::Known;
use crate::log::LogBuffer;
use crate::network::Reach;
use crate::prestart::{self, Waiting};
use crate::pump::Stopped;
use crate::ready::{self, NotReady};
use crate::scratch::Place;
use crate::signals::Signal;
use crate::step::Layout;

/// Why a process could not be started: the platform's fault, but for one.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("{0}")]
    Refused(String),
    /// The base of the release has no image here.
    #[error("{0}")]
    Image(String),
    /// Credentials that are not good any more.
    #[error("{0}")]
    Refresh(String),
    #[error("the tenant's connections could not be opened")]
    Connections(#[source] marquetry_model::Error),
    #[error(
        "the tenant's secret settings could not be opened; set all its settings anew with PUT /v2/tenants/{tenant}"
    )]
    Secrets {
        tenant: TenantId,
        #[source]
        cause: marquetry_model::Error,
    },
    #[error("the secrets of the integration's builds could not be opened")]
    BuildSecrets(#[source] marquetry_model::Error),
    #[error("the release could not be fetched")]
    Release(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the run's folder could not be made")]
    Folder(#[source] std::io::Error),
    #[error(transparent)]
    Files(#[from] files::FilesError),
    /// Before it began.
    #[error("stopped")]
    Stopped(Stopped),
    #[error("the sandbox could not start it: {0}")]
    Sandbox(marquetry_sandbox::Error),
    #[error("its connections could not be relayed")]
    Relay(#[from] marquetry_outbound::relay::RelayError),
}

pub(super) async fn attempt(
    inner: &Arc<Inner>,
    job: &RunJob,
    claim: &RunClaim,
    log: &mut LogBuffer,
) -> Result<Followed, StartError> {
    let registered = inner.signals.register(claim.id, claim.attempt);
    // Folder and release are held until the run has ended: the release stays unpacked so long.
    let (release, place, mut waiting) = match inner.prestart.take(inner, job) {
        Some(ready) => (ready.release, ready.place, Some(ready.waiting)),
        None => (release(inner, job).await?, place(inner)?, None),
    };
    let image = image(inner, job)?;
    let layout = Layout::of_run(inner, &place, release.path().to_owned(), image);
    let signal = registered.receiver.clone();
    let run = Run {
        inner,
        job,
        claim,
        log,
        signal,
    };
    let done = in_layout(run, &layout, &mut waiting, place.number()).await;
    if let Some(waiting) = waiting {
        waiting.end().await;
    }
    if matches!(done, Ok(Followed::Left)) {
        place.leave();
    }
    done
}

pub(super) async fn release(inner: &Inner, job: &RunJob) -> Result<Unpacked, StartError> {
    let artifact = job.release.artifact.parse();
    let artifact = artifact.map_err(|e| StartError::Release(Box::new(e)))?;
    let release = inner.artifacts.ensure(&artifact, &inner.ctx.app.blobs);
    release.await.map_err(|e| StartError::Release(Box::new(e)))
}

/// The image of its base, where code runs in containers.
fn image(inner: &Inner, job: &RunJob) -> Result<Option<String>, StartError> {
    // A release keeps what a manifest said, which was checked when it was built.
    let base = Base::read(&job.release.base);
    let image = base.and_then(|base| inner.config.images.of(&base));
    image.map_err(StartError::Image)
}

fn place(inner: &Inner) -> Result<Place, StartError> {
    inner.scratch.take().map_err(StartError::Folder)
}

async fn in_layout(
    run: Run<'_>,
    layout: &Layout,
    waiting: &mut Option<Waiting>,
    place: usize,
) -> Result<Followed, StartError> {
    let (inner, job) = (run.inner, run.job);
    // It may have been allowed when the integration was saved.
    if egress(job) == Egress::Host && !inner.ctx.app.settings.host_network_allowed {
        let message = "egress host is not allowed here; change the integration's egress, or the operator opens it with --allow-host-network";
        return Err(StartError::Refused(message.to_owned()));
    }
    let reach = reach(inner, job);
    let (given, secrets) = given(inner, job, layout, run.log).await?;
    let taken = match waiting.take() {
        Some(waiting) => waiting.give(&given, lease_left(inner, job)).await,
        None => None,
    };
    let (child, at_once) = if let Some(taken) = taken {
        run.log.say("a pre-started interpreter is used");
        taken
    } else {
        if let Some(image) = layout
            .image
            .as_deref()
            .filter(|image| !inner.sandbox.knows(image))
        {
            run.log.say(&format!(
                "the image {image} is fetched, if this machine does not have it"
            ));
        }
        (
            start(inner, job, layout, &reach, given, &run.signal).await?,
            false,
        )
    };
    prestart::prepare(inner, job, at_once);
    let known = Known {
        run: job.run.id,
        attempt: job.run.attempt,
        place,
        secrets,
    };
    let keeping = if inner.config.outlived && inner.sandbox.can_keep() {
        Keeping::Wanted {
            sandbox: &inner.sandbox,
            known,
            live: u32::try_from(inner.runs.taken())
                .unwrap_or(u32::MAX)
                .min(1_000),
        }
    } else {
        Keeping::Never
    };
    let stdout = LastLine::with_limit(inner.config.run.stdout_bytes);
    run.follow(child, &reach, keeping, stdout, Duration::ZERO)
        .await
}

async fn start(
    inner: &Inner,
    job: &RunJob,
    layout: &Layout,
    reach: &Reach,
    given: Vec<(String, String)>,
    signal: &watch::Receiver<Signal>,
) -> Result<Child, StartError> {
    let end = Instant::now() + Duration::from_secs(timeout_s(inner, job));
    let given: Vec<(OsString, OsString)> = given
        .into_iter()
        .map(|(n, v)| (n.into(), v.into()))
        .collect();
    let spec = |image| {
        let lease = signal.borrow().lease_end;
        let lease = lease.map_or_else(|| lease_left(inner, job), |end| end - Instant::now());
        let mut spec = spec(inner, job, layout, reach, lease);
        spec.image = image;
        // The shell of some systems keeps from its command what it could not name itself.
        let has_odd_names = given.iter().any(|(name, _)| !is_shell_name(name));
        if has_odd_names && spec.image.is_none() && Path::new(BASH).exists() {
            let words = [BASH, "--posix", "-c", job.release.run_command.as_str()];
            spec.command = words.map(Into::into).to_vec();
        }
        spec.environment.extend(given.iter().cloned());
        spec
    };
    let child = ready::spawn(inner, layout.image.as_deref(), signal, end, spec).await;
    child.map_err(|why| match why {
        NotReady::Failed(error) => StartError::Sandbox(error),
        NotReady::Stopped(why) => StartError::Stopped(why),
    })
}

/// A shell that hands on variables whatever they are called, as `PAN_SEC_HUBSPOT-BASIC_API_KEY`.
const BASH: &str = "/bin/bash";

/// Whether a shell can name a variable.
fn is_shell_name(name: &OsStr) -> bool {
    let mut bytes = name.as_bytes().iter();
    bytes.all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

/// The run's own variables, and what its log must not show; its files are written, and its log has begun.
async fn given(
    inner: &Inner,
    job: &RunJob,
    layout: &Layout,
    log: &mut LogBuffer,
) -> Result<(Vec<(String, String)>, Vec<String>), StartError> {
    let files = layout.files();
    let configs = run_configs(&inner.ctx, job).await;
    let configs = configs.map_err(|cause| StartError::Secrets {
        tenant: job.tenant.id,
        cause,
    })?;
    let facts = Facts {
        environment: &inner.ctx.app.settings.environment,
        integration: &job.integration,
        tenant: &job.tenant,
        configs: &configs,
        release: &job.release,
        run: Some(job.run.id),
        mode: job.run.mode,
        triggers: &job.triggers,
        last: job.last.as_ref(),
        last_successful: job.last_successful.as_ref(),
        output: job.output.as_ref().map(Option::as_deref),
        metadata: &job.metadata,
        files: &files,
        traceparent: Some(marquetry_app::environment::traceparent()),
    };
    files::write(&inner.ctx, &facts, layout.host_files()).await?;
    layout.open_files().map_err(StartError::Folder)?;
    let mut given = variables(&facts);
    let connected = connected(inner, job, log).await?;
    given.extend(connected.variables);
    say_beginning(inner, job, &given, log);
    if !connected.missing.is_empty() {
        log.say(&format!("not connected: {}", connected.missing.join(", ")));
    }
    if let Some(message) = too_large(&given) {
        return Err(StartError::Refused(message));
    }
    let mut hidden = secrets(&facts, &given);
    hidden.extend(connected.hidden);
    let of_builds = run_build_secrets(&inner.ctx, job).await;
    hidden.extend(of_builds.map_err(StartError::BuildSecrets)?.texts());
    log.mask(&hidden);
    Ok((given, hidden))
}

/// The credentials of its connections, refreshed where they would not last as long as the run may.
async fn connected(
    inner: &Inner,
    job: &RunJob,
    log: &mut LogBuffer,
) -> Result<RunSecrets, StartError> {
    if job.integration.connectors.is_empty() {
        return Ok(RunSecrets::default());
    }
    let limit = Duration::from_secs(timeout_s(inner, job));
    let found = run_secrets(&inner.ctx, job, limit).await;
    found.map_err(|why| match why {
        RunSecretsError::Refresh(message) => {
            log.say("the code is not started, because a credential could not be refreshed");
            StartError::Refresh(message)
        }
        RunSecretsError::Platform(cause) => StartError::Connections(cause),
    })
}

/// The first lines of a log tell what runs, and why.
fn say_beginning(inner: &Inner, job: &RunJob, given: &[(String, String)], log: &mut LogBuffer) {
    let ids: Vec<String> = job
        .triggers
        .iter()
        .take(20)
        .map(|t| format!("{} ({})", t.id, t.source))
        .collect();
    let further = job.triggers.len().saturating_sub(ids.len());
    let further = if further > 0 {
        format!(" and {further} more")
    } else {
        String::new()
    };
    log.say(&format!(
        "run {} of release {} in mode {}; triggers {}{further}",
        job.run.id,
        job.release.name,
        job.run.mode,
        ids.join(", ")
    ));
    let names: Vec<&str> = given.iter().map(|(name, _)| name.as_str()).collect();
    log.say(&format!("variables: {}", names.join(" ")));
    let missing: Vec<&str> = inner
        .sandbox
        .report()
        .missing()
        .map(|part| part.name.as_str())
        .collect();
    match inner.sandbox.mode() {
        marquetry_sandbox::Mode::Full => {}
        marquetry_sandbox::Mode::Degraded if missing.is_empty() => {}
        marquetry_sandbox::Mode::Degraded => {
            log.say(&format!(
                "the sandbox is degraded; missing: {}",
                missing.join(", ")
            ));
        }
        marquetry_sandbox::Mode::Off => log.say("the sandbox is off"),
    }
}
