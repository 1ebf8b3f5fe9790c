//! One run, from claim to end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use marquetry_app::environment::{Facts, secrets, too_large, variables};
use marquetry_app::integration_secrets::run_build_secrets;
use marquetry_app::jobs::RunJob;
use marquetry_app::learned::{Learned, judge as judge_output};
use marquetry_app::logs::{LogEnd, log_archive};
use marquetry_app::run_engine::{RunEnd, runs_finish};
use marquetry_app::tenant_secrets::run_configs;
use marquetry_blobs::Unpacked;
use marquetry_manifest::{Base, Egress, LastLine};
use marquetry_model::{Outcome, Phase, TenantId};
use marquetry_sandbox::{Cause, Child, Ended, Kept, Limits, Spec, Status, Usage};
use marquetry_store::logs::LogOf;
use marquetry_store::runs::RunClaim;
use tokio::sync::watch;
use tokio::time::Instant;

use super::ends::Settled;
use super::files;
use super::follow::{Followed, Run};
use super::outcome::{self, CutOff};
use super::resume::{self, Back};
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
use crate::slots::Slot;
use crate::step::Layout;

/// A finished log above this size moves to the blob store.
const LARGE_LOG: u64 = 8 * 1024;

/// Executes a run and reports its end; where others wait, the same place goes on with the next
/// one, which the report has brought. Else the place is free as soon as the process has ended.
pub(super) async fn execute(inner: Arc<Inner>, job: RunJob, slot: Slot) {
    let mut next = Some((Box::new(job), slot));
    while let Some((job, slot)) = next {
        let Some(ended) = run(&inner, &job).await else {
            return;
        };
        next = end(&inner, ended, slot).await;
    }
}

/// Executes what is left of a run that was taken back, and what its place goes on with.
pub(super) async fn execute_on(inner: Arc<Inner>, back: Back, slot: Slot) {
    let Some(ended) = Box::pin(run_on(&inner, back)).await else {
        return;
    };
    if let Some((job, slot)) = end(&inner, ended, slot).await {
        execute(inner, *job, slot).await;
    }
}

async fn end(inner: &Arc<Inner>, ended: RunEnded, slot: Slot) -> Option<(Box<RunJob>, Slot)> {
    let is_idle = inner.runs.free() > 0 || inner.stop.is_cancelled();
    let slot = if is_idle { None } else { Some(slot) };
    report(inner, Arc::new(ended), slot).await
}

/// How a run ended, before anybody knows.
pub(super) struct RunEnded {
    tenant: TenantId,
    claim: RunClaim,
    outcome: Outcome,
    learned: Learned,
    /// Why the platform ended it, where its node could not go on.
    cut_off: CutOff,
    /// What of its log is not stored.
    rest: LogEnd,
    log_bytes: u64,
    /// The next server would take it back, until its end is stored.
    kept: Option<Kept>,
}

impl RunEnded {
    pub(super) fn end(&self) -> RunEnd<'_> {
        RunEnd {
            tenant: self.tenant,
            claim: &self.claim,
            outcome: &self.outcome,
            learned: &self.learned,
            cut_off: self.cut_off,
            log: self.rest.clone(),
        }
    }
}

/// None where it lives on without this server.
async fn run(inner: &Arc<Inner>, job: &RunJob) -> Option<RunEnded> {
    let claim = RunClaim {
        id: job.run.id,
        attempt: job.run.attempt,
        node: inner.config.node.clone(),
    };
    let mut log = LogBuffer::new(inner.config.run.log_bytes);
    let done = attempt(inner, job, &claim, &mut log).await;
    conclude(inner, job, claim, log, done)
}

/// The same, of a run that was taken back.
async fn run_on(inner: &Arc<Inner>, back: Back) -> Option<RunEnded> {
    let (job, claim) = (back.job.clone(), back.claim.clone());
    let (log, done) = resume::attempt_on(inner, back).await;
    conclude(inner, &job, claim, log, done)
}

