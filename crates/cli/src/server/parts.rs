//! From the configuration to the parts that the server is made of.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use marquetry_app::retention::Retention;
use marquetry_app::{App, Limits, Settings};
use marquetry_blobs::{ArtifactCache, Blobs, ExtractLimits, S3Settings};
use marquetry_engine::{About, BuildSettings, Config, Images, Prepared, Roles, RunSettings};
use marquetry_model::SystemClock;
use marquetry_outbound::{AddressPolicy, HttpClient, Resolver};
use marquetry_sandbox::{Containers, Mode, Sandbox};
use marquetry_store::{Options, Store};

use marquetry_web::WebConfig;

use super::folder::DataFolder;
use super::master_key;
use crate::config::{BlobsLocation, ContainerConfig, LimitConfig, Role, SandboxMode, ServerConfig};

/// Connections that read from SQLite at once: more than the cores that would use them help no one.
const READERS: usize = 4;
/// Connections to PostgreSQL.
const CONNECTIONS: usize = 16;
/// A run or build whose node gives no sign of life for so long is closed.
const LEASE: Duration = Duration::from_secs(30);

pub(super) async fn app(config: &ServerConfig, folder: &DataFolder) -> anyhow::Result<Arc<App>> {
    let options = match &config.database_url {
        Some(url) => Options::Postgres {
            url: url.reveal().to_owned(),
            connections: CONNECTIONS,
        },
        None => Options::Sqlite {
            folder: folder.path.clone(),
            readers: READERS,
        },
    };
    let clock = Arc::new(SystemClock);
    let now = marquetry_model::Clock::now(&*clock);
    let store = Store::open(&options, now)
        .await
        .context("cannot open the database")?;
    let repositories = &config.local_repositories;
    std::fs::create_dir_all(repositories)
        .with_context(|| format!("cannot make {}", repositories.display()))?;
    let master = master_key::find(config, folder)?;
    let settings = Settings {
        master_key: Arc::clone(&master.key),
        other_master_keys: master_key::others(config)?,
        environment: config.environment.clone(),
        local_repositories: repositories.canonicalize()?,
        public_url: config
            .public_url
            .as_ref()
            .map(|url| url.as_str().trim_end_matches('/').to_owned()),
        host_network_allowed: config.allow_host_network,
        uploads_dir: folder.emptied("uploads")?,
        connectors: config.connectors.clone(),
        limits: limits(config),
        retention: retention(&config.limits),
    };
    let policy = AddressPolicy::opening(config.outbound_allow.clone());
    let http = HttpClient::new(policy, Arc::new(Resolver::system()))
        .context("cannot set up the way to connected systems")?;
    let app = App::new(store, blobs(config)?, http, clock, settings).await?;
    master.keep()?;
    Ok(app)
}

fn limits(config: &ServerConfig) -> Limits {
    let limits = &config.limits;
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Limits {
        waiting_per_tenant: signed(limits.waiting_triggers),
        most_in_bundle: size(limits.bundle_triggers),
        usual_run_s: signed(limits.run_timeout_s),
        longest_run_s: signed(limits.run_max_timeout_s),
        usual_memory_mb: signed(limits.run_memory_mb),
        most_memory_mb: signed(limits.run_max_memory_mb),
        upload_bytes: limits.upload_mb << 20,
        ..Limits::default()
    }
}

fn retention(limits: &LimitConfig) -> Retention {
    let days = |days: u64| Duration::from_secs(days.saturating_mul(24 * 3600));
    Retention {
        runs: days(limits.runs_days),
        webhook_bodies: days(limits.webhook_bodies_days),
        decisions: days(limits.decisions_days),
        build_logs: days(limits.build_logs_days),
        artifacts: days(limits.artifacts_days),
    }
}

