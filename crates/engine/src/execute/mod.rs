//! Dispatch and execute: makes runs of what waits and executes as many as there are places.

mod files;
mod outcome;
mod run;

use std::sync::Arc;
use std::time::Duration;

use marquetry_app::Topic;
use marquetry_app::run_engine::{Taken, runs_take};
use tokio::time::Instant;

use crate::inner::Inner;

/// After a failure, because the database may need a moment.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

pub(crate) async fn run_loop(inner: Arc<Inner>) {
    let listener = inner.ctx.app.hints.listen(Topic::Dispatch);
    loop {
        let hint = listener.next();
        let pause = match look(&inner).await {
            Ok(taken) => start(&inner, taken),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "dispatch failed");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = hint => {}
            () = inner.runs.freed() => {}
            () = tokio::time::sleep_until(Instant::now() + pause) => {}
            () = inner.stop.cancelled() => return,
        }
    }
}

async fn look(inner: &Inner) -> marquetry_model::Result<Taken> {
    let claimer = inner.config.roles.runner.then(|| inner.claimer());
    runs_take(&inner.ctx, claimer.as_ref(), inner.runs.free()).await
}

/// Starts what was taken; answers how long the loop may rest.
fn start(inner: &Arc<Inner>, taken: Taken) -> Duration {
    for job in taken.jobs {
        let slot = inner.runs.take();
        inner
            .tracker
            .spawn(run::execute(Arc::clone(inner), job, slot));
    }
    if taken.more {
        return Duration::ZERO;
    }
    let until = taken.next.map(|next| next.since(inner.ctx.now()));
    let pause = inner.pause();
    until
        .unwrap_or(pause)
        .clamp(Duration::from_millis(1), pause)
}
