//! Schedules: makes triggers of those that are due, and sleeps until the next one is.

use std::sync::Arc;
use std::time::Duration;

use marquetry_app::Topic;
use marquetry_app::schedules::schedules_fire;
use tokio::time::Instant;

use crate::inner::Inner;

/// After a failure, because the database may need a moment.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The least time between the beginnings of two looks where the first found something. Schedules
/// that are due one after another then share transactions, each of which costs a sync of the disk;
/// the first one after a quiet while does not wait.
const TOGETHER: Duration = Duration::from_millis(14);

pub(crate) async fn run_loop(inner: Arc<Inner>) {
    let listener = inner.ctx.app.hints.listen(Topic::Schedules);
    loop {
        let hint = listener.next();
        if !inner.may_go_on().await {
            return;
        }
        let began = Instant::now();
        let again = match schedules_fire(&inner.ctx).await {
            Ok(fired) if fired.more && !inner.stop.is_cancelled() => continue,
            Ok(fired) => {
                let again = inner.look_again(fired.next);
                let least = if fired.found { began + TOGETHER } else { began };
                again.max(least)
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "schedules failed");
                Instant::now() + AFTER_FAILURE
            }
        };
        tokio::select! {
            () = hint => {}
            () = tokio::time::sleep_until(again) => {}
            () = inner.stop.cancelled() => return,
        }
    }
}
