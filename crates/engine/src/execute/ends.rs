//! Runs that end at nearly the same time are stored in one transaction, which also takes what their
//! places execute next: in a burst of short runs, commits cost more than processes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use marquetry_app::jobs::RunJob;
use marquetry_app::run_engine::{Finished, runs_finish};
use tokio::runtime::Handle;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::sync::{Mutex as Turn, Notify};
use tokio::time::{Instant, timeout_at};

use super::run::RunEnded;
use crate::inner::Inner;
use crate::slots::Slot;

/// How long an end waits for others while more waits than there are places: what this costs a run is
/// less than what the commit that it saves costs all.
const LINGER: Duration = Duration::from_millis(4);
/// The most ends of one transaction, so that none waits long for the others.
const MOST: usize = 64;
/// How many live processes for each processor are enough.
const BUSY: usize = 4;

/// Ends that are not stored yet. Whoever comes first stores what has come meanwhile.
pub(crate) struct Ends {
    waiting: Mutex<Vec<Waiting>>,
    came: Notify,
    turn: Turn<()>,
    /// How many live processes keep the processors busy.
    busy: usize,
}

/// One end, with the place that the run had.
struct Waiting {
    ended: Arc<RunEnded>,
    slot: Option<Slot>,
    answer: oneshot::Sender<Settled>,
}

/// What became of an end.
pub(super) enum Settled {
    /// It is stored, or nobody wants it any more.
    Stored {
        /// Whether the claim held.
        kept: bool,
        /// What the place goes on with, if there was one and something waits.
        next: Option<(Box<RunJob>, Slot)>,
    },
    /// It is not stored. The place is given up: what is wrong with the next run must not keep this
    /// one from ending.
    Failed,
}

impl Ends {
    pub(crate) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            waiting: Mutex::default(),
            came: Notify::new(),
            turn: Turn::default(),
            busy: processors * BUSY,
        }
    }

    /// Stores an end, alone or with others.
    pub(super) async fn settle(
        &self,
        inner: &Arc<Inner>,
        ended: Arc<RunEnded>,
        slot: Option<Slot>,
    ) -> Settled {
        let (answer, settled) = oneshot::channel();
        let patient = slot.is_some() && inner.runs.is_wanted();
        let waiting = Waiting {
            ended,
            slot,
            answer,
        };
        self.lock().push(waiting);
        self.came.notify_one();
        tokio::pin!(settled);
        tokio::select! {
            biased;
            settled = &mut settled => settled.unwrap_or(Settled::Failed),
            _turn = self.turn.lock() => {
                if patient {
                    gather(inner).await;
                }
                loop {
                    // It may be stored by now, or there may be too many for one transaction.
                    match settled.try_recv() {
                        Ok(settled) => return settled,
                        Err(TryRecvError::Empty) => self.store(inner).await,
                        Err(TryRecvError::Closed) => return Settled::Failed,
                    }
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for others, while enough processes are left to keep the processors busy meanwhile.
    async fn linger(&self, inner: &Inner) {
        let until = Instant::now() + LINGER;
        let live = (inner.config.run_slots / 2).max(self.busy);
        while {
            let ended = self.lock().len();
            ended < MOST && ended + live < inner.runs.taken() && !inner.stop.is_cancelled()
        } {
            if timeout_at(until, self.came.notified()).await.is_err() {
                return;
            }
        }
    }

    /// Stores what waits, and answers everybody.
    async fn store(&self, inner: &Inner) {
        let batch: Vec<Waiting> = {
            let mut waiting = self.lock();
            let most = waiting.len().min(MOST);
            waiting.drain(..most).collect()
        };
        let ends = batch.iter().map(|one| one.ended.end()).collect();
        let places = batch.iter().filter(|one| one.slot.is_some());
        // A node that stops, or whose clock is wrong, takes nothing more.
        let stops = inner.stop.is_cancelled() || !inner.presence.may_claim();
        let places = if stops { 0 } else { places.count() };
        let claimer = inner.claimer();
        let next = (places > 0).then_some((&claimer, places));
        match runs_finish(&inner.ctx, ends, next).await {
            Ok(finished) => answer(batch, finished),
            Err(error) => {
                tracing::error!(
                    runs = batch.len(),
                    error = &error as &dyn std::error::Error,
                    "outcomes could not be stored"
                );
                for one in batch {
                    drop(one.slot);
                    tell(one.answer, Settled::Failed);
                }
            }
        }
    }
}

/// Waits for other ends and stores them with one's own, on a thread aside: those that execute tasks have
/// processes to start meanwhile, each of which keeps one of them until the kernel has loaded its program.
/// Else all runs of a burst end before the first is stored, and the processors wait for the disk.
async fn gather(inner: &Arc<Inner>) {
    let inner = Arc::clone(inner);
    let runtime = Handle::current();
    let stored = tokio::task::spawn_blocking(move || {
        runtime.block_on(async {
            inner.ends.linger(&inner).await;
            inner.ends.store(&inner).await;
        });
    });
    // Whom it failed to answer hears so by the loss of the sender.
    let _ = stored.await;
}

fn answer(batch: Vec<Waiting>, finished: Finished) {
    let mut jobs = finished.jobs.into_iter();
    for (one, kept) in batch.into_iter().zip(finished.kept) {
        let next = one
            .slot
            .and_then(|slot| Some((Box::new(jobs.next()?), slot)));
        tell(one.answer, Settled::Stored { kept, next });
    }
}

/// Whoever waits goes away only with the process.
fn tell(answer: oneshot::Sender<Settled>, settled: Settled) {
    let _ = answer.send(settled);
}
