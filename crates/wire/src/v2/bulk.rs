//! One act over many tenants.

use marquetry_model::{Channel, Mode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words;

/// What is done to each tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BulkAction {
    /// A run is asked for.
    Sync,
    /// Its schedule stands still.
    Pause,
    /// And goes on.
    Resume,
    /// It runs another release, or follows another channel.
    Release,
    /// It is archived.
    Archive,
}

/// Which unarchived tenants: those that fit everything that is given; all, when nothing is.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkFilter {
    /// These; one that does not fit the rest is an item that failed.
    pub ids: Option<Vec<i64>>,
    /// Of one integration.
    pub integration_id: Option<i64>,
    /// Of one user of the host product.
    pub user_name: Option<String>,
    /// Paused ones, or others.
    pub paused: Option<bool>,
    /// With this release.
    pub integration_release_id: Option<i64>,
    /// Following this channel.
    #[schema(value_type = Option<words::IntegrationReleaseChannel>)]
    pub integration_release_channel: Option<Channel>,
}

/// One act over many tenants.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkRequest {
    /// What is done to each.
    pub action: BulkAction,
    /// To which.
    pub filter: BulkFilter,
    /// Only say what would come of it.
    #[serde(default)]
    pub dry_run: bool,
    /// How runs behave, for `sync`; `normal` unless said.
    #[schema(value_type = Option<words::V2RunMode>)]
    pub mode: Option<Mode>,
    /// For `release`: the release that they shall run.
    pub integration_release_id: Option<i64>,
    /// For `release`: the channel that they shall follow.
    #[schema(value_type = Option<words::IntegrationReleaseChannel>)]
    pub integration_release_channel: Option<Channel>,
}

/// What came of it, tenant by tenant, in the order of their ids.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BulkResult {
    /// One for each tenant that fits, and for each of `ids` that does not.
    pub items: Vec<BulkItem>,
}

/// What came of it for one tenant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BulkItem {
    /// Which.
    pub id: i64,
    /// Whether it was done, or would be.
    pub ok: bool,
    /// What was done, or why not.
    pub message: String,
}
