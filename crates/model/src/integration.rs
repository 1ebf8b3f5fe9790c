//! An integration: where its code is and how it may run.

use serde::{Deserialize, Serialize};

use crate::release::Channel;
use crate::words::words;
use crate::{IntegrationId, ReleaseId, Timestamp};

words! {
    /// Whose code it is.
    IntegrationType {
        /// Code of the account, run here.
        Internal = "Internal",
        /// Elsewhere; only shown.
        External = "External",
        /// Of the platform.
        Pandium = "Pandium",
    }
}

words! {
    /// What a run's connections may reach.
    Egress {
        /// Public addresses, through the platform's relay.
        Public = "public",
        /// Only the hosts of its connectors.
        Connectors = "connectors",
        /// Nothing.
        None = "none",
        /// The node's own network; only where the operator allows it.
        Host = "host",
    }
}

words! {
    /// Whether the platform repeats a run that it lost itself.
    Retry {
        /// It does not.
        Never = "never",
        /// Once, when the node was lost.
        Platform = "platform",
    }
}

words! {
    /// What `user_schedule` loses on its way to `schedule`.
    Randomization {
        /// Nothing.
        Off = "off",
        /// The minute.
        Minute = "minute",
        /// The minute, and the hour of daily schedules.
        MinuteHour = "minute+hour",
    }
}

words! {
    /// What becomes of ticks of a schedule that passed while no server looked.
    Missed {
        /// The schedule fires once for all of them.
        Once = "once",
        /// They are skipped.
        Skip = "skip",
    }
}

words! {
    /// Whether a developer may run it with a tenant's credentials at home.
    LocalRun {
        /// No.
        Off = "off",
        /// Calls go through the platform.
        Proxy = "proxy",
        /// With the credentials themselves.
        Plain = "plain",
    }
}

/// A system that the integration talks to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connector {
    /// Its name, as `slack-oauth`.
    pub name: String,
    /// Whether all tenants share one connection.
    #[serde(rename = "isGlobal", default)]
    pub is_global: bool,
}

/// One of the schedules that a customer may choose from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleChoice {
    /// What the form shows.
    pub label: String,
    /// Five-field cron.
    pub cron: String,
}

/// An integration with all its settings. Defaults are those of the contract's create route.
#[derive(Debug, Clone, PartialEq)]
pub struct Integration {
    /// Its id.
    pub id: IntegrationId,
    /// Slug, unique among unarchived ones.
    pub name: String,
    /// For people.
    pub long_name: String,
    /// Whose code it is.
    pub kind: IntegrationType,
    /// Where the code is; none for external ones.
    pub repository_url: Option<String>,
    /// The branch whose builds are `Latest`.
    pub repository_tracking_branch: String,
    /// The manifest's place (folder or file) below the root; several give a release each.
    pub repository_paths: Vec<String>,
    /// Systems it talks to.
    pub connectors: Vec<Connector>,
    /// The release that `Default` means, when it is a fixed one.
    pub default_release_id: Option<ReleaseId>,
    /// The channel that `Default` means, when it is not a fixed release.
    pub default_release_channel: Option<Channel>,
    /// The schedule of a tenant that asks for none.
    pub default_schedule: Option<String>,
    /// What a customer may choose from.
    pub schedule_choices: Vec<ScheduleChoice>,
    /// What `user_schedule` loses on its way to `schedule`.
    pub schedule_randomization: Randomization,
    /// What becomes of ticks that passed while no server looked.
    pub missed: Missed,
    /// How long an idle tenant waits for further triggers, in milliseconds.
    pub debounce_ms: i64,
    /// The most live runs that it may have at once, on all nodes; none: as many as there are places.
    pub concurrency_limit: Option<i64>,
    /// Time limit of a run, in seconds.
    pub timeout_seconds: i64,
    /// Memory limit of a run, in MiB.
    pub memory_mb: i64,
    /// Whether a run lost by the platform is repeated.
    pub retry: Retry,
    /// What runs may reach.
    pub egress: Egress,
    /// Ports beyond the usual ones.
    pub egress_ports: Vec<u16>,
    /// How often the tracking branch is looked at, in seconds; none: never.
    pub poll_seconds: Option<i64>,
    /// Whether developers may run it at home.
    pub local_run: LocalRun,
    /// Whether nothing of it runs.
    pub paused: bool,
    /// Where an external one lives.
    pub target_url: Option<String>,
    /// When the tracking branch was last looked at.
    pub polled_at: Option<Timestamp>,
    /// Why that look did not see its head.
    pub poll_message: Option<String>,
    /// The number of the present address and secret of its push hook.
    pub push_hook_generation: i64,
    /// When it was archived.
    pub archived_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub modified_at: Timestamp,
}

impl Integration {
    /// A new one with the contract's defaults; the id is the database's to give.
    pub fn new(name: String, long_name: String, now: Timestamp) -> Self {
        Self {
            id: IntegrationId::new(0),
            name,
            long_name,
            kind: IntegrationType::Internal,
            repository_url: None,
            repository_tracking_branch: "main".to_owned(),
            repository_paths: vec!["PANDIUM.yaml".to_owned()],
            connectors: Vec::new(),
            default_release_id: None,
            default_release_channel: Some(Channel::Latest),
            default_schedule: None,
            schedule_choices: Vec::new(),
            schedule_randomization: Randomization::Minute,
            missed: Missed::Once,
            debounce_ms: 0,
            concurrency_limit: None,
            timeout_seconds: 600,
            memory_mb: 1024,
            retry: Retry::Never,
            egress: Egress::Public,
            egress_ports: Vec::new(),
            poll_seconds: None,
            local_run: LocalRun::Off,
            paused: false,
            target_url: None,
            polled_at: None,
            poll_message: None,
            push_hook_generation: 0,
            archived_at: None,
            created_at: now,
            modified_at: now,
        }
    }
}
