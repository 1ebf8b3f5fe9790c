//! What was decided against running something: the part of a tenant's history that no trigger and
//! no run tells.

use crate::words::words;
use crate::{TenantId, Timestamp};

words! {
    /// Why something did not run when it was asked for or due.
    DecisionKind {
        /// A tick of the schedule was passed over: the integration is paused.
        TickPaused = "tick_paused",
        /// A tick was passed over: there is no release to run.
        TickNoRelease = "tick_no_release",
        /// A tick was passed over: too many triggers wait already.
        TickFull = "tick_full",
        /// Ticks were missed while no server looked; the schedule fired once for them.
        TicksLate = "ticks_late",
        /// Ticks were missed while no server looked, and are skipped.
        TicksSkipped = "ticks_skipped",
        /// A request was refused: the integration is paused.
        RefusedPaused = "refused_paused",
        /// A request was refused: there is no release to run.
        RefusedNoRelease = "refused_no_release",
        /// A request was refused: too many triggers wait already.
        RefusedFull = "refused_full",
        /// What waits was looked at and held: the tenant is paused.
        HeldTenantPaused = "held_tenant_paused",
        /// What waits was looked at and held: the integration is paused.
        HeldPaused = "held_paused",
        /// What waits was looked at and held: its release is gone.
        HeldNoRelease = "held_no_release",
        /// The tenant was paused: its schedule stands still.
        Paused = "paused",
        /// The tenant was resumed: its schedule goes on, and what was due meanwhile is not made up for.
        Resumed = "resumed",
    }
}

/// Decisions of one kind about one tenant within an hour, as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionNote {
    /// About whom.
    pub tenant_id: TenantId,
    /// What was decided.
    pub kind: DecisionKind,
    /// The first time that it was about: of missed ticks the first one's own.
    pub first_at: Timestamp,
    /// When it was last decided.
    pub last_at: Timestamp,
    /// How often; of missed ticks how many.
    pub count: i64,
}
