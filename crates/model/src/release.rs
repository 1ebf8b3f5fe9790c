//! Releases and how a tenant or an integration chooses one.

use serde_json::Value;

use crate::words::words;
use crate::{BuildId, IntegrationId, ReleaseId, Timestamp};

words! {
    /// A moving choice of release.
    Channel {
        /// The most recently built one.
        Latest = "Latest",
        /// Whatever the integration's default is.
        Default = "Default",
    }
}

/// A fixed release or a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseChoice {
    /// This one.
    Fixed(ReleaseId),
    /// What the channel means at the time.
    Channel(Channel),
}

/// What a successful build made. Immutable, but that its artifact is not kept for ever.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// Its id.
    pub id: ReleaseId,
    /// Whose it is.
    pub integration_id: IntegrationId,
    /// The build that made it.
    pub build_id: BuildId,
    /// `<integration>-<tag>`, unique in the integration.
    pub name: String,
    /// The label of the build.
    pub tag: String,
    /// The branch it was built from, when it was one.
    pub branch: Option<String>,
    /// The commit, in full; none for an upload.
    pub commit_hash: Option<String>,
    /// The manifest's path in the repository.
    pub manifest_path: String,
    /// The manifest's `version`, as written.
    pub config_version: String,
    /// The manifest's `base`, as written.
    pub base: String,
    /// The manifest's `run`.
    pub run_command: String,
    /// The manifest's `configs` object.
    pub config_schema: Option<Value>,
    /// The manifest's `metadata_schema` object.
    pub metadata_schema: Option<Value>,
    /// The manifest's `marquetry` object: what it narrows.
    pub narrowing: Option<Value>,
    /// The archive of the built folder, in the blob store.
    pub artifact: String,
    /// Whether `Latest` may mean it (built from the tracking branch, or asked for).
    pub counts_as_latest: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its artifact was given up, because nothing had used it for long: it cannot be run any more.
    pub artifact_removed_at: Option<Timestamp>,
}
