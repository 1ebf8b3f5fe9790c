//! Schedules: makes triggers of those that are due, and sleeps until the next one is.

use std::sync::Arc;
use std::time::Duration;

use marquetry_app::Topic;
use marquetry_app::schedules::schedules_fire;
use tokio::time::Instant;

use crate::inner::Inner;

/// After a failure, because the database may need a moment.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

pub(crate) async fn run_loop(inner: Arc<Inner>) {
    let listener = inner.ctx.app.hints.listen(Topic::Schedules);
    loop {
        let hint = listener.next();
        let pause = match schedules_fire(&inner.ctx).await {
            Ok(fired) => {
                let until = fired.next.map(|next| next.since(inner.ctx.now()));
                // Not zero: what is due may be another node's, in a transaction that is open.
                let least = Duration::from_millis(1);
                until.unwrap_or(inner.pause()).clamp(least, inner.pause())
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "schedules failed");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = hint => {}
            () = tokio::time::sleep_until(Instant::now() + pause) => {}
            () = inner.stop.cancelled() => return,
        }
    }
}
