//! What to start, and how it ended.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::containers::Image;

/// Home folder of the child inside its own root; private, writable, gone at the end.
pub const HOME: &str = "/home/integration";

/// Folder for temporary files inside the child's own root; private, writable, gone at the end.
pub const TMP: &str = "/tmp";

/// Name of the user (uid and gid 1000) that the child runs as inside its own root.
pub const USER: &str = "integration";

/// Stands in a child's `PATH` for the folders that its image has in its own.
pub const IMAGE_PATH: &str = "/.image-path";

/// One child process to start.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Image of the container that it runs in, by [`crate::Sandbox::prepare`]; without one it runs in the process
    /// sandbox. An image needs `/bin/sh` and `cat`, and `env` for variables with names that no shell knows.
    ///
    /// In a container, sources of read-only mounts must be readable by everybody where the server is root, and the
    /// image's own variables are there too.
    pub image: Option<Image>,
    /// Program and its arguments. The program is an absolute path, or a name that is looked up in
    /// the `PATH` of `environment`.
    pub command: Vec<OsString>,
    /// The whole environment: nothing is added, nothing is inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// Folder the command starts in; an inside path where the sandbox has its own root
    /// ([`crate::Sandbox::has_own_root`]), else a host path.
    pub working_dir: PathBuf,
    /// Host folders and files the child may see besides the system's.
    pub mounts: Vec<Mount>,
    /// Resource limits.
    pub limits: Limits,
    /// What the child may connect to.
    pub network: Network,
    /// Time until everything is killed unless [`crate::Child::extend_lease`] moves it.
    pub lease: Duration,
}

/// A host folder or file made visible to the child.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Host path; must exist.
    pub source: PathBuf,
    /// Path inside. Target names are shared by all children of a sandbox (their contents are not),
    /// so they should be fixed names such as `/integration/source`.
    pub target: PathBuf,
    /// Whether the child may write there.
    pub access: Access,
}

/// What a child may do with a [`Mount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read and execute.
    ReadOnly,
    /// Read, write and execute. What is written stays on the host and belongs to the server's user.
    ReadWrite {
        /// Size of the whole folder in bytes at which the child is killed ([`Cause::DiskLimit`]).
        max_bytes: Option<u64>,
    },
}

/// Resource limits of one child and everything it starts.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Memory of all processes together, in bytes.
    pub memory_bytes: u64,
    /// Number of processes and threads.
    pub processes: u32,
    /// Open file descriptors of each process.
    pub open_files: u32,
    /// Bytes in the home folder, `/tmp` and `/dev/shm` together (own root only); in a container, in each of them.
    pub disk_bytes: u64,
}

/// What a child may connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// Nothing but its own loopback.
    None,
    /// Whatever the host can reach.
    Host,
    /// Its own network in which every address is local: connections to `ports`, and DNS, arrive at
    /// the sockets of [`crate::EgressSockets`] with their destination; all others are refused. The
    /// child cannot listen on these ports itself, not even on loopback; they are taken.
    Relayed {
        /// TCP ports; 53 is always added.
        ports: Vec<u16>,
    },
}

/// How a child ended. When this is known, all its processes are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Exit code or signal of the command itself.
    pub status: Status,
    /// Why it ended.
    pub cause: Cause,
    /// What it used.
    pub usage: Usage,
}

/// How the command's own process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code. 126 and 127 also mean that it could not be started.
    Exited(i32),
    /// It was ended by this signal; in a container that is 128 and its number as an exit code.
    Signalled(i32),
}

/// Why a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// By itself.
    Own,
    /// The kernel or the watchdog ended a process of it for the memory limit.
    MemoryLimit,
    /// A writable mount grew over its limit.
    DiskLimit,
    /// The lease passed.
    LeaseEnded,
    /// [`crate::Child::kill`], or the [`crate::Child`] was dropped.
    Killed,
    /// The sandbox could not be set up; the command never started. The text names the step.
    SetupFailed(String),
    /// It vanished without a report, for example because the spawner was killed.
    Lost,
}

/// Resources used by a child and its descendants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in user and system mode, in milliseconds.
    pub cpu_ms: u64,
    /// Largest resident set of any single process, in bytes; in a container, of all together, with what they wrote
    /// to memory file systems.
    pub max_rss_bytes: u64,
}
