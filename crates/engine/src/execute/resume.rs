//! Runs whose processes have outlived the server that started them.

use std::sync::Arc;
use std::time::Duration;

use marquetry_app::jobs::RunJob;
use marquetry_app::take_back::run_take_back;
use marquetry_manifest::LastLine;
use marquetry_model::RunId;
use marquetry_sandbox::{Child, Kept, TakenBack};
use marquetry_store::runs::RunClaim;
use tokio::time::{Instant, timeout};

use super::follow::{Followed, Run};
use super::start::{StartError, release};
use super::terms::reach;
use crate::inner::Inner;
use crate::keeping::Keeping;
use crate::label::Label;
use crate::log::LogBuffer;
use crate::scratch::Place;

/// How long a process may take to end that nobody can take back.
const END: Duration = Duration::from_secs(10);

/// A run that this server goes on with.
pub(crate) struct Back {
    pub(super) job: RunJob,
    pub(super) claim: RunClaim,
    process: TakenBack,
    label: Label,
    /// None where it had ended before, and another run has that.
    place: Option<Place>,
    cancel_requested: bool,
    /// Of its log, the number of the last part that is stored, and how many bytes are.
    stored: (i64, i64),
}

impl Back {
    /// Which.
    pub(crate) fn run(&self) -> RunId {
        self.claim.id
    }
}

/// Takes back what a former server left; what nobody waits for any more has ended when this answers.
///
/// # Errors
/// The database does not answer. All of it is left to the next server then.
pub(crate) async fn take_back(inner: &Inner) -> marquetry_model::Result<Vec<Back>> {
    let mut taken = Vec::new();
    let mut processes = inner.sandbox.take_back().into_iter();
    while let Some(process) = processes.next() {
        match one(inner, process).await {
            Ok(back) => taken.extend(back),
            Err((process, error)) => {
                for rest in std::iter::once(*process).chain(processes) {
                    inner.sandbox.leave(&rest.child).await;
                }
                leave_all(inner, taken).await;
                return Err(error);
            }
        }
    }
    Ok(taken)
}

/// Leaves them to the next server, because this one cannot begin.
pub(crate) async fn leave_all(inner: &Inner, taken: Vec<Back>) {
    for one in taken {
        if let Some(place) = one.place {
            place.leave();
        }
        inner.sandbox.leave(&one.process.child).await;
    }
}

async fn one(
    inner: &Inner,
    mut process: TakenBack,
) -> Result<Option<Back>, (Box<TakenBack>, marquetry_model::Error)> {
    let Some(label) = Label::decode(&process.label) else {
        end(process, "another version started it").await;
        return Ok(None);
    };
    let claim = RunClaim {
        id: label.run(),
        attempt: label.attempt,
        node: inner.config.node.clone(),
    };
    // Counted from before the look, as the store's lease is: a process never outlives it.
    let begun = Instant::now();
    let back = match run_take_back(&inner.ctx, &claim, inner.lease_until()).await {
        Ok(back) => back,
        Err(error) => return Err((Box::new(process), error)),
    };
    let Some(back) = back else {
        end(process, "it was closed meanwhile").await;
        return Ok(None);
    };
    let place = inner.scratch.take_back(label.place);
    if place.is_none() && !process.has_ended {
        end(process, "its folder is gone").await;
        return Ok(None);
    }
    let parts = u64::try_from(back.log_number).unwrap_or(0);
    if process.child.stderr.skip_stored(parts).is_err() {
        end(process, "its output cannot be read").await;
        return Ok(None);
    }
    let lease = inner.config.lease.saturating_sub(begun.elapsed());
    process.child.extend_lease(lease).await;
    tracing::info!(run = %claim.id, "this run goes on");
    Ok(Some(Back {
        job: back.job,
        claim,
        process,
        label,
        place,
        cancel_requested: back.cancel_requested,
        stored: (back.log_number, back.log_bytes),
    }))
}

/// Ends what cannot be taken back, before its run is closed.
async fn end(process: TakenBack, why: &'static str) {
    tracing::warn!(why, "a run of a former server is ended");
    end_child(process.child, Some(process.kept)).await;
}

/// Ends a process, which the next server is not to take back.
pub(super) async fn end_child(mut child: Child, kept: Option<Kept>) {
    child.kill();
    if timeout(END, child.wait()).await.is_err() {
        tracing::error!("it does not end");
    }
    if let Some(kept) = kept {
        kept.forget();
    }
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
        cancel_requested,
        stored,
    } = back;
    let limit = inner.config.run.log_bytes;
    let mut log = LogBuffer::resumed(limit, label.log, &label.secrets, stored);
    let mut stdout = LastLine::with_limit(inner.config.run.stdout_bytes);
    stdout.push(&label.stdout);
    let registered = inner.signals.register(claim.id, claim.attempt);
    if cancel_requested {
        inner.signals.cancel(claim.id);
    }
    // It stays unpacked as long as this is held.
    let release = match release(inner, &job).await {
        Ok(release) => release,
        Err(error) => {
            end_child(process.child, Some(process.kept)).await;
            return (log, Err(error));
        }
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
    if let (Ok(Followed::Left), Some(place)) = (&done, place) {
        place.leave();
    }
    (log, done)
}
