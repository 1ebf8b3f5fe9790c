//! Releases.

use marquetry_model::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A release of an integration.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IntegrationRelease {
    /// Its id.
    pub id: i64,
    /// `<integration>-<tag>`.
    pub name: String,
    /// The branch it was built from.
    pub repository_tracking_branch: Option<String>,
    /// The manifest's `run`.
    pub run_command: Option<String>,
    /// The label of the build.
    pub tag: Option<String>,
    /// The manifest's `configs`.
    #[schema(value_type = Option<HashMap<String, Value>>)]
    pub config_schema: Option<Value>,
    /// The manifest's `version`, as written.
    pub config_version: String,
    /// The manifest's `metadata_schema`.
    #[schema(value_type = Option<HashMap<String, Value>>)]
    pub metadata_schema: Option<Value>,
    /// When it was made.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_date: Option<Timestamp>,
    /// The same: a release does not change.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub modified_date: Option<Timestamp>,
    /// Whose it is.
    pub integration_id: i64,
    /// The commit, in full.
    pub commit: Option<String>,
    /// The manifest's `base`, as written.
    pub base: String,
    /// The manifest's path in the repository.
    pub manifest_path: String,
    /// The build that made it.
    pub build_id: i64,
    /// Whether `Latest` may mean it.
    pub counts_as_latest: bool,
    /// When its artifact was removed, because nothing had used it for long: nobody can choose it any
    /// more. Null: it is there.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub artifact_removed_date: Option<Timestamp>,
}

impl From<marquetry_model::Release> for IntegrationRelease {
    fn from(release: marquetry_model::Release) -> Self {
        Self {
            id: release.id.get(),
            name: release.name,
            repository_tracking_branch: release.branch,
            run_command: Some(release.run_command),
            tag: Some(release.tag),
            config_schema: release.config_schema,
            config_version: release.config_version,
            metadata_schema: release.metadata_schema,
            created_date: Some(release.created_at),
            modified_date: Some(release.created_at),
            integration_id: release.integration_id.get(),
            commit: release.commit_hash,
            base: release.base,
            manifest_path: release.manifest_path,
            build_id: release.build_id.get(),
            counts_as_latest: release.counts_as_latest,
            artifact_removed_date: release.artifact_removed_at,
        }
    }
}
