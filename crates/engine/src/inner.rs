//! What the loops of a node share.

use std::time::Duration;

use marquetry_app::Ctx;
use marquetry_blobs::ArtifactCache;
use marquetry_model::Timestamp;
use marquetry_sandbox::Sandbox;
use marquetry_store::runs::Claimer;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Config;
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
    pub(crate) scratch: Scratch,
    pub(crate) tracker: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Inner {
    pub(crate) fn new(
        ctx: Ctx,
        sandbox: Sandbox,
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
            scratch: Scratch::new(
                config.memory_dir.clone(),
                config.work_dir.clone(),
                !sandbox.has_own_root(),
            ),
            sandbox,
            config,
            tracker,
            stop,
        }
    }

    /// How often the truth is looked at without a hint. Hints do not cross nodes yet, so a node
    /// that shares its database looks more often.
    pub(crate) fn pause(&self) -> Duration {
        let shared = self.ctx.app.store.is_shared();
        Duration::from_secs(if shared { 2 } else { 30 })
    }

    pub(crate) fn lease_until(&self) -> Timestamp {
        self.ctx.now().plus(self.config.lease)
    }

    pub(crate) fn claimer(&self) -> Claimer {
        Claimer {
            node: self.config.node.clone(),
            lease_until: self.lease_until(),
        }
    }
}
