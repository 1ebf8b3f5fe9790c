//! Gives each setting its type, and notes what is in effect.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread::available_parallelism;

use marquetry_sandbox::Pull;

use super::connectors;
use super::layers::{Layers, unknown_variables};
use super::values::{self, Wrong};
use super::{
    BlobsLocation, ConfigError, ContainerConfig, Effective, Environment, Fault, Hidden, Origin,
    Role, S3Config, SandboxMode, ServerConfig, spec,
};

const MOST_RUN_SLOTS: usize = 4096;
const MOST_BUILD_SLOTS: usize = 256;
const MOST_PRESTART: u64 = 256;

/// The whole configuration, or everything that is wrong with it.
pub(super) fn read(
    layers: &Layers,
    environment: &Environment,
    faults: Vec<Fault>,
) -> Result<ServerConfig, ConfigError> {
    let mut reader = Reader {
        layers,
        faults,
        effective: Vec::new(),
    };
    let config = reader.config(environment);
    reader.needs_key(&config);
    if reader.faults.is_empty() {
        Ok(ServerConfig {
            effective: reader.effective,
            ..config
        })
    } else {
        Err(ConfigError(reader.faults))
    }
}

pub(super) struct Reader<'a> {
    layers: &'a Layers,
    faults: Vec<Fault>,
    effective: Vec<Effective>,
}

