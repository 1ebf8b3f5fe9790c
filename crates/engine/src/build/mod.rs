//! Builds: from a commit to releases.

mod cache;
mod checkout;
mod command;
pub(crate) mod git;
mod manifests;
mod source;
mod toolchain;
mod work;

use std::sync::Arc;
use std::time::Duration;

use marquetry_app::Topic;
use marquetry_app::builds::{BuildJob, build_finish, build_progress, builds_claim};
use marquetry_app::logs::log_archive;
use marquetry_model::{Build, BuildStatus, Error};
use marquetry_store::builds::{BuildClaim, BuildEnd};
use marquetry_store::logs::LogOf;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::inner::Inner;
use crate::log::LogBuffer;
use crate::pump::{Sink, Stopped, Stored};
use crate::signals::{Signal, Stop};
use crate::slots::Slot;

pub use work::toolchain_links;
pub(crate) use work::{BuildError, Built};

/// After a failure, because the database may need a moment.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// A third of the lease: two beats may be missed.
const BEATS_OF_LEASE: u32 = 3;

pub(crate) async fn run_loop(inner: Arc<Inner>) {
    let listener = inner.ctx.app.hints.listen(Topic::Builds);
    loop {
        let hint = listener.next();
        if !inner.may_go_on().await {
            return;
        }
        let mut again = inner.look_again(None);
        let free = i64::try_from(inner.builds.free()).unwrap_or(i64::MAX);
        if free > 0 {
            let lease = inner.lease_until();
            match builds_claim(&inner.ctx, &inner.config.node, lease, free).await {
                Ok(found) => {
                    for job in found {
                        let slot = inner.builds.take();
                        inner.tracker.spawn(execute(Arc::clone(&inner), job, slot));
                    }
                }
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "looking for builds failed"
                    );
                    again = Instant::now() + AFTER_FAILURE;
                }
            }
        }
        tokio::select! {
            () = hint => {}
            () = inner.builds.freed() => {}
            () = tokio::time::sleep_until(again) => {}
            () = inner.stop.cancelled() => return,
        }
    }
}

async fn execute(inner: Arc<Inner>, job: BuildJob, slot: Slot) {
    let build = &job.build;
    let claim = BuildClaim {
        id: build.id,
        attempt: build.attempt,
        node: inner.config.node.clone(),
    };
    let (sender, signal) = watch::channel(Signal::default());
    let limit = inner.config.build.log_bytes;
    let mut log = LogBuffer::after(limit, job.log_number, job.log_bytes);
    if build.attempt > 1 {
        // A follower is in the middle of what the lost node wrote: that stays, and this follows.
        log.say(&format!(
            "the node that built this was lost; attempt {} begins",
            build.attempt
        ));
    }
    let mut sink = BuildSink {
        inner: &inner,
        claim: &claim,
        commit: None,
    };
    let result = {
        let work = work::build(&inner, &job, &mut log, &mut sink, signal);
        tokio::select! {
            result = work => result,
            never = beat(&inner, &claim, sender) => match never {},
        }
    };
    let commit = sink.commit.take();
    drop(slot);
    if matches!(
        result,
        Err(BuildError::Stopped(Stopped::Shutdown | Stopped::Lost))
    ) {
        // Left as it is: the next start, or whoever sees the lease end, queues it again.
        return;
    }
    report(&inner, &claim, build, commit, result, log).await;
}

/// Moves the build's lease while it is worked on, and brings back the wish to stop it.
async fn beat(
    inner: &Inner,
    claim: &BuildClaim,
    signal: watch::Sender<Signal>,
) -> std::convert::Infallible {
    let listener = inner.ctx.app.hints.listen(Topic::BuildCancel(claim.id));
    loop {
        let hint = listener.next();
        tokio::select! {
            () = hint => {}
            () = tokio::time::sleep(inner.config.lease / BEATS_OF_LEASE) => {}
            () = inner.stop.cancelled(), if signal.borrow().stop == Stop::No => {
                signal.send_modify(|s| s.stop = Stop::End);
                continue;
            }
        }
        inner.presence.compare().await;
        let until = tokio::time::Instant::now() + inner.config.lease;
        match build_progress(&inner.ctx, claim, inner.lease_until(), None).await {
            Ok(Some(cancel)) => signal.send_modify(|s| {
                s.lease_end = Some(until);
                s.cancel |= cancel;
            }),
            Ok(None) => signal.send_modify(|s| s.lost = true),
            Err(error) => {
                tracing::error!(build = %claim.id, error = &error as &dyn std::error::Error, "the heartbeat failed");
            }
        }
    }
}

async fn report(
    inner: &Inner,
    claim: &BuildClaim,
    build: &Build,
    commit: Option<String>,
    result: Result<Built, BuildError>,
    mut log: LogBuffer,
) {
    let (mut end, mut releases) = match result {
        Ok(built) => {
            log.say("the build succeeded");
            let end = BuildEnd {
                status: BuildStatus::Succeeded,
                message: built.message,
                tag: Some(built.tag),
                commit_hash: commit,
                release_ids: Vec::new(),
            };
            (end, built.releases)
        }
        Err(failure) => {
            let message = failure.sentence();
            log.say(&format!("the build failed: {message}"));
            let cancelled = matches!(failure, BuildError::Stopped(Stopped::Cancelled));
            let end = BuildEnd {
                status: if cancelled {
                    BuildStatus::Cancelled
                } else {
                    BuildStatus::Failed
                },
                message: Some(message),
                tag: build.tag.clone(),
                commit_hash: commit,
                release_ids: Vec::new(),
            };
            (end, Vec::new())
        }
    };
    let chunk = log.finish();
    let mut pause = Duration::from_millis(100);
    loop {
        let stored = build_finish(
            &inner.ctx,
            claim,
            end.clone(),
            releases.clone(),
            chunk.clone(),
        );
        match stored.await {
            Ok(true) => break,
            Ok(false) => {
                tracing::warn!(build = %claim.id, "the claim is lost; its end is dropped");
                return;
            }
            Err(error) => {
                tracing::error!(build = %claim.id, error = &error as &dyn std::error::Error, "the end of a build could not be stored");
                // What the store refuses once, it refuses every time.
                if !matches!(error, Error::Unavailable { .. }) && !releases.is_empty() {
                    releases.clear();
                    end.status = BuildStatus::Failed;
                    end.message = Some(format!(
                        "the releases could not be stored (platform issue): {error}"
                    ));
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(10));
            }
        }
    }
    if let Err(error) = log_archive(&inner.ctx, LogOf::Build(claim.id)).await {
        // It stays readable where it is.
        tracing::warn!(build = %claim.id, error = &error as &dyn std::error::Error, "a log was not moved");
    }
}

pub(crate) struct BuildSink<'a> {
    inner: &'a Inner,
    claim: &'a BuildClaim,
    /// The commit, from when it is known: a build that fails is still one of that commit.
    commit: Option<String>,
}

impl Sink for BuildSink<'_> {
    async fn store(&mut self, chunk: (i64, Vec<u8>)) -> Stored {
        let lease = self.inner.lease_until();
        match build_progress(&self.inner.ctx, self.claim, lease, Some(chunk)).await {
            Ok(Some(_)) => Stored::Kept,
            Ok(None) | Err(Error::NotFound { .. }) => Stored::Lost,
            Err(error) => {
                tracing::error!(build = %self.claim.id, error = &error as &dyn std::error::Error, "a part of a log could not be stored; it is tried again");
                Stored::Again
            }
        }
    }
}
