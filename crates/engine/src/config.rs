//! What the operator chose for this node.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::images::Images;
use marquetry_outbound::{AddressPolicy, Resolver};

/// Settings of one node's engine.
#[derive(Debug, Clone)]
pub struct Config {
    /// The node's name: the same after a restart, so that it can close what it left open.
    pub node: String,
    /// What the node does.
    pub roles: Roles,
    /// Runs at once.
    pub run_slots: usize,
    /// Builds at once.
    pub build_slots: usize,
    /// Scratch of runs and builds; emptied at start.
    pub work_dir: PathBuf,
    /// Scratch in memory for what is small and short-lived; emptied at start.
    pub memory_dir: Option<PathBuf>,
    /// Package caches, one folder for each integration.
    pub cache_dir: PathBuf,
    /// `PATH` of code where the sandbox has no root of its own; inside one it is fixed.
    pub host_path: OsString,
    /// In which image code of each base is built and run; none: in the process sandbox.
    pub images: Images,
    /// Folders of toolchains besides the system's; programs are found in `bin` below them.
    pub toolchain_paths: Vec<PathBuf>,
    /// Whether processes can outlive the server: not where it is the first process of a container, with which all end.
    pub outlived: bool,
    /// A lease holds this long without a heartbeat.
    pub lease: Duration,
    /// Which addresses runs and builds may reach.
    pub policy: Arc<AddressPolicy>,
    /// Who resolves names for them.
    pub resolver: Arc<Resolver>,
    /// Limits of runs.
    pub run: RunSettings,
    /// Limits of builds.
    pub build: BuildSettings,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Makes runs of what waits, and closes what lost nodes left.
    pub scheduler: bool,
    /// Builds releases.
    pub builder: bool,
    /// Executes runs.
    pub runner: bool,
}

/// Limits of runs; time and memory are the integration's own.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// Between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// Processes and threads.
    pub processes: u32,
    /// Open files of one process.
    pub open_files: u32,
    /// Bytes in the home folder and `/tmp` together.
    pub disk_bytes: u64,
    /// Bytes of the last line of stdout.
    pub stdout_bytes: usize,
    /// Bytes of the log that are kept.
    pub log_bytes: u64,
    /// The most interpreters that stand ready for a next run; 0: none is started ahead.
    pub prestart: usize,
}

/// Limits of builds.
#[derive(Debug, Clone)]
pub struct BuildSettings {
    /// The longest that a build takes.
    pub timeout: Duration,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u32,
    /// Bytes of the built folder.
    pub artifact_bytes: u64,
    /// Bytes of an integration's package cache.
    pub cache_bytes: u64,
    /// Bytes of the log that are kept.
    pub log_bytes: u64,
    /// Hosts that builds may reach although their addresses are not public.
    pub allow_hosts: Vec<String>,
    /// Variables of every build: proxies, mirrors, certificates.
    pub environment: Vec<(String, String)>,
}
