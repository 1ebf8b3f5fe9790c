//! Integrations.

use std::collections::BTreeMap;

use marquetry_model::{
    Channel, Egress, IntegrationType, LocalRun, Missed, Patch, Randomization, Retry, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words;

/// A text, or several.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// A system that the integration talks to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Connector {
    /// Its name, as `slack-oauth`.
    pub name: String,
    /// Whether all tenants share one connection.
    #[serde(rename = "isGlobal")]
    pub is_global: bool,
}

/// A system that the integration shall talk to.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConnector {
    /// Its name, as `slack-oauth`.
    pub name: String,
    /// Whether all tenants share one connection.
    #[serde(rename = "isGlobal", default)]
    pub is_global: bool,
}

/// One of the schedules that a customer may choose from.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleChoice {
    /// What the form shows.
    pub label: String,
    /// Five-field cron.
    pub cron: String,
}

/// How a private repository is opened.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepositoryCredential {
    /// The user of an https address.
    pub username: Option<String>,
    /// The token of an https address.
    pub token: Option<String>,
    /// The key of an ssh address.
    pub ssh_private_key: Option<String>,
}

// The two bodies differ only in what must be there.
macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $kind,)*
            /// Whose code it is.
            #[serde(rename = "type")]
            #[schema(value_type = Option<words::IntegrationType>)]
            pub kind: Option<IntegrationType>,
            /// Where the code is: https, ssh or a local path that the operator allows.
            #[serde(default)]
            #[schema(value_type = Option<String>)]
            pub repository_url: Patch<String>,
            /// The branch whose builds are `Latest`.
            pub repository_tracking_branch: Option<String>,
            /// The manifest's place; several give a release each, of which the first counts as `Latest`.
            pub repository_path: Option<OneOrMany>,
            /// Systems it talks to.
            pub connectors: Option<Vec<NewConnector>>,
            /// The fixed default release.
            #[serde(default)]
            #[schema(value_type = Option<i64>)]
            pub default_release_id: Patch<i64>,
            /// The default channel.
            #[serde(default)]
            #[schema(value_type = Option<words::IntegrationReleaseChannel>)]
            pub default_release_channel: Patch<Channel>,
            /// The schedule of a tenant that asks for none.
            #[serde(default)]
            #[schema(value_type = Option<String>)]
            pub default_schedule: Patch<String>,
            /// What a customer may choose from.
            pub schedule_choices: Option<Vec<ScheduleChoice>>,
            /// What `user_schedule` loses on its way to `schedule`.
            #[schema(value_type = Option<words::Randomization>)]
            pub schedule_randomization: Option<Randomization>,
            /// What becomes of ticks of a schedule that passed while no server looked.
            #[schema(value_type = Option<words::Missed>)]
            pub missed: Option<Missed>,
            /// How long an idle tenant waits for further triggers, in milliseconds.
            pub debounce_ms: Option<i64>,
            /// The most live runs that it may have at once; `null`: as many as there are places.
            #[serde(default)]
            #[schema(value_type = Option<i64>)]
            pub concurrency_limit: Patch<i64>,
            /// Time limit of a run, in seconds.
            pub timeout_seconds: Option<i64>,
            /// Memory limit of a run, in MiB.
            pub memory_mb: Option<i64>,
            /// Whether a run lost by the platform is repeated.
            #[schema(value_type = Option<words::Retry>)]
            pub retry: Option<Retry>,
            /// What runs may reach.
            #[schema(value_type = Option<words::Egress>)]
            pub egress: Option<Egress>,
            /// Ports beyond the usual ones.
            #[schema(value_type = Option<Vec<Port>>)]
            pub egress_ports: Option<Vec<u16>>,
            /// How often the tracking branch is looked at, in seconds; `null`: never.
            #[serde(default)]
            #[schema(value_type = Option<i64>)]
            pub poll_seconds: Patch<i64>,
            /// Whether developers may run it at home.
            #[schema(value_type = Option<words::LocalRun>)]
            pub local_run: Option<LocalRun>,
            /// Whether nothing of it runs.
            pub paused: Option<bool>,
            /// Where an external one lives.
            #[serde(default)]
            #[schema(value_type = Option<String>)]
            pub target_url: Patch<String>,
            /// Write only: how a private repository is opened; `null` forgets it.
            #[schema(write_only, value_type = Option<RepositoryCredential>)]
            #[serde(default)]
            pub repository_credential: Patch<RepositoryCredential>,
            /// Write only: all variables of the build; `null` forgets them.
            #[schema(write_only, value_type = Option<BTreeMap<String, String>>)]
            #[serde(default)]
            pub build_env: Patch<BTreeMap<String, String>>,
        }
    )+};
}

