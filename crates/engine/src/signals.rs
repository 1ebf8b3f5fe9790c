//! What the heartbeat tells the tasks that watch over processes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use marquetry_model::RunId;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// What a watched process shall know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Signal {
    /// When the lease ends that the last heartbeat took; none before the first.
    pub(crate) lease_end: Option<Instant>,
    /// Somebody asked to stop it.
    pub(crate) cancel: bool,
    /// The claim is lost, or the server stops: nothing that it does counts any more.
    pub(crate) lost: bool,
    /// Whether the server stops.
    pub(crate) stop: Stop,
}

/// What the end of the server means for what is live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It does not end.
    #[default]
    No,
    /// Who can shall live on without it.
    Leave,
    /// All shall end.
    End,
}

/// The live runs of this node.
#[derive(Default)]
pub(crate) struct Signals {
    live: Mutex<HashMap<RunId, (i64, watch::Sender<Signal>)>>,
    filled: Notify,
}

impl Signals {
    /// Registers a run until the answer is dropped.
    pub(crate) fn register(&self, run: RunId, attempt: i64) -> Registered<'_> {
        let (sender, receiver) = watch::channel(Signal::default());
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.insert(run, (attempt, sender));
        drop(live);
        self.filled.notify_one();
        Registered {
            signals: self,
            run,
            receiver,
        }
    }

    /// Whether anything is live.
    pub(crate) fn is_empty(&self) -> bool {
        self.live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }

    /// Waits until a run is registered; one that was before counts.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Tells every run registered what the heartbeat found: whether it is still held, and whether
    /// somebody asked to stop it. `known` are the runs that were registered before the heartbeat.
    pub(crate) fn beat(
        &self,
        known: &[RunId],
        until: Instant,
        held: impl Fn(RunId, i64) -> Option<bool>,
    ) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        for run in known {
            let Some((attempt, sender)) = live.get(run) else {
                continue;
            };
            let found = held(*run, *attempt);
            sender.send_modify(|signal| match found {
                Some(cancel) => {
                    signal.lease_end = Some(until);
                    signal.cancel |= cancel;
                }
                None => signal.lost = true,
            });
        }
    }

    /// Tells one that somebody has asked to stop it.
    pub(crate) fn cancel(&self, run: RunId) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, sender)) = live.get(&run) {
            sender.send_modify(|signal| signal.cancel = true);
        }
    }

    pub(crate) fn known(&self) -> Vec<RunId> {
        self.live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .copied()
            .collect()
    }

    /// The server stops: everything live shall live on, or end.
    pub(crate) fn leave_all(&self) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, sender) in live.values() {
            sender.send_modify(|signal| signal.stop = Stop::Leave);
        }
    }

    /// The server stops: everything live shall end.
    pub(crate) fn stop_all(&self) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, sender) in live.values() {
            sender.send_modify(|signal| signal.stop = Stop::End);
        }
    }
}

/// A registered run.
pub(crate) struct Registered<'a> {
    signals: &'a Signals,
    run: RunId,
    pub(crate) receiver: watch::Receiver<Signal>,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.signals
            .live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.run);
    }
}
