//! The limits: each a number in a range.

use super::Origin;
use super::read::Reader;
use super::values;

/// Bounds that protect the platform and its tenants from each other. MiB and KiB are binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitConfig {
    /// How long a run of a new integration may take; each integration can say otherwise.
    pub(crate) run_timeout_s: u64,
    /// The longest time that an integration may ask for.
    pub(crate) run_max_timeout_s: u64,
    /// Between SIGTERM and SIGKILL.
    pub(crate) run_grace_s: u64,
    /// Memory of a run of a new integration, in MiB; each integration can say otherwise.
    pub(crate) run_memory_mb: u64,
    /// The most memory that an integration may ask for, in MiB.
    pub(crate) run_max_memory_mb: u64,
    /// Processes and threads of a run.
    pub(crate) run_processes: u64,
    /// Open files of each process of a run.
    pub(crate) run_open_files: u64,
    /// What a run may write in its home and /tmp together, in MiB.
    pub(crate) run_disk_mb: u64,
    /// The longest last line of stdout that is kept, in KiB; an environment string cannot be longer than 128 KiB.
    pub(crate) run_stdout_kb: u64,
    /// How much of the log of a run is kept, in MiB.
    pub(crate) run_log_mb: u64,
    /// How long a build may take.
    pub(crate) build_timeout_s: u64,
    /// Memory of a build, in MiB.
    pub(crate) build_memory_mb: u64,
    /// Processes and threads of a build.
    pub(crate) build_processes: u64,
    /// The largest folder that a build may make, in MiB.
    pub(crate) build_artifact_mb: u64,
    /// The package cache of each integration, in MiB.
    pub(crate) build_cache_mb: u64,
    /// How much of the log of a build is kept, in MiB.
    pub(crate) build_log_mb: u64,
    /// The largest body of a request, in MiB.
    pub(crate) body_mb: u64,
    /// Triggers that may wait for one tenant; further ones are answered 429.
    pub(crate) waiting_triggers: u64,
    /// Triggers that one run takes at most.
    pub(crate) bundle_triggers: u64,
    /// Unpacked releases that a node keeps, in MiB; those in use stay whatever their size.
    pub(crate) artifact_cache_mb: u64,
    /// The largest archive that is taken for a build, in MiB.
    pub(crate) upload_mb: u64,
    /// How long runs are kept, with triggers, payloads and logs, in days.
    pub(crate) runs_days: u64,
    /// How long bodies of webhooks are, in days.
    pub(crate) webhook_bodies_days: u64,
    /// How long notes of what was decided against are, in days.
    pub(crate) decisions_days: u64,
    /// How long logs of builds are, in days.
    pub(crate) build_logs_days: u64,
    /// How long artifacts of releases that nothing uses are, in days.
    pub(crate) artifacts_days: u64,
}

impl Reader<'_> {
    /// All limits in the order of the table.
    pub(super) fn limits(&mut self) -> LimitConfig {
        let limits = LimitConfig {
            run_timeout_s: self.number("run.timeout_seconds", 600, 1, 86_400),
            run_max_timeout_s: self.number("run.max_timeout_seconds", 86_400, 1, 86_400),
            run_grace_s: self.number("run.grace_seconds", 10, 0, 300),
            run_memory_mb: self.number("run.memory_mb", 1_024, 16, 1_048_576),
            run_max_memory_mb: self.number("run.max_memory_mb", 65_536, 16, 1_048_576),
            run_processes: self.number("run.processes", 256, 8, 65_536),
            run_open_files: self.number("run.open_files", 1_024, 64, 1_048_576),
            run_disk_mb: self.number("run.disk_mb", 512, 1, 1_048_576),
            run_stdout_kb: self.number("run.stdout_kb", 120, 1, 120),
            run_log_mb: self.number("run.log_mb", 50, 1, 512),
            build_timeout_s: self.number("build.timeout_seconds", 1_800, 1, 86_400),
            build_memory_mb: self.number("build.memory_mb", 4_096, 64, 1_048_576),
            build_processes: self.number("build.processes", 2_048, 8, 65_536),
            build_artifact_mb: self.number("build.artifact_mb", 1_024, 1, 1_048_576),
            build_cache_mb: self.number("build.cache_mb", 5_120, 1, 1_048_576),
            build_log_mb: self.number("build.log_mb", 50, 1, 512),
            body_mb: self.number("limits.body_mb", 6, 1, 64),
            waiting_triggers: self.number("limits.waiting_triggers", 10_000, 1, 1_000_000),
            bundle_triggers: self.number("limits.bundle_triggers", 1_000, 1, 1_000),
            artifact_cache_mb: self.number("limits.artifact_cache_mb", 10_240, 1, 1_048_576),
            upload_mb: self.number("limits.upload_mb", 100, 1, 10_240),
            runs_days: self.number("retention.runs_days", 90, 1, 36_500),
            webhook_bodies_days: self.number("retention.webhook_bodies_days", 14, 1, 36_500),
            decisions_days: self.number("retention.decisions_days", 30, 1, 36_500),
            build_logs_days: self.number("retention.build_logs_days", 90, 1, 36_500),
            artifacts_days: self.number("retention.artifacts_days", 365, 1, 36_500),
        };
        self.not_above(
            ("run.timeout_seconds", limits.run_timeout_s),
            ("run.max_timeout_seconds", limits.run_max_timeout_s),
        );
        self.not_above(
            ("run.memory_mb", limits.run_memory_mb),
            ("run.max_memory_mb", limits.run_max_memory_mb),
        );
        limits
    }

    fn number(&mut self, key: &'static str, default: u64, least: u64, most: u64) -> u64 {
        self.one(key, default, |text| values::number(text, least, most))
    }

    /// A default that no integration could ask for is a contradiction.
    fn not_above(&mut self, (key, value): (&'static str, u64), (other, most): (&str, u64)) {
        if value <= most {
            return;
        }
        let origin = self.origin(key).or_else(|| self.origin(other));
        let problem = format!("{value} is more than {other}, which is {most}");
        let remedy = format!("lower {key} or raise {other}");
        self.fault(key, &origin.unwrap_or(Origin::Default), (problem, remedy));
    }
}