/// The door, as the operator wants it.
pub(super) fn web(config: &ServerConfig, app: &App) -> WebConfig {
    WebConfig {
        public_url: app.settings.public_url.clone(),
        body_bytes: size(config.limits.body_mb) << 20,
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Limits of runs.
fn run(config: &ServerConfig) -> RunSettings {
    let limits = &config.limits;
    RunSettings {
        grace: Duration::from_secs(limits.run_grace_s),
        processes: count(limits.run_processes),
        open_files: count(limits.run_open_files),
        disk_bytes: limits.run_disk_mb << 20,
        stdout_bytes: size(limits.run_stdout_kb) << 10,
        log_bytes: limits.run_log_mb << 20,
        prestart: config.prestart,
    }
}

/// Limits of builds.
fn build(config: &ServerConfig) -> BuildSettings {
    let limits = &config.limits;
    BuildSettings {
        timeout: Duration::from_secs(limits.build_timeout_s),
        memory_bytes: limits.build_memory_mb << 20,
        processes: count(limits.build_processes),
        artifact_bytes: limits.build_artifact_mb << 20,
        cache_bytes: limits.build_cache_mb << 20,
        log_bytes: limits.build_log_mb << 20,
        allow_hosts: config.build_allow_hosts.clone(),
        environment: config.build_environment.clone(),
    }
}

fn count(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub(crate) fn blobs(config: &ServerConfig) -> anyhow::Result<Blobs> {
    let location = match &config.blobs {
        BlobsLocation::Folder(path) => format!("file:{}", path.display()),
        BlobsLocation::S3(location) => location.clone(),
    };
    let s3 = &config.s3;
    let settings = S3Settings {
        endpoint: s3.endpoint.as_ref().map(ToString::to_string),
        region: s3.region.clone(),
        access_key: s3.access_key.clone(),
        secret: s3.secret.as_ref().map(|secret| secret.reveal().to_owned()),
        path_style: s3.path_style,
        allow_http: s3.allow_http,
        variables: s3.variables.clone(),
    };
    Blobs::open(&location, &settings).context("cannot open the blob store")
}

/// Starts the sandbox that the operator asked for.
pub(super) async fn sandbox(
    config: &ServerConfig,
    folder: &DataFolder,
    mode: SandboxMode,
) -> anyhow::Result<Sandbox> {
    Sandbox::start(sandbox_config(
        config,
        folder.path.clone(),
        &folder.instance,
        mode,
        folder.below("sandbox")?,
    ))
    .await
    .context("cannot start the sandbox; `marquetry doctor` explains each part")
}

pub(crate) fn sandbox_config(
    config: &ServerConfig,
    data_dir: PathBuf,
    node: &str,
    mode: SandboxMode,
    scratch: PathBuf,
) -> marquetry_sandbox::Config {
    let mode = match mode {
        SandboxMode::Full => Mode::Full,
        SandboxMode::Degraded => Mode::Degraded,
        SandboxMode::Off => Mode::Off,
    };
    let mut sandbox = marquetry_sandbox::Config::new(mode, node, scratch);
    sandbox.toolchain_paths.clone_from(&config.toolchain_path);
    sandbox.containers = config.containers.as_ref().map(containers);
    sandbox.hidden_paths = vec![data_dir, config.local_repositories.clone()];
    if let BlobsLocation::Folder(path) = &config.blobs {
        sandbox.hidden_paths.push(path.clone());
    }
    sandbox
}

/// The engine that the operator chose.
pub(crate) fn containers(config: &ContainerConfig) -> Containers {
    Containers {
        program: config.engine.clone().into(),
        runtime: config.runtime.clone(),
        pull: config.pull,
    }
}

/// What this node tells of itself.
pub(super) fn about(config: &ServerConfig, folder: &DataFolder) -> About {
    let of = |role, slots| {
        if config.roles.contains(&role) {
            slots
        } else {
            0
        }
    };
    About {
        name: folder.node.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        roles: config
            .roles
            .iter()
            .map(|role| role.as_str().to_owned())
            .collect(),
        run_slots: of(Role::Runner, config.run_slots),
        build_slots: of(Role::Builder, config.build_slots),
    }
}

/// What must be opened before the engine starts.
pub(super) async fn prepared(
    config: &ServerConfig,
    folder: &DataFolder,
) -> anyhow::Result<Prepared> {
    let limits = ExtractLimits::default();
    // What was built under a larger limit, here or by another node, is unpacked still.
    let most = limits.max_bytes.max(config.limits.build_artifact_mb << 20);
    let limits = ExtractLimits {
        max_bytes: most,
        links: marquetry_engine::toolchain_links(&config.toolchain_path),
        ..limits
    };
    let most = config.limits.artifact_cache_mb << 20;
    let artifacts = ArtifactCache::open(&folder.below("artifacts")?, limits, most).await?;
    Ok(Prepared { artifacts })
}

/// The images of the bases; none without containers.
pub(crate) fn images(config: &ServerConfig) -> anyhow::Result<Images> {
    let all = config.containers.iter().flat_map(|one| &one.images);
    Images::read(all.map(String::as_str)).map_err(anyhow::Error::msg)
}

/// Settings of this node's engine.
pub(super) fn engine_config(
    config: &ServerConfig,
    folder: &DataFolder,
    host_path: OsString,
) -> anyhow::Result<Config> {
    let has = |role| config.roles.contains(&role);
    Ok(Config {
        node: folder.node.clone(),
        roles: Roles {
            scheduler: has(Role::Scheduler),
            builder: has(Role::Builder),
            runner: has(Role::Runner),
        },
        run_slots: config.run_slots,
        build_slots: config.build_slots,
        work_dir: folder.below("work")?,
        memory_dir: folder.in_memory(),
        images: images(config)?,
        toolchain_paths: config.toolchain_path.clone(),
        cache_dir: folder.below("cache")?,
        host_path,
        // The first process of a container takes all others with it.
        outlived: std::process::id() != 1,
        lease: LEASE,
        policy: Arc::new(AddressPolicy::opening(config.outbound_allow.clone())),
        resolver: Arc::new(Resolver::system()),
        run: run(config),
        build: build(config),
    })
}
