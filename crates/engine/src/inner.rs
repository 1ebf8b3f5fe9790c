//! What the loops of a node share.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use marquetry_app::Ctx;
use marquetry_blobs::ArtifactCache;
use marquetry_model::Timestamp;
use marquetry_sandbox::Sandbox;
use marquetry_store::runs::Claimer;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Config;
use crate::execute::Ends;
use crate::presence::Shared as Presence;
use crate::prestart::Prestart;
use crate::scratch::Scratch;
use crate::signals::Signals;
use crate::slots::Slots;

/// What must be opened before the engine starts.
pub struct Prepared {
    /// Unpacked releases.
    pub artifacts: ArtifactCache,
}

pub(crate) struct Inner {
    pub(crate) ctx: Ctx,
    pub(crate) sandbox: Sandbox,
    pub(crate) artifacts: ArtifactCache,
    pub(crate) config: Config,
    pub(crate) runs: Slots,
    pub(crate) builds: Slots,
    pub(crate) signals: Signals,
    pub(crate) ends: Ends,
    pub(crate) scratch: Arc<Scratch>,
    pub(crate) prestart: Prestart,
    pub(crate) tracker: TaskTracker,
    pub(crate) stop: CancellationToken,
    pub(crate) presence: Arc<Presence>,
    /// How many runs live on without this server.
    pub(crate) left: AtomicUsize,
}

impl Inner {
    pub(crate) fn new(
        ctx: Ctx,
        sandbox: Sandbox,
        presence: Arc<Presence>,
        prepared: Prepared,
        config: Config,
        tracker: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            ctx,
            artifacts: prepared.artifacts,
            runs: Slots::new(config.run_slots),
            builds: Slots::new(config.build_slots),
            signals: Signals::default(),
            ends: Ends::new(),
            scratch: Arc::new(Scratch::new(
                config.memory_dir.clone(),
                config.work_dir.clone(),
                !sandbox.has_own_root(),
            )),
            prestart: Prestart::new(config.run.prestart, &sandbox, &config.work_dir),
            sandbox,
            config,
            tracker,
            stop,
            presence,
            left: AtomicUsize::new(0),
        }
    }

    /// How often the truth is looked at without a hint: more often while a node does not hear the
    /// others that share its database.
    fn pause(&self) -> Duration {
        let app = &self.ctx.app;
        let deaf = app.store.is_shared() && !app.hints.hears_others();
        Duration::from_secs(if deaf { 2 } else { 30 })
    }

    /// When a loop looks again without a hint: at the time that it knows of, or else together with
    /// the other loops, so that an idle node wakes up once for all of them.
    pub(crate) fn look_again(&self, next: Option<Timestamp>) -> Instant {
        let now = Instant::now();
        let pause = self.pause();
        let together = self.presence.next_round(pause);
        // Not at once: what is due may be another node's, in a transaction that is open.
        let least = Duration::from_millis(1);
        let known = next.map(|next| now + next.since(self.ctx.now()).clamp(least, pause));
        known.map_or(together, |known| known.min(together))
    }

    /// Waits until this node may claim something; answers whether it still shall.
    pub(crate) async fn may_go_on(&self) -> bool {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            () = self.presence.clock_is_right() => true,
        }
    }

    /// By the clock of those who look for leases that have ended.
    pub(crate) fn lease_until(&self) -> Timestamp {
        self.lease_for(1)
    }

    /// The same, for so many times the length of a lease.
    pub(crate) fn lease_for(&self, times: u32) -> Timestamp {
        self.presence
            .as_others(self.ctx.now())
            .plus(self.config.lease * times)
    }

    pub(crate) fn claimer(&self) -> Claimer {
        Claimer {
            node: self.config.node.clone(),
            lease_until: self.lease_until(),
        }
    }
}
