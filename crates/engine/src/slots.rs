//! How much a node does at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// A number of places. Taking one is not awaited: a loop asks how many are free and takes work
/// for no more than that.
pub(crate) struct Slots(Arc<Shared>);

struct Shared {
    places: usize,
    taken: AtomicUsize,
    freed: Notify,
}

impl Slots {
    pub(crate) fn new(places: usize) -> Self {
        let shared = Shared {
            places,
            taken: AtomicUsize::new(0),
            freed: Notify::new(),
        };
        Self(Arc::new(shared))
    }

    pub(crate) fn free(&self) -> usize {
        self.0.places.saturating_sub(self.taken())
    }

    pub(crate) fn taken(&self) -> usize {
        self.0.taken.load(Ordering::SeqCst)
    }

    /// Takes a place until the answer is dropped.
    pub(crate) fn take(&self) -> Slot {
        self.0.taken.fetch_add(1, Ordering::SeqCst);
        Slot(Arc::clone(&self.0))
    }

    /// Waits until a place was freed; one that was freed before counts.
    pub(crate) async fn freed(&self) {
        self.0.freed.notified().await;
    }
}

/// A place that is taken.
pub(crate) struct Slot(Arc<Shared>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::SeqCst);
        self.0.freed.notify_one();
    }
}