bodies! {
    /// What a new integration shall be.
    IntegrationCreate {
        /// Lower-case letters, digits and `-`; unique.
        #[schema(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
        name: String,
        /// For people.
        long_name: String
    }
    /// What a change of an integration mentions.
    IntegrationChange {
        /// Lower-case letters, digits and `-`; unique.
        #[schema(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
        name: Option<String>,
        /// For people.
        long_name: Option<String>
    }
}

/// A port of TCP.
#[derive(Debug, ToSchema)]
#[schema(value_type = i32, minimum = 1, maximum = 65535)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Port(u16);

/// Which release `Default` means: one of the two.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetDefaultRelease {
    /// This one.
    pub release_id: Option<i64>,
    /// What the channel means at the time.
    #[schema(value_type = Option<words::IntegrationReleaseChannel>)]
    pub channel: Option<Channel>,
}

/// A category of a marketplace.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: i64,
    /// What it is about.
    pub description: Option<String>,
    /// Its place among the others.
    pub order_index: f64,
}

/// A tag of a marketplace.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: i64,
    /// What it is about.
    pub description: Option<String>,
}

/// A mark of a marketplace.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Flag {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: i64,
    /// Its colour.
    pub flag_color: Option<String>,
}

/// What is entered at the host of Git, so that a push makes a build.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PushHook {
    /// The address; a path only, where the server does not know its own.
    pub url: String,
    /// The secret that notices are signed with.
    pub secret: String,
}

/// An integration.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Integration {
    /// Its id.
    pub id: i64,
    /// When it was made.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_date: Timestamp,
    /// When it was last changed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub modified_date: Timestamp,
    /// Its name.
    pub name: String,
    /// For people.
    pub long_name: String,
    /// Systems it talks to.
    #[schema(value_type = Option<Vec<Connector>>)]
    pub connectors: Vec<Connector>,
    /// The manifest's place; the first of several.
    pub repository_path: Option<String>,
    /// The branch whose builds are `Latest`.
    #[schema(value_type = Option<String>)]
    pub repository_tracking_branch: String,
    /// Where the code is.
    pub repository_url: Option<String>,
    /// Whose code it is.
    #[serde(rename = "type")]
    #[schema(value_type = words::IntegrationType)]
    pub kind: IntegrationType,
    /// Of a marketplace.
    #[schema(value_type = Option<Vec<Category>>, default = json!([]))]
    pub categories: Vec<Category>,
    /// Of a marketplace.
    #[schema(value_type = Option<Vec<Tag>>, default = json!([]))]
    pub tags: Vec<Tag>,
    /// Of a marketplace.
    pub flag: Option<Flag>,
    /// The fixed default release.
    pub default_release_id: Option<i64>,
    /// The default channel.
    #[schema(value_type = Option<words::IntegrationReleaseChannel>)]
    pub default_release_channel: Option<Channel>,
    /// The manifests' places, all of them.
    pub repository_paths: Vec<String>,
    /// The schedule of a tenant that asks for none.
    pub default_schedule: Option<String>,
    /// What a customer may choose from.
    pub schedule_choices: Vec<ScheduleChoice>,
    /// What `user_schedule` loses on its way to `schedule`.
    #[schema(value_type = words::Randomization)]
    pub schedule_randomization: Randomization,
    /// What becomes of ticks of a schedule that passed while no server looked.
    #[schema(value_type = words::Missed)]
    pub missed: Missed,
    /// How long an idle tenant waits for further triggers, in milliseconds.
    pub debounce_ms: i64,
    /// The most live runs that it may have at once; `null`: as many as there are places.
    pub concurrency_limit: Option<i64>,
    /// Time limit of a run, in seconds.
    pub timeout_seconds: i64,
    /// Memory limit of a run, in MiB.
    pub memory_mb: i64,
    /// Whether a run lost by the platform is repeated.
    #[schema(value_type = words::Retry)]
    pub retry: Retry,
    /// What runs may reach.
    #[schema(value_type = words::Egress)]
    pub egress: Egress,
    /// Ports beyond the usual ones.
    pub egress_ports: Vec<u16>,
    /// How often the tracking branch is looked at, in seconds.
    pub poll_seconds: Option<i64>,
    /// When it was last looked at.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub polled_date: Option<Timestamp>,
    /// Why that look did not see the branch's head.
    pub poll_message: Option<String>,
    /// Whether developers may run it at home.
    #[schema(value_type = words::LocalRun)]
    pub local_run: LocalRun,
    /// Whether nothing of it runs.
    pub paused: bool,
    /// Where an external one lives.
    pub target_url: Option<String>,
    /// Whether it is archived.
    pub archived: bool,
    /// Where a host of Git tells about pushes; `null` for keys that may not write.
    pub push_hook: Option<PushHook>,
}

