//! Reruns: a past run once more, with what it was given then, or is given now, or by hand.

use serde_json::{Map, Value};

use crate::{OutputId, ReleaseId, RunId};

/// The state that a run is given, by name: none of it ever changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Given {
    /// The run that had ended last.
    pub last_run_id: Option<RunId>,
    /// The run that had succeeded last.
    pub last_successful_run_id: Option<RunId>,
    /// The output that stands in place of that run's.
    pub output_id: Option<OutputId>,
}

/// How a run is repeated.
#[derive(Debug, Clone, PartialEq)]
pub struct Rerun {
    /// The run.
    pub run_id: RunId,
    /// The run whose triggers it shows again: of a rerun of a rerun, the first of them.
    pub triggers_run_id: RunId,
    /// Settings that were written by hand.
    pub configs: Option<Map<String, Value>>,
    /// The version of the tenant's settings; with neither, the present ones.
    pub configs_version: Option<i64>,
    /// The state; none: the present one.
    pub given: Option<Given>,
    /// The release; none: the tenant's present one.
    pub release_id: Option<ReleaseId>,
    /// Whether later runs see what it prints.
    pub is_saved: bool,
}

impl Rerun {
    /// A run once more, with everything as it is now.
    pub fn of(run: RunId) -> Self {
        Self {
            run_id: run,
            triggers_run_id: run,
            configs: None,
            configs_version: None,
            given: None,
            release_id: None,
            is_saved: true,
        }
    }
}