impl Reader<'_> {
    /// All settings in the order of the table. Where one is wrong, its default stands in: the
    /// result is thrown away then, but the search for faults goes on.
    fn config(&mut self, environment: &Environment) -> ServerConfig {
        let processors = available_parallelism().map_or(1, usize::from);
        let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
        let listen = self.one("listen", listen, values::address);
        let data_dir = self.one("data_dir", PathBuf::from("./marquetry-data"), |text| {
            values::path(text)
        });
        let in_data_dir = |name: &str| data_dir.join(name);
        ServerConfig {
            listen,
            database_url: self.maybe("database_url", values::database_url),
            blobs: self.one(
                "blobs",
                BlobsLocation::Folder(in_data_dir("blobs")),
                values::blobs,
            ),
            s3: self.s3(environment),
            roles: self.roles(),
            run_slots: self.one("run_slots", processors * 4, |text| {
                values::slots(text, MOST_RUN_SLOTS)
            }),
            build_slots: self.one("build_slots", processors.div_ceil(2), |text| {
                values::slots(text, MOST_BUILD_SLOTS)
            }),
            prestart: self.one("prestart", 0, |text| {
                values::number(text, 0, MOST_PRESTART).map(|n| usize::try_from(n).unwrap_or(0))
            }),
            sandbox: self.one("sandbox", SandboxMode::Full, values::sandbox),
            containers: self.containers(),
            local_repositories: self.one(
                "local_repositories",
                in_data_dir("repositories"),
                values::path,
            ),
            connectors: self
                .maybe("connectors", connectors::read_folder)
                .unwrap_or_default(),
            outbound_allow: self.many("outbound_allow", values::network),
            allow_host_network: self.one("allow_host_network", false, values::switch),
            build_allow_hosts: self.many("build.allow_hosts", values::host),
            build_environment: self.many("build.environment", values::assignment),
            limits: self.limits(),
            toolchain_path: self.many("toolchain_path", values::folder),
            public_url: self.maybe("public_url", values::origin),
            marketplace_url: self.maybe("marketplace_url", values::origin),
            exmart_url: self.maybe("exmart_url", values::origin),
            admin_listen: self.maybe("admin_listen", values::address),
            trusted_proxies: self.many("trusted_proxies", values::network),
            master_key_file: self.maybe("master_key_file", values::master_key_file),
            other_master_key_files: self.many("other_master_key_file", values::master_key_file),
            master_key_command: self.maybe("master_key_command", values::text),
            environment: self.one("environment", "prod".to_owned(), values::environment),
            log: self.one("log", "info".to_owned(), values::log_filter),
            master_key: environment
                .get("MARQUETRY_MASTER_KEY")
                .filter(|key| !key.is_empty())
                .map(Hidden::new),
            bootstrap_api_key: environment
                .get("MARQUETRY_BOOTSTRAP_API_KEY")
                .filter(|key| !key.is_empty())
                .map(Hidden::new),
            unknown_variables: unknown_variables(environment),
            effective: Vec::new(),
            data_dir,
        }
    }

    /// Nodes of one database need one key, and a key that one of them made would be lost with it.
    fn needs_key(&mut self, config: &ServerConfig) {
        let is_named = config.master_key_file.is_some()
            || config.master_key.is_some()
            || config.master_key_command.is_some();
        // A file that is named and of no use is a fault of its own.
        if config.database_url.is_none() || is_named || self.origin("master_key_file").is_some() {
            return;
        }
        let origin = self.origin("database_url").unwrap_or(Origin::Default);
        let problem = "is missing, and with PostgreSQL no key is made".to_owned();
        let remedy = "make one with `marquetry keys master > FILE` and name the file for every node; or give \
                      MARQUETRY_MASTER_KEY or master_key_command"
            .to_owned();
        self.fault("master_key_file", &origin, (problem, remedy));
    }

    fn s3(&mut self, environment: &Environment) -> S3Config {
        S3Config {
            endpoint: self.maybe("s3.endpoint", values::origin),
            region: self.maybe("s3.region", values::text),
            access_key: self.maybe("s3.access_key", values::text),
            secret: self.maybe("s3.secret", |text| values::text(text).map(Hidden::new)),
            path_style: self.one("s3.path_style", true, values::switch),
            allow_http: self.one("s3.allow_http", false, values::switch),
            variables: environment
                .iter()
                .filter(|(name, _)| name.starts_with("AWS_"))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        }
    }

    /// An engine and the images for it: neither is of use alone.
    fn containers(&mut self) -> Option<ContainerConfig> {
        let engine = self.maybe("container_engine", values::text);
        let images = self.many("container_images", values::image);
        let runtime = self.maybe("container_runtime", values::text);
        let pull = self.one("container_pull", Pull::Missing, values::pull);
        let (lacking, said, remedy) = match (&engine, images.is_empty()) {
            (Some(_), true) => (
                "container_images",
                "container_engine",
                "name the image of each base, as node:20=docker.io/library/node:20-slim",
            ),
            (None, false) => (
                "container_engine",
                "container_images",
                "write podman or docker",
            ),
            (Some(_), false) | (None, true) => {
                return engine.map(|engine| ContainerConfig {
                    engine,
                    images,
                    runtime,
                    pull,
                });
            }
        };
        // One that was said and is of no use is a fault of its own.
        if self.origin(lacking).is_none() {
            let origin = self.origin(said).unwrap_or(Origin::Default);
            let problem = format!("is missing, and {said} is set");
            self.fault(lacking, &origin, (problem, remedy.to_owned()));
        }
        None
    }

    fn roles(&mut self) -> Vec<Role> {
        let mut roles = self.many("roles", values::role);
        roles.sort_unstable();
        roles.dedup();
        if roles.is_empty() {
            return Role::ALL.to_vec();
        }
        roles
    }

    /// A setting with one value and a default.
    pub(super) fn one<T: Shown>(
        &mut self,
        key: &'static str,
        default: T,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> T {
        match self.parsed(key, parse) {
            Some(value) => value,
            None => {
                self.note_default(key, default.shown());
                default
            }
        }
    }

    /// A setting with one value or none.
    fn maybe<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let value = self.parsed(key, parse);
        if value.is_none() {
            self.note_default(key, String::new());
        }
        value
    }

    /// A setting with any number of values.
    fn many<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, Wrong>) -> Vec<T> {
        let Some((texts, origin)) = self.layers.get(key) else {
            let everything = if key == "roles" {
                "api, scheduler, builder, runner"
            } else {
                ""
            };
            self.note_default(key, everything.to_owned());
            return Vec::new();
        };
        self.note(key, texts.join(", "), origin.clone());
        let mut found = Vec::with_capacity(texts.len());
        for text in texts {
            match parse(text) {
                Ok(value) => found.push(value),
                Err(why) => self.fault(key, origin, why),
            }
        }
        found
    }

    /// The value that was said; none when none was, or when it is wrong.
    fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let (texts, origin) = self.layers.get(key)?;
        let text = texts.first().map_or("", String::as_str);
        match parse(text) {
            Ok(value) => {
                self.note(key, text.to_owned(), origin.clone());
                Some(value)
            }
            Err(why) => {
                self.fault(key, origin, why);
                None
            }
        }
    }

    fn note_default(&mut self, key: &'static str, value: String) {
        self.note(key, value, Origin::Default);
    }

    fn note(&mut self, key: &'static str, value: String, origin: Origin) {
        let spec = spec::find(key);
        let secret = spec.is_some_and(|spec| spec.secret) && !value.is_empty();
        let said = origin != Origin::Default;
        let idle = said && spec.is_some_and(|spec| !spec.has_effect);
        self.effective.push(Effective {
            key,
            value: if secret { "********".to_owned() } else { value },
            origin,
            note: idle.then_some("no effect yet"),
        });
    }

    /// Where a setting was said; none: nobody did.
    pub(super) fn origin(&self, key: &str) -> Option<Origin> {
        self.layers.get(key).map(|(_, origin)| origin.clone())
    }

    pub(super) fn fault(&mut self, key: &str, origin: &Origin, (problem, remedy): Wrong) {
        self.faults.push(Fault {
            setting: key.to_owned(),
            origin: origin.clone(),
            problem,
            remedy,
        });
    }
}

/// A default as `config check` shows it.
pub(super) trait Shown {
    fn shown(&self) -> String;
}

impl Shown for SocketAddr {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for PathBuf {
    fn shown(&self) -> String {
        self.display().to_string()
    }
}

impl Shown for BlobsLocation {
    fn shown(&self) -> String {
        match self {
            Self::Folder(folder) => format!("file:{}", folder.display()),
            Self::S3(url) => url.clone(),
        }
    }
}

impl Shown for Pull {
    fn shown(&self) -> String {
        self.as_str().to_owned()
    }
}

impl Shown for SandboxMode {
    fn shown(&self) -> String {
        match self {
            Self::Full => "full",
            Self::Degraded => "degraded",
            Self::Off => "off",
        }
        .to_owned()
    }
}

impl Shown for usize {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for u64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for bool {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for String {
    fn shown(&self) -> String {
        self.clone()
    }
}
