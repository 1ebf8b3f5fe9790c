//! Builds.

use marquetry_model::{BuildStatus, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words;

/// What `POST /v2/sourcecontrol/build` takes.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct CreateBuild {
    /// The label of the release.
    pub tag: String,
    /// Of which integration.
    pub integration_id: i64,
    /// The branch; none: the Git tag of this name if there is one, else the tracking branch.
    pub branch: Option<String>,
    /// Whether the release shall be `Latest` whatever the branch.
    pub latest: Option<bool>,
}

/// What `POST /v2/sourcecontrol/build` answers.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CreatedBuild {
    /// The build.
    pub id: i64,
    /// Where it is.
    #[schema(value_type = words::BuildStatus)]
    pub status: BuildStatus,
    /// The label of the release.
    pub tag: Option<String>,
    /// Of which integration.
    pub integration_id: i64,
}

impl From<&marquetry_model::Build> for CreatedBuild {
    fn from(build: &marquetry_model::Build) -> Self {
        Self {
            id: build.id.get(),
            status: build.status,
            tag: build.tag.clone(),
            integration_id: build.integration_id.get(),
        }
    }
}

/// A build.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Build {
    /// Its id.
    pub id: i64,
    /// Of which integration.
    pub integration_id: i64,
    /// The label of its releases, once known.
    pub tag: Option<String>,
    /// The branch that was asked for.
    pub branch: Option<String>,
    /// The commit, once known.
    pub commit: Option<String>,
    /// Where it is.
    #[schema(value_type = words::BuildStatus)]
    pub status: BuildStatus,
    /// Why it failed, or what else there is to say.
    pub message: Option<String>,
    /// What it made.
    pub release_ids: Vec<i64>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_date: Timestamp,
    /// When it was started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_date: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_date: Option<Timestamp>,
}

impl From<marquetry_model::Build> for Build {
    fn from(build: marquetry_model::Build) -> Self {
        Self {
            id: build.id.get(),
            integration_id: build.integration_id.get(),
            tag: build.tag,
            branch: build.branch,
            commit: build.commit_hash,
            status: build.status,
            message: build.message,
            release_ids: build.release_ids.into_iter().map(Into::into).collect(),
            created_date: build.created_at,
            started_date: build.started_at,
            completed_date: build.completed_at,
        }
    }
}

/// What became of a notice of a push.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PushTaken {
    /// What was done, or why nothing was.
    pub message: String,
    /// The build that will have what was pushed.
    pub build: Option<Build>,
}
