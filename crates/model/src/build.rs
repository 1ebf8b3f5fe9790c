//! Builds: from a commit to releases.

use crate::words::words;
use crate::{BuildId, IntegrationId, ReleaseId, Timestamp};

words! {
    /// Where a build is, or how it ended.
    BuildStatus {
        /// Waiting for a place.
        Pending = "Pending",
        /// At work.
        Running = "Running",
        /// It made its releases.
        Succeeded = "Succeeded",
        /// It made none; `message` says why.
        Failed = "Failed",
        /// Somebody stopped it.
        Cancelled = "Cancelled",
    }
}

/// What a build is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBuild {
    /// Of which integration.
    pub integration_id: IntegrationId,
    /// The label of the releases; none: the short commit.
    pub tag: Option<String>,
    /// The branch asked for; none: the Git tag of that name if there is one, else the tracking
    /// branch.
    pub branch: Option<String>,
    /// Whether its releases shall be `Latest` whatever the branch.
    pub latest: Option<bool>,
}

/// One build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Its id.
    pub id: BuildId,
    /// Whose it is.
    pub integration_id: IntegrationId,
    /// The label of its releases, when one was asked for or is known.
    pub tag: Option<String>,
    /// The branch asked for.
    pub branch: Option<String>,
    /// What the caller said about `Latest`.
    pub latest: Option<bool>,
    /// The archive that was sent, which is built instead of a commit.
    pub source_blob: Option<String>,
    /// The commit, once it is known.
    pub commit_hash: Option<String>,
    /// Where it is.
    pub status: BuildStatus,
    /// Why it failed, or what else there is to say.
    pub message: Option<String>,
    /// What it made.
    pub release_ids: Vec<ReleaseId>,
    /// How often it was started.
    pub attempt: i64,
    /// Whether somebody asked to stop it.
    pub cancel_requested: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}