fn conclude(
    inner: &Inner,
    job: &RunJob,
    claim: RunClaim,
    mut log: LogBuffer,
    done: Result<Followed, StartError>,
) -> Option<RunEnded> {
    let (mut cut_off, mut kept) = (None, None);
    let mut outcome = match done {
        Ok(Followed::Left) => return None,
        Ok(Followed::Ended(end)) => {
            cut_off = end.cut_off;
            kept = end.kept;
            end.outcome
        }
        Err(StartError::Refused(message)) => {
            log.say(&format!("the run could not be started: {message}"));
            Outcome {
                phase: Phase::FailedIntegration,
                ..Outcome::platform(message)
            }
        }
        Err(StartError::Stopped(why)) => {
            let (ended, stopped) = (never_began(), Some(why));
            cut_off = outcome::cut_off(&ended, stopped);
            outcome::judge(outcome::End {
                ended,
                stopped,
                stdout: LastLine::new(),
                memory_mb: memory_mb(inner, job),
                timeout_s: timeout_s(inner, job),
            })
        }
        Err(failure) => {
            tracing::error!(run = %job.run.id, error = &failure as &dyn std::error::Error, "a run could not be started");
            log.say(&format!("the run could not be started: {failure}"));
            Outcome::platform(failure.to_string())
        }
    };
    let (learned, lines) = judge_output(&job.release, job.run.mode, &mut outcome);
    for line in lines {
        log.say(&line);
    }
    if let Some(message) = &outcome.message {
        log.say(&format!("{}: {message}", outcome.phase));
    }
    let rest = log.end();
    let log_bytes = log.kept();
    outcome.usage.log_bytes = i64::try_from(log_bytes).unwrap_or(i64::MAX);
    Some(RunEnded {
        tenant: job.tenant.id,
        claim,
        outcome,
        learned,
        cut_off,
        rest,
        log_bytes,
        kept,
    })
}

/// The end of a run that was stopped before it had a process.
fn never_began() -> Ended {
    Ended {
        status: Status::Signalled(15),
        cause: Cause::Killed,
        usage: Usage::default(),
    }
}

/// Reports until the store has it: the database may be away for a while, and the run has ended
/// whether or not somebody notes it. Answers the next run for the place, while there is one.
async fn report(
    inner: &Arc<Inner>,
    ended: Arc<RunEnded>,
    slot: Option<Slot>,
) -> Option<(Box<RunJob>, Slot)> {
    let (kept, next) = match inner.ends.settle(inner, Arc::clone(&ended), slot).await {
        Settled::Stored { kept, next } => (kept, next),
        Settled::Failed => (report_alone(inner, &ended).await, None),
    };
    let claim = ended.claim.clone();
    if let Some(kept) = &ended.kept {
        kept.forget();
    }
    if !kept {
        tracing::warn!(run = %claim.id, "the claim is lost; its outcome is dropped");
    } else if ended.log_bytes > LARGE_LOG {
        let inner_of_task = Arc::clone(inner);
        inner.tracker.spawn(archive(inner_of_task, claim));
    }
    next
}

/// Answers whether the claim held.
async fn report_alone(inner: &Inner, ended: &RunEnded) -> bool {
    let mut pause = Duration::from_millis(100);
    loop {
        match runs_finish(&inner.ctx, vec![ended.end()], None).await {
            Ok(finished) => return finished.kept == [true],
            Err(error) => {
                tracing::error!(run = %ended.claim.id, error = &error as &dyn std::error::Error, "an outcome could not be stored");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(10));
            }
        }
    }
}

async fn archive(inner: Arc<Inner>, claim: RunClaim) {
    if let Err(error) = log_archive(&inner.ctx, LogOf::Run(claim.id)).await {
        // It stays readable where it is.
        tracing::warn!(run = %claim.id, error = &error as &dyn std::error::Error, "a log was not moved");
    }
}

