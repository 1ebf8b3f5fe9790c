//! A customer's installation of an integration.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{Channel, IntegrationId, ReleaseId, Run, TenantId, TenantSource, Timestamp};

/// A tenant with its settings. Who only repeats them takes another `C`: JSON text instead of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Tenant<C = Map<String, Value>> {
    /// Its id.
    pub id: TenantId,
    /// What it is an installation of.
    pub integration_id: IntegrationId,
    /// Slug, unique per integration among unarchived ones.
    pub name: String,
    /// The id of the customer's user in the host product.
    pub user_name: Option<String>,
    /// How it came to be.
    pub source: TenantSource,
    /// The settings form's values; of those that are sealed, a mark in place of the value.
    pub configs: C,
    /// Whether its schedule stands still.
    pub paused: bool,
    /// The schedule as asked for.
    pub user_schedule: Option<String>,
    /// The schedule as run.
    pub schedule: Option<String>,
    /// IANA name; none: UTC.
    pub timezone: Option<String>,
    /// The release it runs, when it is a fixed one.
    pub integration_release_id: Option<ReleaseId>,
    /// The channel it follows, when it is not a fixed release.
    pub integration_release_channel: Option<Channel>,
    /// Options that init runs found, by the name of the list.
    pub dynamic_configs: C,
    /// Which settings these are: a number that each change of them raises.
    pub configs_version: i64,
    /// The settings that were secret when they were stored.
    pub secret_configs: BTreeSet<String>,
    /// When it was archived.
    pub archived_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub modified_at: Timestamp,
}

/// What runs and clients have found out about a tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantMetadata {
    /// About whom.
    pub tenant_id: TenantId,
    /// What is known; empty when nothing is.
    pub data: Map<String, Value>,
    /// When something was known first.
    pub created_at: Option<Timestamp>,
    /// When that was last changed.
    pub modified_at: Option<Timestamp>,
}

/// The three runs that a tenant's status shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TenantRuns {
    /// The run that is `Pending` or `Running` now.
    pub current: Option<Run>,
    /// The run that ended last.
    pub last: Option<Run>,
    /// The run that succeeded last.
    pub last_successful: Option<Run>,
}
