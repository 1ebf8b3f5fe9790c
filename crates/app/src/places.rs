//! Places of this process in which a trigger can become a run at once, without dispatch.

use std::sync::Arc;

use marquetry_store::runs::Claimer;

use crate::jobs::RunJob;

/// The places of the node that this process is.
pub trait Places: Send + Sync {
    /// Takes a place; none when nothing is free, or others have waited for it longer.
    fn take(self: Arc<Self>) -> Option<Box<dyn Place>>;
}

/// A place that is taken until it is dropped.
pub trait Place: Send {
    /// Whose place it is, for the claim.
    fn claimer(&self) -> Claimer;

    /// Executes a run whose claim is durable.
    fn execute(self: Box<Self>, job: RunJob);
}