impl From<marquetry_model::Integration> for Integration {
    fn from(i: marquetry_model::Integration) -> Self {
        Self {
            id: i.id.get(),
            created_date: i.created_at,
            modified_date: i.modified_at,
            name: i.name,
            long_name: i.long_name,
            connectors: i.connectors.into_iter().map(Into::into).collect(),
            repository_path: i.repository_paths.first().cloned(),
            repository_tracking_branch: i.repository_tracking_branch,
            repository_url: i.repository_url,
            kind: i.kind,
            categories: Vec::new(),
            tags: Vec::new(),
            flag: None,
            default_release_id: i.default_release_id.map(Into::into),
            default_release_channel: i.default_release_channel,
            repository_paths: i.repository_paths,
            default_schedule: i.default_schedule,
            schedule_choices: i.schedule_choices.into_iter().map(Into::into).collect(),
            schedule_randomization: i.schedule_randomization,
            missed: i.missed,
            debounce_ms: i.debounce_ms,
            concurrency_limit: i.concurrency_limit,
            timeout_seconds: i.timeout_seconds,
            memory_mb: i.memory_mb,
            retry: i.retry,
            egress: i.egress,
            egress_ports: i.egress_ports,
            poll_seconds: i.poll_seconds,
            polled_date: i.polled_at,
            poll_message: i.poll_message,
            local_run: i.local_run,
            paused: i.paused,
            target_url: i.target_url,
            archived: i.archived_at.is_some(),
            push_hook: None,
        }
    }
}

impl From<marquetry_model::Connector> for Connector {
    fn from(connector: marquetry_model::Connector) -> Self {
        Self {
            name: connector.name,
            is_global: connector.is_global,
        }
    }
}

impl From<NewConnector> for marquetry_model::Connector {
    fn from(connector: NewConnector) -> Self {
        Self {
            name: connector.name,
            is_global: connector.is_global,
        }
    }
}

impl From<marquetry_model::ScheduleChoice> for ScheduleChoice {
    fn from(choice: marquetry_model::ScheduleChoice) -> Self {
        Self {
            label: choice.label,
            cron: choice.cron,
        }
    }
}

impl From<ScheduleChoice> for marquetry_model::ScheduleChoice {
    fn from(choice: ScheduleChoice) -> Self {
        Self {
            label: choice.label,
            cron: choice.cron,
        }
    }
}
