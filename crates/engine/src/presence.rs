//! What a node tells of itself from time to time, and whether its clock can be trusted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use marquetry_app::nodes::{Clocks, Difference, NodeSign, clock_compare, node_leave, node_tell};
use marquetry_app::{App, Ctx};
use marquetry_model::{Result, Timestamp, is_clock_wrong};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often a node tells that it lives, and compares its clock.
const SIGN: Duration = Duration::from_secs(30);
/// How long what must go on waits for a database that does not answer: the end of a node, which others see
/// without being told, and a heartbeat.
const PATIENCE: Duration = Duration::from_secs(2);

/// What does not change about a node while it lives.
#[derive(Debug, Clone)]
pub struct About {
    /// Its name, which stays over a restart.
    pub name: String,
    /// The version of the program.
    pub version: String,
    /// What it does: `api`, `scheduler`, `builder`, `runner`.
    pub roles: Vec<String>,
    /// Runs at once; 0 without the role.
    pub run_slots: usize,
    /// Builds at once; 0 without the role.
    pub build_slots: usize,
}

/// What a node does now.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    pub(crate) runs: usize,
    pub(crate) builds: usize,
}

type LoadOf = Box<dyn Fn() -> Load + Send + Sync>;

/// A node among those that share its database, whatever its roles. Dropping it tells nobody;
/// [`Presence::shutdown`] does.
pub struct Presence {
    shared: Arc<Shared>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// What the engine of the node looks at.
pub(crate) struct Shared {
    ctx: Ctx,
    about: About,
    /// By the database's clock.
    started_at: Timestamp,
    started: Instant,
    load: OnceLock<LoadOf>,
    draining: AtomicBool,
    /// What was asked last is told last.
    telling: Mutex<()>,
    /// By how many milliseconds our clock is ahead, where that is too much.
    wrong_by: watch::Sender<Option<i64>>,
}

impl Presence {
    /// Compares the clocks; nothing is told yet.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn new(app: &Arc<App>, about: About) -> Result<Self> {
        let ctx = Ctx::system(Arc::clone(app));
        let clocks = clock_compare(&ctx).await?;
        let shared = Arc::new(Shared {
            ctx,
            about,
            started_at: clocks.now,
            started: Instant::now(),
            load: OnceLock::new(),
            draining: AtomicBool::new(false),
            telling: Mutex::new(()),
            wrong_by: watch::Sender::new(None),
        });
        shared.judge(clocks);
        Ok(Self {
            shared,
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// Tells that the node lives, now that it does, and goes on doing so.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn announce(&self) -> Result<()> {
        self.shared.tell().await?;
        let told = run_loop(Arc::clone(&self.shared), self.stop.clone());
        self.tracker.spawn(told);
        Ok(())
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Tells that the node takes nothing more and will end.
    pub async fn drain(&self) {
        self.shared.draining.store(true, Ordering::SeqCst);
        // Whoever reads the list meanwhile believes it to live, as it does.
        let _ = timeout(PATIENCE, self.shared.tell_or_warn()).await;
    }

    /// Tells nothing more; others forget the node.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
        let left = node_leave(&self.shared.ctx, &self.shared.about.name);
        if !matches!(timeout(PATIENCE, left).await, Ok(Ok(()))) {
            tracing::warn!(
                "the other nodes could not be told that this one ends; they will see it"
            );
        }
    }
}

async fn run_loop(shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        let sign = async {
            tokio::time::sleep_until(shared.next_round(SIGN)).await;
            shared.tell_or_warn().await;
        };
        tokio::select! {
            () = sign => {}
            () = stop.cancelled() => return,
        }
    }
}

impl Shared {
    /// The next of the instants at which everything on this node that looks from time to time does so, in
    /// order that an idle one wakes up once for all of it.
    pub(crate) fn next_round(&self, pause: Duration) -> Instant {
        let now = Instant::now();
        let passed = now.duration_since(self.started).as_nanos();
        u32::try_from(passed / pause.as_nanos() + 1)
            .ok()
            .and_then(|rounds| self.started.checked_add(pause * rounds))
            .unwrap_or(now + pause)
    }

    /// Whose load is told from here on.
    pub(crate) fn watch(&self, load: impl Fn() -> Load + Send + Sync + 'static) {
        // A node has one engine.
        let _ = self.load.set(Box::new(load));
    }

    /// Waits while this node's clock is wrong: what is due, and whose lease has ended, is told by
    /// clocks (decisions, Engine).
    pub(crate) async fn clock_is_right(&self) {
        // The sender is ours, so it does not close.
        let _ = self.wrong_by.subscribe().wait_for(Option::is_none).await;
    }

    /// Whether this node may claim anything now.
    pub(crate) fn may_claim(&self) -> bool {
        self.wrong_by.borrow().is_none()
    }

    /// A time of ours as nodes with a right clock would have it.
    pub(crate) fn as_others(&self, time: Timestamp) -> Timestamp {
        let ahead = self.wrong_by.borrow().unwrap_or(0);
        Timestamp::from_millis(time.as_millis().saturating_sub(ahead))
    }

    /// Compares the clocks now. Where the database does not answer soon, what was known before stays: a
    /// heartbeat waits for this, and one that is late says nothing about clocks anyway.
    pub(crate) async fn compare(&self) {
        if self.ctx.app.store.is_shared()
            && let Ok(Ok(clocks)) = timeout(PATIENCE, clock_compare(&self.ctx)).await
        {
            self.judge(clocks);
        }
    }

    async fn tell_or_warn(&self) {
        if let Err(error) = self.tell().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the other nodes could not be told that this one lives; it is tried again"
            );
        }
    }

    async fn tell(&self) -> Result<()> {
        let _one_at_a_time = self.telling.lock().await;
        let load = self.load.get().map(|load| load()).unwrap_or_default();
        let about = &self.about;
        let sign = NodeSign {
            name: about.name.clone(),
            version: about.version.clone(),
            roles: about.roles.clone(),
            run_slots: about.run_slots,
            live_runs: load.runs,
            build_slots: about.build_slots,
            live_builds: load.builds,
            draining: self.draining.load(Ordering::SeqCst),
            started_at: self.started_at,
        };
        self.judge(node_tell(&self.ctx, &sign).await?);
        Ok(())
    }

    fn judge(&self, clocks: Clocks) {
        let ahead_ms = match clocks.difference {
            Difference::None => None,
            Difference::Unknown => return,
            Difference::Ahead(ms) => Some(ms),
        };
        let wrong_by = ahead_ms.filter(|_| is_clock_wrong(ahead_ms));
        let before = self.wrong_by.send_replace(wrong_by);
        match (before, wrong_by) {
            (None, Some(ahead_ms)) => tracing::error!(
                ahead_ms,
                "this node's clock differs from the database's by more than 2 s: it claims nothing until \
                 one of them is set right"
            ),
            (Some(_), None) => tracing::info!(ahead_ms, "this node's clock is right again"),
            (None, None) | (Some(_), Some(_)) => {}
        }
    }
}
