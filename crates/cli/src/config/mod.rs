//! The server's configuration: from flags, environment and file to one checked struct.
//!
//! Each setting stands once in the table of [`spec`]; [`layers`] finds its strongest value and
//! remembers where it came from; [`read`] gives it its type. All faults are found in one pass, so
//! that nobody mends a configuration one restart at a time.

mod connectors;
#[cfg(test)]
mod document;
mod file;
mod flags;
mod layers;
mod limits;
mod read;
mod report;
mod spec;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use marquetry_app::connectors::Files;
use marquetry_sandbox::Pull;
use url::Url;

pub(crate) use flags::ServerFlags;
pub(crate) use limits::LimitConfig;
pub(crate) use report::{print_effective, print_faults};

/// The variables of the process's environment, handed in by `main`.
pub(crate) type Environment = BTreeMap<String, String>;

/// What runs on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Answers HTTP.
    Api,
    /// Bundles triggers into runs and minds the schedules.
    Scheduler,
    /// Builds releases.
    Builder,
    /// Executes runs.
    Runner,
}

impl Role {
    /// All of them, in their order.
    pub(crate) const ALL: [Self; 4] = [Self::Api, Self::Scheduler, Self::Builder, Self::Runner];

    /// The word for it in settings and answers.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Scheduler => "scheduler",
            Self::Builder => "builder",
            Self::Runner => "runner",
        }
    }
}

/// What runs code in containers.
#[derive(Debug, Clone)]
pub(crate) struct ContainerConfig {
    /// `podman`, `docker`, or a path to one.
    pub engine: String,
    /// Assignments such as `node:20=IMAGE`, each of which is one.
    pub images: Vec<String>,
    /// The engine's OCI runtime; its own choice without.
    pub runtime: Option<String>,
    /// When the engine fetches images.
    pub pull: Pull,
}

/// How much of the sandbox must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SandboxMode {
    /// Refuses to run code where a part is missing.
    Full,
    /// Runs with what there is, and says so in every log.
    Degraded,
    /// None at all: for benchmarks and trusted code.
    Off,
}

/// Where artifacts, large logs and payloads are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BlobsLocation {
    /// A folder of this node.
    Folder(PathBuf),
    /// `s3://BUCKET/PREFIX`, as it was written.
    S3(String),
}

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hidden(String);

impl Hidden {
    /// Hides `text`.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; not for logs or messages.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

/// How to reach an S3-compatible bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct S3Config {
    /// The server's URL; none means Amazon's for the region.
    pub endpoint: Option<Url>,
    /// The region.
    pub region: Option<String>,
    /// The access key's id.
    pub access_key: Option<String>,
    /// The access key's secret.
    pub secret: Option<Hidden>,
    /// Whether the bucket stands in the URL's path or in its host name.
    pub path_style: bool,
    /// Whether an `http://` endpoint is accepted.
    pub allow_http: bool,
    /// The `AWS_*` variables of the environment; what is set above wins over them.
    pub variables: BTreeMap<String, String>,
}

/// Everything the operator chose. Paths are as written, relative ones to the current folder.
#[expect(dead_code, reason = "read where the server is wired in")]
#[derive(Debug, Clone)]
pub(crate) struct ServerConfig {
    /// Where HTTP is answered.
    pub listen: SocketAddr,
    /// Where the node keeps its files: database, key, repositories, scratch space.
    pub data_dir: PathBuf,
    /// A PostgreSQL URL; none means SQLite in the data folder.
    pub database_url: Option<Hidden>,
    /// Where blobs are kept.
    pub blobs: BlobsLocation,
    /// How to reach the bucket, where blobs are kept in one.
    pub s3: S3Config,
    /// What runs on this node, in order, each once.
    pub roles: Vec<Role>,
    /// Runs at the same time, 1 to 4096.
    pub run_slots: usize,
    /// Builds at the same time, 1 to 256.
    pub build_slots: usize,
    /// The most interpreters that stand ready for a next run.
    pub prestart: usize,
    /// How much of the sandbox must be there.
    pub sandbox: SandboxMode,
    /// What runs code in containers; none: all of it runs in the sandbox.
    pub containers: Option<ContainerConfig>,
    /// Only below this folder may a repository be a local path.
    pub local_repositories: PathBuf,
    /// Definitions of connectors from the operator's folder.
    pub connectors: Files,
    /// Addresses that runs may reach besides the public ones.
    pub outbound_allow: Vec<IpNet>,
    /// Whether integrations may ask for the node's own network (`egress: host`).
    pub allow_host_network: bool,
    /// Hosts that builds may reach although their addresses are not public.
    pub build_allow_hosts: Vec<String>,
    /// Variables of every build, such as proxies, mirrors and certificates.
    pub build_environment: Vec<(String, String)>,
    /// The limits.
    pub limits: LimitConfig,
    /// Folders of toolchains that runs and builds see, read only, besides the system's own.
    pub toolchain_path: Vec<PathBuf>,
    /// Where clients reach the API, without a slash at the end.
    pub public_url: Option<Url>,
    /// Where the marketplace is reached. No effect yet.
    pub marketplace_url: Option<Url>,
    /// Where external marketplaces reach us. No effect yet.
    pub exmart_url: Option<Url>,
    /// An address of its own for metrics, docs and health. No effect yet.
    pub admin_listen: Option<SocketAddr>,
    /// Proxies whose `X-Forwarded-For` is believed. No effect yet.
    pub trusted_proxies: Vec<IpNet>,
    /// The file of the master key; none: with SQLite it is made in the data folder.
    pub master_key_file: Option<PathBuf>,
    /// Files of further master keys, while they are exchanged.
    pub other_master_key_files: Vec<PathBuf>,
    /// What runs are told in `PAN_CTX_ENV`.
    pub environment: String,
    /// Which log lines are written, as `info` or `info,marquetry_engine=debug`.
    pub log: String,
    /// The master key itself (environment only); the file goes before it.
    pub master_key: Option<Hidden>,
    /// A command of the shell that prints the master key.
    pub master_key_command: Option<String>,
    /// The first API key, instead of a random one (environment only).
    pub bootstrap_api_key: Option<Hidden>,
    /// Variables that look like settings but are none: mistypings, most likely.
    pub unknown_variables: Vec<String>,
    /// Each setting in effect with its origin, for `config check`.
    effective: Vec<Effective>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag of the command line.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
    /// A line of the configuration file, counted from 1.
    File {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "--{name}"),
            Self::Variable(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A setting in effect, as `config check` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Effective {
    key: &'static str,
    /// Masked where it is a secret.
    value: String,
    origin: Origin,
    note: Option<&'static str>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The setting's name in the file, as `build.allow_hosts`.
    pub setting: String,
    /// Where it was said.
    pub origin: Origin,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            setting,
            origin,
            problem,
            remedy,
        } = self;
        write!(f, "{setting} ({origin}): {problem}; {remedy}")
    }
}

/// Everything that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} {}", .0.len(), if .0.len() == 1 { "fault" } else { "faults" })]
pub(crate) struct ConfigError(pub Vec<Fault>);

impl ServerConfig {
    /// Reads flags over environment over file, and finds all faults at once.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the settings.
    pub(crate) fn load(
        flags: &ServerFlags,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let (layers, faults) = layers::Layers::gather(flags, environment);
        read::read(&layers, environment, faults)
    }
}

#[cfg(test)]
mod tests;
