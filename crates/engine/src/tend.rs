//! Tends connections: renews credentials ahead of time and looks at whether they still work, and sleeps until the
//! next one is due.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use marquetry_app::Topic;
use marquetry_app::connections::tend::{connection_tend, connections_due};
use marquetry_model::ConnectionId;
use tokio::time::Instant;

use crate::inner::Inner;
use crate::slots::{Slot, Slots};

/// Connections at once: each waits for a provider somewhere.
const AT_ONCE: usize = 32;
/// After a failure, because the database may need a moment.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Those that this node tends now: they stay due until they are done.
type Tended = Arc<Mutex<HashSet<ConnectionId>>>;

pub(crate) async fn run_loop(inner: Arc<Inner>) {
    let listener = inner.ctx.app.hints.listen(Topic::Connections);
    let slots = Slots::new(AT_ONCE);
    let tended = Tended::default();
    loop {
        let hint = listener.next();
        if !inner.may_go_on().await {
            return;
        }
        let again = begin(&inner, &slots, &tended).await;
        tokio::select! {
            () = hint => {}
            () = slots.freed() => {}
            () = tokio::time::sleep_until(again) => {}
            () = inner.stop.cancelled() => return,
        }
    }
}

/// Begins what is due and answers until when nothing will be.
async fn begin(inner: &Arc<Inner>, slots: &Slots, tended: &Tended) -> Instant {
    if slots.free() == 0 {
        // One that ends wakes the loop.
        return inner.look_again(None);
    }
    // As many as could be tended already, and one more than there is room for.
    let most = i64::try_from(2 * AT_ONCE).unwrap_or(i64::MAX);
    let due = match connections_due(&inner.ctx, most).await {
        Ok(due) => due,
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "looking for connections to tend failed"
            );
            return Instant::now() + AFTER_FAILURE;
        }
    };
    let mut begun = 0;
    for id in due.connections {
        if slots.free() == 0 {
            break;
        }
        let is_new = lock(tended).insert(id);
        if is_new {
            let work = tend(Arc::clone(inner), id, Arc::clone(tended), slots.take());
            inner.tracker.spawn(work);
            begun += 1;
        }
    }
    let busy = begun > 0 || !lock(tended).is_empty();
    // What is being tended is due still: its end wakes the loop.
    inner.look_again(due.next.filter(|_| !busy))
}

fn lock(tended: &Tended) -> std::sync::MutexGuard<'_, HashSet<ConnectionId>> {
    tended.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn tend(inner: Arc<Inner>, id: ConnectionId, tended: Tended, slot: Slot) {
    // A renewal that has begun ends, whatever else does: the provider takes the old token no more.
    let done = connection_tend(&inner.ctx, id).await;
    if let Err(error) = done {
        tracing::error!(connection = %id, error = &error as &dyn std::error::Error, "a connection could not be tended");
        tokio::time::sleep(AFTER_FAILURE).await;
    }
    lock(&tended).remove(&id);
    drop(slot);
}
