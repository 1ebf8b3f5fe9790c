//! What the next server must know of a run whose process outlives this one, beside what is stored.
//!
//! It lies in the memory of the sandbox's keeper, nowhere else: there are secrets in it.

use marquetry_manifest::LastLine;
use marquetry_model::RunId;
use serde::{Deserialize, Serialize};

use crate::log::{LogBuffer, LogState};

/// Of one run.
#[derive(Serialize, Deserialize)]
pub(crate) struct Label {
    run: i64,
    /// The fence.
    pub(crate) attempt: i64,
    /// The number of its scratch folder.
    pub(crate) place: usize,
    /// What its log must not show.
    pub(crate) secrets: Vec<String>,
    /// What of its log is not stored; what is not decided yet is in the journal.
    pub(crate) log: LogState,
    /// What counts of the standard output that was read.
    pub(crate) stdout: Vec<u8>,
}

/// What is known when a run begins.
pub(crate) struct Known {
    pub(crate) run: RunId,
    pub(crate) attempt: i64,
    pub(crate) place: usize,
    pub(crate) secrets: Vec<String>,
}

impl Label {
    /// With what was read up to now; none where that cannot be given on.
    pub(crate) fn of(known: &Known, log: &LogBuffer, stdout: &LastLine) -> Option<Self> {
        Some(Self {
            run: known.run.get(),
            attempt: known.attempt,
            place: known.place,
            secrets: known.secrets.clone(),
            log: log.state(),
            stdout: stdout.tail()?,
        })
    }

    pub(crate) fn run(&self) -> RunId {
        RunId::new(self.run)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        // There is nothing in it that JSON does not have.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads one; none where another version wrote it.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}
