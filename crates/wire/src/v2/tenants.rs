//! Tenants.

use marquetry_model::{Channel, Patch, TenantSource, Timestamp};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Run, words};

/// What a new tenant shall be.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct CreateTenant {
    /// Lower-case letters, digits and `-`; unique in the integration.
    #[schema(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    pub name: String,
    /// Of what.
    pub integration_id: i64,
    /// Five-field cron; none: the integration's default.
    pub user_schedule: Option<String>,
    /// The fixed release it shall run.
    pub integration_release_id: Option<i64>,
    /// The channel it shall follow; none of both: `Default`.
    #[schema(value_type = Option<words::IntegrationReleaseChannel>)]
    pub integration_release_channel: Option<Channel>,
    /// The settings form's values.
    #[serde(default)]
    #[schema(value_type = HashMap<String, Value>)]
    pub configs: Map<String, Value>,
    /// The user of the host product.
    pub user_name: Option<String>,
    /// IANA name; none: UTC.
    pub timezone: Option<String>,
    /// Whether its schedule stands still; none: yes.
    pub paused: Option<bool>,
}

// Both say the same. What the original's route does not know it ignores; a route of ours refuses it.
macro_rules! changes {
    ($($(#[$attribute:meta])* $name:ident)+) => {$(
        #[derive(Debug, Clone, Deserialize, ToSchema)]
        $(#[$attribute])*
        pub struct $name {
            /// PATCH merges them shallowly (`null` removes a key), PUT replaces them.
            #[serde(default)]
            #[schema(value_type = HashMap<String, Value>)]
            pub configs: Option<Map<String, Value>>,
            /// Five-field cron; `null`: no schedule.
            #[serde(default)]
            #[schema(value_type = Option<String>)]
            pub user_schedule: Patch<String>,
            /// Whether its schedule stands still.
            pub paused: Option<bool>,
            /// Lower-case letters, digits and `-`; unique in the integration.
            #[schema(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
            pub name: Option<String>,
            /// The user of the host product.
            #[serde(default)]
            #[schema(value_type = Option<String>)]
            pub user_name: Patch<String>,
            /// IANA name; `null`: UTC.
            #[serde(default)]
            #[schema(value_type = Option<String>)]
            pub timezone: Patch<String>,
            /// The fixed release it shall run.
            #[serde(default)]
            #[schema(value_type = Option<i64>)]
            pub integration_release_id: Patch<i64>,
            /// The channel it shall follow.
            #[serde(default)]
            #[schema(value_type = Option<words::IntegrationReleaseChannel>)]
            pub integration_release_channel: Patch<Channel>,
        }
    )+};
}

changes! {
    /// What a change mentions.
    UpdateTenant
    /// What a change mentions, the settings as a whole.
    #[serde(deny_unknown_fields)]
    ReplaceTenant
}

impl From<ReplaceTenant> for UpdateTenant {
    fn from(body: ReplaceTenant) -> Self {
        let ReplaceTenant {
            configs,
            user_schedule,
            paused,
            name,
            user_name,
            timezone,
            integration_release_id,
            integration_release_channel,
        } = body;
        Self {
            configs,
            user_schedule,
            paused,
            name,
            user_name,
            timezone,
            integration_release_id,
            integration_release_channel,
        }
    }
}

/// A tenant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Tenant {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Whether it is archived.
    #[schema(value_type = Option<bool>)]
    pub archived: bool,
    /// Of what.
    pub integration_id: i64,
    /// The settings form's values.
    #[schema(value_type = Option<HashMap<String, Value>>, default = json!({}))]
    pub configs: Box<RawValue>,
    /// When it was made.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_date: Timestamp,
    /// When it was last changed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub modified_date: Timestamp,
    /// Whether its schedule stands still.
    #[schema(value_type = Option<bool>, default = true)]
    pub paused: bool,
    /// The schedule as asked for.
    pub user_schedule: Option<String>,
    /// The schedule as run.
    pub schedule: Option<String>,
    /// How it came to be.
    #[schema(value_type = Option<String>, default = "api")]
    pub source: TenantSource,
    /// The fixed release it runs.
    pub integration_release_id: Option<i64>,
    /// The channel it follows.
    #[schema(value_type = Option<words::IntegrationReleaseChannel>)]
    pub integration_release_channel: Option<Channel>,
    /// Its runs, options and connections.
    #[schema(value_type = Option<TenantStatus>)]
    pub status: TenantStatus,
    /// The user of the host product.
    pub user_name: Option<String>,
    /// IANA name; none: UTC.
    pub timezone: Option<String>,
    /// Settings that are kept although the form of the release does not allow them any more.
    #[schema(value_type = Option<Vec<ConfigsProblem>>)]
    pub configs_problems: Vec<ConfigsProblem>,
}

/// A setting that does not fit the form.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConfigsProblem {
    /// The setting; empty when it is about all of them together.
    pub name: String,
    /// What is wrong.
    pub message: String,
}

/// What runs and clients have found out about a tenant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TenantMetadata {
    /// About whom.
    pub tenant_id: i64,
    /// What is known.
    #[schema(value_type = Option<HashMap<String, Value>>, default = json!({}))]
    pub data: Map<String, Value>,
    /// When something was known first.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_date: Option<Timestamp>,
    /// When that was last changed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub modified_date: Option<Timestamp>,
}

impl From<marquetry_model::TenantMetadata> for TenantMetadata {
    fn from(found: marquetry_model::TenantMetadata) -> Self {
        Self {
            tenant_id: found.tenant_id.get(),
            data: found.data,
            created_date: found.created_at,
            modified_date: found.modified_at,
        }
    }
}

/// A tenant's runs, options and connections.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TenantStatus {
    /// The run that ended last; `{}` when none has.
    #[serde(serialize_with = "or_empty")]
    #[schema(value_type = Option<HashMap<String, Value>>, default = json!({}))]
    pub last_run: Option<Run>,
    /// The live run; `{}` when there is none.
    #[serde(serialize_with = "or_empty")]
    #[schema(value_type = Option<HashMap<String, Value>>, default = json!({}))]
    pub current_run: Option<Run>,
    /// The run that succeeded last; `{}` when none has.
    #[serde(serialize_with = "or_empty")]
    #[schema(value_type = Option<HashMap<String, Value>>, default = json!({}))]
    pub last_successful_run: Option<Run>,
    /// Options that init runs found.
    #[schema(value_type = Option<HashMap<String, Value>>, default = json!({}))]
    pub dynamic_configs: Box<RawValue>,
    /// Its connections.
    #[schema(value_type = Option<TenantAuthStatus>, default = json!({}))]
    pub auth: TenantAuthStatus,
}

/// A tenant's connections.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TenantAuthStatus {
    /// Whether every connector of the integration is connected.
    #[schema(default = false)]
    pub connected: bool,
    /// One by one.
    #[schema(value_type = Option<Vec<ConnectorStatus>>, default = json!([]))]
    pub connectors: Vec<ConnectorStatus>,
}

/// One connection.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConnectorStatus {
    /// The connector.
    pub name: String,
    /// `Connected`, `Disconnected` or `Needs Reconnect`.
    pub status: String,
    /// When that changed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_change: Option<Timestamp>,
}

#[expect(
    clippy::ref_option,
    reason = "serde calls it with a reference to the field"
)]
fn or_empty<S: Serializer>(run: &Option<Run>, serializer: S) -> Result<S::Ok, S::Error> {
    match run {
        Some(run) => run.serialize(serializer),
        None => serializer.serialize_map(Some(0))?.end(),
    }
}
