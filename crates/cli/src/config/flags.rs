//! The server's flags. They are taken as text: the same code that checks the file checks them,
//! and all faults are told at once.

use std::path::PathBuf;

use clap::Args;

/// Settings of the server. Each may also be said in the environment (as MARQUETRY_RUN_SLOTS) or in
/// a TOML file (as run_slots = 4); flags win over the environment, the environment over the file.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server settings")]
pub(crate) struct ServerFlags {
    /// A TOML file with settings.
    #[arg(long, value_name = "FILE", env = "MARQUETRY_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Where to answer HTTP [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<String>,
    /// Where to keep database, key, repositories and scratch space [default: ./marquetry-data].
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<String>,
    /// A PostgreSQL database instead of SQLite in the data folder.
    ///
    /// A flag can be read by everybody on the machine: say a URL with a password in the
    /// environment or in the file.
    #[arg(long, value_name = "postgres://…")]
    pub(super) database_url: Option<String>,
    /// Where to keep artifacts, logs and payloads [default: file:<data-dir>/blobs].
    #[arg(long, value_name = "file:DIR|s3://BUCKET/PREFIX")]
    pub(super) blobs: Option<String>,
    /// What runs on this node [default: all of api,scheduler,builder,runner].
    #[arg(long, value_name = "ROLE,…", value_delimiter = ',')]
    pub(super) roles: Vec<String>,
    /// How many runs at the same time [default: 4 for each processor].
    #[arg(long, value_name = "N")]
    pub(super) run_slots: Option<String>,
    /// How many builds at the same time [default: half as many as processors].
    #[arg(long, value_name = "N")]
    pub(super) build_slots: Option<String>,
    /// Interpreters (Node, Python) that are started ahead and wait for the next run of an integration
    /// that runs often: none sees two runs. Needs the full sandbox; 0 to 256 [default: 0].
    #[arg(long, value_name = "N")]
    pub(super) prestart: Option<String>,
    /// `full` refuses to run code where a part of the sandbox is missing, `degraded` runs with what
    /// there is and says so in every log, `off` is for trusted code only [default: full].
    #[arg(long, value_name = "full|degraded|off")]
    pub(super) sandbox: Option<String>,
    /// Build and run code in containers of this engine: `podman`, `docker`, or a path to one. Git stays in the
    /// sandbox [default: none, everything runs in the sandbox].
    #[arg(long, value_name = "ENGINE")]
    pub(super) container_engine: Option<String>,
    /// The image of a base, as node:20=docker.io/library/node:20-slim or python=registry.example.com/python:{version};
    /// may be repeated.
    #[arg(long, value_name = "BASE=IMAGE", value_delimiter = ',')]
    pub(super) container_images: Vec<String>,
    /// The engine's OCI runtime, as runc [default: the engine's own choice].
    #[arg(long, value_name = "NAME")]
    pub(super) container_runtime: Option<String>,
    /// Whether the engine fetches an image that this machine does not have [default: missing].
    #[arg(long, value_name = "missing|never")]
    pub(super) container_pull: Option<String>,
    /// Only below this folder may a repository be a local path [default: <data-dir>/repositories].
    #[arg(long, value_name = "DIR")]
    pub(super) local_repositories: Option<String>,
    /// A folder with definitions of connectors, NAME.json each: further ones, or in place of the shipped ones.
    #[arg(long, value_name = "DIR")]
    pub(super) connectors: Option<String>,
    /// Addresses that runs, and the platform's own calls to connected systems, may reach besides public ones, as
    /// 10.1.0.0/16; may be repeated.
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub(super) outbound_allow: Vec<String>,
    /// Let integrations ask for the node's own network (egress: host).
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) allow_host_network: Option<String>,
    /// Hosts that builds may reach although their addresses are not public, such as a package
    /// mirror; may be repeated.
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub(super) build_allow_hosts: Vec<String>,
    /// A folder with a toolchain, or with versions of one to choose from, that builds and runs see,
    /// read only, before the system's own; may be repeated.
    #[arg(long, value_name = "DIR", value_delimiter = ',')]
    pub(super) toolchain_path: Vec<String>,
    /// Where clients reach this server, as https://marquetry.example.com.
    #[arg(long, value_name = "URL")]
    pub(super) public_url: Option<String>,
    /// Where customers reach the marketplace (no effect yet).
    #[arg(long, value_name = "URL")]
    pub(super) marketplace_url: Option<String>,
    /// Where other marketplaces reach this server (no effect yet).
    #[arg(long, value_name = "URL")]
    pub(super) exmart_url: Option<String>,
    /// An address of its own for metrics, docs and health (no effect yet).
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) admin_listen: Option<String>,
    /// Proxies whose word about the caller's address is believed (no effect yet); may be repeated.
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub(super) trusted_proxies: Vec<String>,
    /// A file with the master key that secrets are sealed with; make one with `marquetry keys master` [default with
    /// SQLite: <data-dir>/master.key, made on first start].
    #[arg(long, value_name = "FILE")]
    pub(super) master_key_file: Option<String>,
    /// A file with another master key, which opens what the first does not: the former one or the next, while they
    /// are exchanged (see `marquetry keys rotate`); may be repeated.
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub(super) other_master_key_file: Vec<String>,
    /// A command of the shell that prints the master key, where it lies in no file.
    #[arg(long, value_name = "COMMAND")]
    pub(super) master_key_command: Option<String>,
    /// What runs are told in PAN_CTX_ENV [default: prod].
    #[arg(long, value_name = "NAME")]
    pub(super) environment: Option<String>,
    /// Which log lines to write, as `info` or `info,marquetry_engine=debug` [default: info].
    #[arg(long, value_name = "FILTER")]
    pub(super) log: Option<String>,
}

impl ServerFlags {
    /// The values said for a flag; empty: nothing was said.
    pub(super) fn values(&self, flag: &str) -> Vec<String> {
        let one = |value: &Option<String>| value.iter().cloned().collect();
        match flag {
            "listen" => one(&self.listen),
            "data-dir" => one(&self.data_dir),
            "database-url" => one(&self.database_url),
            "blobs" => one(&self.blobs),
            "roles" => self.roles.clone(),
            "run-slots" => one(&self.run_slots),
            "build-slots" => one(&self.build_slots),
            "prestart" => one(&self.prestart),
            "sandbox" => one(&self.sandbox),
            "container-engine" => one(&self.container_engine),
            "container-images" => self.container_images.clone(),
            "container-runtime" => one(&self.container_runtime),
            "container-pull" => one(&self.container_pull),
            "local-repositories" => one(&self.local_repositories),
            "connectors" => one(&self.connectors),
            "outbound-allow" => self.outbound_allow.clone(),
            "allow-host-network" => one(&self.allow_host_network),
            "build-allow-hosts" => self.build_allow_hosts.clone(),
            "toolchain-path" => self.toolchain_path.clone(),
            "public-url" => one(&self.public_url),
            "marketplace-url" => one(&self.marketplace_url),
            "exmart-url" => one(&self.exmart_url),
            "admin-listen" => one(&self.admin_listen),
            "trusted-proxies" => self.trusted_proxies.clone(),
            "master-key-file" => one(&self.master_key_file),
            "other-master-key-file" => self.other_master_key_file.clone(),
            "master-key-command" => one(&self.master_key_command),
            "environment" => one(&self.environment),
            "log" => one(&self.log),
            _ => Vec::new(),
        }
    }
}
