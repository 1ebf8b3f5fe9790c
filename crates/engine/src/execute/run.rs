//! One run, from claim to end.

use std::sync::Arc;
use std::time::Duration;

use marquetry_app::jobs::RunJob;
use marquetry_app::learned::{Learned, judge as judge_output};
use marquetry_app::logs::{LogEnd, log_archive};
use marquetry_app::run_engine::{RunEnd, runs_finish};
use marquetry_manifest::LastLine;
use marquetry_model::{Outcome, Phase, TenantId};
use marquetry_sandbox::{Cause, Ended, Kept, Status, Usage};
use marquetry_store::logs::LogOf;
use marquetry_store::runs::RunClaim;

use super::ends::Settled;
use super::follow::Followed;
use super::outcome::{self, CutOff};
use super::resume::{self, Back};
use super::start::{StartError, attempt};
use super::terms::{memory_mb, timeout_s};
use crate::inner::Inner;
use crate::log::LogBuffer;
use crate::pump::Stopped;
use crate::slots::Slot;

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
        Err(StartError::Refresh(message)) => Outcome {
            phase: Phase::FailedRefresh,
            ..Outcome::platform(message)
        },
        Err(StartError::Stopped(Stopped::Timeout)) => {
            let timeout_s = timeout_s(inner, job);
            Outcome::platform(format!(
                "its image was not ready in the {timeout_s} s that it may take"
            ))
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
