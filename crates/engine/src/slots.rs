//! How much a node does at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// A number of places. Taking one is not awaited: a loop asks how many are free and takes work
/// for no more than that.
pub(crate) struct Slots(Arc<Shared>);

struct Shared {
    places: usize,
    taken: AtomicUsize,
    /// Whether somebody wants to know of a place that is freed.
    wanted: AtomicBool,
    freed: Notify,
}

impl Slots {
    pub(crate) fn new(places: usize) -> Self {
        let shared = Shared {
            places,
            taken: AtomicUsize::new(0),
            wanted: AtomicBool::new(true),
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

    /// Takes a place if one is free.
    pub(crate) fn try_take(&self) -> Option<Slot> {
        let more = |taken: usize| (taken < self.0.places).then_some(taken + 1);
        let taken = self
            .0
            .taken
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, more);
        taken.ok().map(|_| Slot(Arc::clone(&self.0)))
    }

    /// Says whether a place that is freed would be used. Say so before asking how many are free:
    /// then none that is freed in between is missed.
    pub(crate) fn want(&self, wanted: bool) {
        self.0.wanted.store(wanted, Ordering::SeqCst);
    }

    /// Whether a place that is freed would be used.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.wanted.load(Ordering::SeqCst)
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
        if self.0.wanted.load(Ordering::SeqCst) {
            self.0.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_places_than_there_are() {
        let slots = Slots::new(1);
        let one = slots.try_take();
        assert!(one.is_some());
        assert!(slots.try_take().is_none());
        drop(one);
        assert!(slots.try_take().is_some());
    }

    #[tokio::test]
    async fn a_freed_place_is_told_to_who_wants_it() {
        let slots = Slots::new(1);
        let second = std::time::Duration::from_secs(10);
        slots.want(false);
        drop(slots.take());
        slots.want(true);
        let unwanted = tokio::time::timeout(std::time::Duration::ZERO, slots.freed());
        assert!(unwanted.await.is_err(), "nobody wanted to know");
        drop(slots.take());
        let wanted = tokio::time::timeout(second, slots.freed()).await;
        assert!(wanted.is_ok());
    }
}
