//! Runs: one execution of a release for a tenant.

use crate::{Given, IntegrationId, Mode, Phase, ReleaseId, RunId, TenantId, Timestamp};

/// What a run used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunUsage {
    /// Processor time of the whole process tree, in milliseconds.
    pub cpu_ms: i64,
    /// Largest resident size, in bytes.
    pub max_rss_bytes: i64,
    /// Size of the log, in bytes.
    pub log_bytes: i64,
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// For whom.
    pub tenant_id: TenantId,
    /// Of what.
    pub integration_id: IntegrationId,
    /// The release, resolved when the run was made.
    pub release_id: ReleaseId,
    /// How it shall behave.
    pub mode: Mode,
    /// Where it is.
    pub phase: Phase,
    /// What there is to say about its end.
    pub message: Option<String>,
    /// The exit code, when the process had one.
    pub exit_code: Option<i64>,
    /// The last non-empty line of stdout.
    pub std_out: Option<String>,
    /// How often it was claimed; the fence against a node that comes back late.
    pub attempt: i64,
    /// The run that it repeats.
    pub rerun_of: Option<RunId>,
    /// Whether later runs see what it prints; only of a rerun it may be false.
    pub is_saved: bool,
    /// The version of the tenant's settings that it has; none: settings that were written by hand,
    /// or it is older than versions are.
    pub configs_version: Option<i64>,
    /// The state that it was given.
    pub given: Given,
    /// The node that has it.
    pub node: Option<String>,
    /// Whether somebody asked to stop it.
    pub cancel_requested: bool,
    /// What it used.
    pub usage: RunUsage,
    /// Where its log lies once it was moved out of the database.
    pub log_blob: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

/// How a run ended, as its node reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// A final phase.
    pub phase: Phase,
    /// What there is to say about it.
    pub message: Option<String>,
    /// The exit code, when the process had one.
    pub exit_code: Option<i64>,
    /// The last non-empty line of stdout.
    pub std_out: Option<String>,
    /// What it used.
    pub usage: RunUsage,
}

impl Outcome {
    /// A run that the platform could not carry through.
    pub fn platform(message: impl Into<String>) -> Self {
        Self {
            phase: Phase::FailedPlatform,
            message: Some(message.into()),
            exit_code: None,
            std_out: None,
            usage: RunUsage::default(),
        }
    }
}
