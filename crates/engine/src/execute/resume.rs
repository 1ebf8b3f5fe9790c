//! Runs whose processes have outlived the server that started them.

use std::sync::Arc;

use marquetry_app::jobs::RunJob;
use marquetry_app::take_back::run_take_back;
use marquetry_manifest::LastLine;
use marquetry_model::RunId;
use marquetry_sandbox::TakenBack;
use marquetry_store::runs::RunClaim;

use super::follow::{Followed, Run};
use super::run::{StartError, reach, release};
use crate::inner::Inner;
use crate::keeping::Keeping;
use crate::label::Label;
use crate::log::LogBuffer;
use crate::scratch::Place;

/// A run that this server goes on with.
pub(crate) struct Back {
    pub(super) job: RunJob,
    pub(super) claim: RunClaim,
    process: TakenBack,
    label: Label,
    place: Place,
    /// Of its log, the number of the last part that is stored, and how many bytes are.
    stored: (i64, i64),
}

impl Back {
    /// Which.
    pub(crate) fn run(&self) -> RunId {
        self.claim.id
    }
}

/// Takes back what a former server left; what nobody waits for any more ends.
pub(crate) async fn take_back(inner: &Inner) -> marquetry_model::Result<Vec<Back>> {
    let mut taken = Vec::new();
    for process in inner.sandbox.take_back() {
        let Some(label) = Label::decode(&process.label) else {
            continue;
        };
        let Some(place) = inner.scratch.take_back(label.place) else {
            tracing::warn!(run = %label.run(), "the folder of a run is gone, so it ends");
            continue;
        };
        let claim = RunClaim {
            id: label.run(),
            attempt: label.attempt,
            node: inner.config.node.clone(),
        };
        let Some(back) = run_take_back(&inner.ctx, &claim, inner.lease_until()).await? else {
            tracing::info!(run = %claim.id, "a run was closed meanwhile, so its process ends");
            continue;
        };
        process.child.extend_lease(inner.config.lease).await;
        tracing::info!(run = %claim.id, "this run goes on");
        taken.push(Back {
            job: back.job,
            claim,
            process,
            label,
            place,
            stored: (back.log_number, back.log_bytes),
        });
    }
    Ok(taken)
}

/// Goes on with one to its end; its log comes with what became of it.
pub(super) async fn attempt_on(
    inner: &Arc<Inner>,
    back: Back,
) -> (LogBuffer, Result<Followed, StartError>) {
    let Back {
        job,
        claim,
        process,
        label,
        place,
        stored,
    } = back;
    let limit = inner.config.run.log_bytes;
    let mut log = LogBuffer::resumed(limit, label.log, &label.secrets, stored);
    let mut stdout = LastLine::with_limit(inner.config.run.stdout_bytes);
    stdout.push(&label.stdout);
    let registered = inner.signals.register(claim.id, claim.attempt);
    // It stays unpacked as long as this is held.
    let release = match release(inner, &job).await {
        Ok(release) => release,
        Err(error) => return (log, Err(error)),
    };
    let begun = job.run.started_at.unwrap_or_else(|| inner.ctx.now());
    let run = Run {
        inner,
        job: &job,
        claim: &claim,
        log: &mut log,
        signal: registered.receiver.clone(),
    };
    let keeping = Keeping::Kept {
        sandbox: &inner.sandbox,
        kept: process.kept,
    };
    let used = inner.ctx.now().since(begun);
    let reach = reach(inner, &job);
    let done = run
        .follow(process.child, &reach, keeping, stdout, used)
        .await;
    drop(release);
    if matches!(done, Ok(Followed::Left)) {
        place.leave();
    }
    (log, done)
}
