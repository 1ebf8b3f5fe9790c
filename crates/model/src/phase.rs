//! The phases of a run, in the contract's exact words.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a run is, or how it ended (`RunStatus.phase`, `TriggerStatus.status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Made, waiting for a place to run.
    Pending,
    /// Its process is being started or runs.
    Running,
    /// The process ended with 0.
    Succeeded,
    /// The process ended with another code, or by a signal or the memory limit.
    #[serde(rename = "Failed (Integration Issue)")]
    FailedIntegration,
    /// A credential could not be refreshed before the run.
    #[serde(rename = "Failed (Refresh)")]
    FailedRefresh,
    /// The platform's own fault.
    #[serde(rename = "Failed (Platform Issue)")]
    FailedPlatform,
    /// The time limit was passed.
    #[serde(rename = "Failed (Timeout)")]
    FailedTimeout,
    /// The last line of stdout does not fit the release's metadata schema.
    #[serde(rename = "Failed (Metadata Validation)")]
    FailedMetadata,
    /// Somebody stopped it.
    Cancelled,
}

impl Phase {
    /// All of them, in the order of a run's life.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Running,
        Self::Succeeded,
        Self::FailedIntegration,
        Self::FailedRefresh,
        Self::FailedPlatform,
        Self::FailedTimeout,
        Self::FailedMetadata,
        Self::Cancelled,
    ];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::FailedIntegration => "Failed (Integration Issue)",
            Self::FailedRefresh => "Failed (Refresh)",
            Self::FailedPlatform => "Failed (Platform Issue)",
            Self::FailedTimeout => "Failed (Timeout)",
            Self::FailedMetadata => "Failed (Metadata Validation)",
            Self::Cancelled => "Cancelled",
        }
    }

    /// Whether the run is over.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Phase {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or(())
    }
}