/// Why a process could not be started: the platform's fault, but for one.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("{0}")]
    Refused(String),
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
    #[error("the sandbox could not start it")]
    Sandbox(#[from] marquetry_sandbox::Error),
    #[error("its connections could not be relayed")]
    Relay(#[from] marquetry_outbound::relay::RelayError),
}

async fn attempt(
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
    image.map_err(StartError::Refused)
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

/// The narrower of the integration's setting and the manifest's wish.
fn egress(job: &RunJob) -> Egress {
    let setting = Egress::from_word(job.integration.egress.as_str()).unwrap_or(Egress::None);
    let wish = narrowing(job, "egress").and_then(|v| v.as_str().and_then(Egress::from_word));
    wish.map_or(setting, |wish| wish.min(setting))
}

/// The shortest of the integration's setting, the operator's limit, which may be younger, and the manifest's
/// wish, in seconds.
pub(super) fn timeout_s(inner: &Inner, job: &RunJob) -> u64 {
    let most = inner.ctx.app.settings.limits.longest_run_s;
    let setting = u64::try_from(job.integration.timeout_seconds.min(most)).unwrap_or(1);
    let wish = narrowing(job, "timeout_seconds").and_then(serde_json::Value::as_u64);
    wish.map_or(setting, |wish| wish.min(setting)).max(1)
}

/// The integration's memory, within the operator's limit of today, in MiB.
pub(super) fn memory_mb(inner: &Inner, job: &RunJob) -> i64 {
    let most = inner.ctx.app.settings.limits.most_memory_mb;
    job.integration.memory_mb.min(most)
}

fn narrowing<'a>(job: &'a RunJob, key: &str) -> Option<&'a serde_json::Value> {
    job.release.narrowing.as_ref()?.get(key)
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
    let image = layout.image.as_deref();
    let image = ready::image(inner, image, signal, end).await;
    let image = image.map_err(|why| match why {
        NotReady::Failed(error) => StartError::Sandbox(error),
        NotReady::Stopped(why) => StartError::Stopped(why),
    })?;
    let lease = signal.borrow().lease_end;
    let lease = lease.map_or_else(|| lease_left(inner, job), |end| end - Instant::now());
    let mut spec = spec(inner, job, layout, reach, lease);
    spec.image = image;
    let given = given.into_iter().map(|(n, v)| (n.into(), v.into()));
    spec.environment.extend(given);
    Ok(inner.sandbox.spawn(spec).await?)
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
    let given = variables(&facts);
    say_beginning(inner, job, &given, log);
    if let Some(message) = too_large(&given) {
        return Err(StartError::Refused(message));
    }
    let mut hidden = secrets(&facts, &given);
    let of_builds = run_build_secrets(&inner.ctx, job).await;
    hidden.extend(of_builds.map_err(StartError::BuildSecrets)?.texts());
    log.mask(&hidden);
    Ok((given, hidden))
}

/// What every run of a release has in common: nothing here is a tenant's.
pub(crate) fn spec(
    inner: &Inner,
    job: &RunJob,
    layout: &Layout,
    reach: &Reach,
    lease: Duration,
) -> Spec {
    let folder = Path::new(&job.release.manifest_path)
        .parent()
        .unwrap_or(Path::new(""));
    let limits = &inner.config.run;
    Spec {
        // Made ready when everything else is.
        image: None,
        command: ["/bin/sh", "-c", job.release.run_command.as_str()]
            .map(Into::into)
            .to_vec(),
        environment: layout.run_environment(&job.release.base, folder),
        working_dir: layout.source().join(folder),
        mounts: layout.mounts.clone(),
        limits: Limits {
            memory_bytes: u64::try_from(memory_mb(inner, job)).unwrap_or(0) << 20,
            processes: limits.processes,
            open_files: limits.open_files,
            disk_bytes: limits.disk_bytes,
        },
        network: reach.network.clone(),
        lease,
    }
}

/// Where a run may connect to.
pub(crate) fn reach(inner: &Inner, job: &RunJob) -> Reach {
    Reach::new(inner, egress(job), &job.integration.egress_ports)
}

/// What of a run's sandbox may change without another release: egress, and memory in MiB.
pub(crate) fn reach_of(inner: &Inner, job: &RunJob) -> (Egress, i64) {
    (egress(job), memory_mb(inner, job))
}

/// What is left of the lease that the claim took: a process never outlives it.
fn lease_left(inner: &Inner, job: &RunJob) -> Duration {
    let taken = job.run.started_at.unwrap_or_else(|| inner.ctx.now());
    let used = inner.ctx.now().since(taken);
    inner
        .config
        .lease
        .saturating_sub(used)
        .max(Duration::from_millis(100))
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
