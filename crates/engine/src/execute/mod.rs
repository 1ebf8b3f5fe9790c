//! Dispatch and execute: makes runs of what waits and executes as many as there are places.

mod ends;
mod files;
mod follow;
mod outcome;
mod resume;
mod run;
mod start;
mod terms;

use std::sync::Arc;
use std::time::Duration;

use marquetry_app::dispatch::{Taken, runs_take};
use marquetry_app::jobs::RunJob;
use marquetry_app::{Place, Places, Topic};
use marquetry_store::runs::Claimer;
use tokio::time::Instant;

use crate::inner::Inner;
use crate::slots::Slot;

pub(crate) use ends::Ends;
pub(crate) use resume::{Back, leave_all, take_back};
pub(crate) use terms::{reach, reach_of, spec};

/// After a failure, because the database may need a moment.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

pub(crate) async fn run_loop(inner: Arc<Inner>) {
    let listener = inner.ctx.app.hints.listen(Topic::Dispatch);
    loop {
        let hint = listener.next();
        inner.runs.want(true);
        if !inner.may_go_on().await {
            return;
        }
        let free = inner.runs.free();
        let again = match look(&inner, free).await {
            Ok(taken) => start(&inner, taken, free),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "dispatch failed");
                Instant::now() + AFTER_FAILURE
            }
        };
        tokio::select! {
            () = hint => {}
            () = inner.runs.freed() => {}
            () = tokio::time::sleep_until(again) => {}
            () = inner.stop.cancelled() => {
                inner.runs.want(true);
                return;
            }
        }
    }
}

async fn look(inner: &Inner, free: usize) -> marquetry_model::Result<Taken> {
    runs_take(&inner.ctx, &inner.claimer(), free).await
}

/// Starts what was taken; answers until when the loop may rest.
fn start(inner: &Arc<Inner>, taken: Taken, free: usize) -> Instant {
    // Nothing waits for a place: a run that ends changes nothing for dispatch, unless its end gives a hint.
    if taken.jobs.len() < free && !taken.more && !taken.held {
        inner.runs.want(false);
    }
    for job in taken.jobs {
        spawn(inner, job, inner.runs.take());
    }
    if taken.more {
        return Instant::now();
    }
    inner.look_again(taken.next)
}

fn spawn(inner: &Arc<Inner>, job: RunJob, slot: Slot) {
    let run = run::execute(Arc::clone(inner), job, slot);
    inner.tracker.spawn(run);
}

/// Goes on with a run that was taken back.
pub(crate) fn go_on(inner: &Arc<Inner>, back: Back) {
    let run = run::execute_on(Arc::clone(inner), back, inner.runs.take());
    inner.tracker.spawn(run);
}

impl Places for Inner {
    fn take(self: Arc<Self>) -> Option<Box<dyn Place>> {
        // While dispatch would use a place, what has waited longest comes first.
        if self.stop.is_cancelled() || self.runs.is_wanted() || !self.presence.may_claim() {
            return None;
        }
        let slot = self.runs.try_take()?;
        Some(Box::new(FreePlace { inner: self, slot }))
    }
}

/// A place for a trigger that has just come.
struct FreePlace {
    inner: Arc<Inner>,
    slot: Slot,
}

impl Place for FreePlace {
    fn claimer(&self) -> Claimer {
        self.inner.claimer()
    }

    fn execute(self: Box<Self>, job: RunJob) {
        spawn(&self.inner, job, self.slot);
    }
}
