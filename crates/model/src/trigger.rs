//! Triggers: requests that a tenant run.

use crate::{Mode, RunId, Source, TenantId, Timestamp, TriggerId};

/// One trigger. It keeps its id for good and answers for the status of the run that took it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// Its id, below 2^53.
    pub id: TriggerId,
    /// For whom.
    pub tenant_id: TenantId,
    /// Where it came from.
    pub source: Source,
    /// How the run shall behave.
    pub mode: Mode,
    /// The raw body, when there was one and it is small; else see `payload_blob`.
    pub payload: Option<Vec<u8>>,
    /// Where a large body lies.
    pub payload_blob: Option<String>,
    /// The request's headers as a JSON object, names in lower case.
    pub headers: Option<String>,
    /// The run that took it.
    pub run_id: Option<RunId>,
    /// When it was cancelled before a run took it.
    pub cancelled_at: Option<Timestamp>,
    /// When it was accepted.
    pub created_at: Timestamp,
}

/// What the bundling rule needs to know of a waiting trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Its id; ids grow in order of arrival.
    pub id: TriggerId,
    /// Where it came from.
    pub source: Source,
    /// How the run shall behave.
    pub mode: Mode,
    /// Whether it asks to repeat a run: then the run is made of it alone.
    pub is_rerun: bool,
    /// When it was accepted.
    pub created_at: Timestamp,
}
