//! Settings of a sandbox.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::containers::Containers;

/// How strictly children are confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Every part of the sandbox; where one is missing, [`crate::Sandbox::start`] fails.
    Full,
    /// The parts that this host offers; [`crate::Sandbox::report`] tells which are missing.
    Degraded,
    /// None: children are started directly. For trusted code and measurements.
    Off,
}

/// Settings of a sandbox.
#[derive(Debug, Clone)]
pub struct Config {
    /// How strictly children are confined.
    pub mode: Mode,
    /// Program that calls [`crate::helper_main`]; by default the running program itself.
    pub helper: Option<PathBuf>,
    /// Arguments that make it do so.
    pub helper_args: Vec<OsString>,
    /// Name of this server on this host: letters, digits, `-` and `_`. Control groups carry it, and
    /// leftovers of a killed server with the same name are removed at the start.
    pub instance: String,
    /// Further host folders that children see read-only at the same path.
    pub toolchain_paths: Vec<PathBuf>,
    /// Host paths that must not be visible even if they lie below a visible folder.
    pub hidden_paths: Vec<PathBuf>,
    /// Do without namespaces even where they work, in [`Mode::Degraded`] only: to see how
    /// integrations fare on a host that forbids them.
    pub without_namespaces: bool,
    /// What runs children that have an image ([`crate::Spec::image`]).
    pub containers: Option<Containers>,
    /// Existing folder of the server's own; used as a mount point in the spawner's namespace only.
    pub scratch_dir: PathBuf,
}

impl Config {
    /// Settings with the usual program and no further paths.
    pub fn new(mode: Mode, instance: impl Into<String>, scratch_dir: impl Into<PathBuf>) -> Self {
        Self {
            mode,
            helper: None,
            helper_args: vec![OsString::from("__sandbox")],
            instance: instance.into(),
            toolchain_paths: Vec::new(),
            hidden_paths: Vec::new(),
            without_namespaces: false,
            containers: None,
            scratch_dir: scratch_dir.into(),
        }
    }

    /// The program to start as spawner.
    pub(crate) fn helper_path(&self) -> PathBuf {
        self.helper
            .clone()
            .unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
    }
}
