//! The loops that look at the truth: schedule, poll, dispatch and execute, build, heartbeat, reap,
//! retain, sweep.
//!
//! Invariants: no loop has an input; each looks at rows and may run on every node at once. A hint
//! makes a loop prompt, its timer makes it certain. A node touches a run or build only under its
//! claim, so one that comes back late changes nothing. None claims by a clock that is wrong.

mod build;
mod config;
mod death;
mod execute;
mod heartbeat;
mod images;
mod inner;
mod keeping;
mod label;
mod log;
mod masks;
mod neighbours;
mod network;
mod poll;
mod presence;
mod prestart;
mod pump;
mod ready;
mod reap;
mod retain;
mod schedule;
mod scratch;
mod signals;
mod slots;
mod step;
mod sweep;
mod tend;
pub mod toolchain;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use marquetry_app::{App, Ctx, Places};
use marquetry_model::{Result, RunId};
use marquetry_sandbox::Sandbox;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use build::toolchain_links;
pub use config::{BuildSettings, Config, Roles, RunSettings};
pub use images::Images;
use inner::Inner;
pub use inner::Prepared;
pub use neighbours::Neighbours;
use presence::Load;
pub use presence::{About, Presence};

/// The engine of one node. Dropping it does not stop it; [`Engine::shutdown`] does.
pub struct Engine {
    inner: Arc<Inner>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Engine {
    /// Closes what a former process of this node left open, then starts the loops.
    pub async fn start(
        app: Arc<App>,
        sandbox: Sandbox,
        presence: &Presence,
        prepared: Prepared,
        config: Config,
    ) -> Result<Self> {
        let ctx = Ctx::system(Arc::clone(&app));
        let tracker = TaskTracker::new();
        let stop = CancellationToken::new();
        let inner = Arc::new(Inner::new(
            ctx,
            sandbox,
            presence.shared(),
            prepared,
            config,
            tracker.clone(),
            stop.clone(),
        ));
        // Before anything of a former server is closed or removed.
        let back = Box::pin(execute::take_back(&inner)).await?;
        let alive: Vec<RunId> = back.iter().map(execute::Back::run).collect();
        if let Err(error) = reap::at_start(&inner, &alive).await {
            Box::pin(execute::leave_all(&inner, back)).await;
            return Err(error);
        }
        let weak = Arc::downgrade(&inner);
        inner.presence.watch(move || {
            weak.upgrade().map_or_else(Load::default, |inner| Load {
                runs: inner.runs.taken(),
                builds: inner.builds.taken(),
            })
        });
        let roles = inner.config.roles;
        if roles.runner {
            let inner: Arc<dyn Places> = Arc::clone(&inner) as _;
            app.offer_places(Arc::downgrade(&inner));
        }
        if roles.runner {
            tracker.spawn(execute::run_loop(Arc::clone(&inner)));
        }
        // What was taken back lives by it too, whatever this node does otherwise.
        if roles.runner || !back.is_empty() {
            tracker.spawn(heartbeat::run_loop(Arc::clone(&inner)));
        }
        for one in back {
            execute::go_on(&inner, one);
        }
        if roles.builder {
            tracker.spawn(build::run_loop(Arc::clone(&inner)));
            tracker.spawn(poll::run_loop(Arc::clone(&inner)));
        }
        // Whoever builds makes settings secrets; the API of any node does.
        tracker.spawn(sweep::run_loop(Arc::clone(&inner)));
        if roles.scheduler {
            tracker.spawn(schedule::run_loop(Arc::clone(&inner)));
            tracker.spawn(reap::run_loop(Arc::clone(&inner)));
            tracker.spawn(tend::run_loop(Arc::clone(&inner)));
        }
        if roles.scheduler || roles.runner || roles.builder {
            tracker.spawn(retain::run_loop(Arc::clone(&inner)));
        }
        Ok(Self {
            inner,
            tracker,
            stop,
        })
    }

    /// How many runs this node executes now.
    pub fn live_runs(&self) -> usize {
        self.inner.runs.taken()
    }

    /// Takes nothing more and gives what is live `grace` to end. What can go on without this server does so then,
    /// for the next one to take it back, unless `ends`; all else is stopped and closed. Answers how many runs go on.
    pub async fn shutdown(self, grace: Duration, ends: bool) -> usize {
        self.stop.cancel();
        self.tracker.close();
        let mut left = 0;
        if tokio::time::timeout(grace, self.tracker.wait())
            .await
            .is_err()
        {
            if ends {
                self.inner.signals.stop_all();
            } else {
                // Time enough to start another one.
                heartbeat::beat(&self.inner, 2).await;
                self.inner.signals.leave_all();
            }
            // What does not end even now is closed at the next start.
            let _ =
                tokio::time::timeout(self.inner.config.run.grace * 2, self.tracker.wait()).await;
            left = self.inner.left.load(Ordering::SeqCst);
        }
        self.inner.sandbox.shutdown().await;
        left
    }
}
