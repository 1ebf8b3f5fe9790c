//! Moves the leases of the node's live runs, and brings back what others asked of them.

use std::collections::HashMap;
use std::sync::Arc;

use marquetry_app::Topic;
use marquetry_app::run_engine::runs_renew;

use tokio::time::Instant;

use crate::inner::Inner;

/// A third of the lease: two beats may be missed.
const BEATS_OF_LEASE: u32 = 3;

pub(crate) async fn run_loop(inner: Arc<Inner>) {
    let listener = inner.ctx.app.hints.listen(Topic::Cancel);
    loop {
        let hint = listener.next();
        if inner.signals.is_empty() {
            // Nothing lives: nothing is asked, until a run is taken.
            tokio::select! {
                () = inner.signals.filled() => {}
                () = inner.stop.cancelled() => return,
            }
        }
        let pause = inner.config.lease / BEATS_OF_LEASE;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = hint => {}
            () = ended(&inner) => return,
        }
        beat(&inner, 1).await;
    }
}

/// The server stops, and nothing that needs a heartbeat is left.
async fn ended(inner: &Inner) {
    inner.stop.cancelled().await;
    inner.runs.want(true);
    while !inner.signals.is_empty() {
        inner.runs.freed().await;
    }
}

/// Moves the leases now, by so many times their length.
pub(crate) async fn beat(inner: &Inner, times: u32) {
    inner.presence.compare().await;
    // Known before the look: a run that is taken meanwhile is not in the answer and is not lost.
    let known = inner.signals.known();
    // Counted from before the look, as the store's lease is: a process never outlives it.
    let until = Instant::now() + inner.config.lease * times;
    let lease_until = inner.lease_for(times);
    match runs_renew(&inner.ctx, &inner.config.node, &known, lease_until).await {
        Ok(held) => {
            let held: HashMap<_, _> = held
                .into_iter()
                .map(|h| ((h.id, h.attempt), h.cancel_requested))
                .collect();
            inner.signals.beat(&known, until, |run, attempt| {
                held.get(&(run, attempt)).copied()
            });
        }
        // The leases of the processes run on; when they end, the processes do.
        Err(error) => tracing::error!(
            error = &error as &dyn std::error::Error,
            "the heartbeat failed"
        ),
    }
}
