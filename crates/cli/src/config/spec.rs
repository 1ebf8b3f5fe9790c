//! The table of settings.

/// How often a setting may be said, and how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One value.
    One,
    /// Several; in a variable with commas between them.
    Many,
    /// Yes or no.
    Switch,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spec {
    /// Its name in the file; a dot stands between table and key.
    pub(super) key: &'static str,
    /// Its flag without dashes; empty: none.
    pub(super) flag: &'static str,
    /// Its variable.
    pub(super) variable: &'static str,
    pub(super) kind: Kind,
    /// Whether its value is never shown.
    pub(super) secret: bool,
    /// Whether something in this version reads it.
    pub(super) has_effect: bool,
}

const fn spec(key: &'static str, flag: &'static str, variable: &'static str, kind: Kind) -> Spec {
    Spec {
        key,
        flag,
        variable,
        kind,
        secret: false,
        has_effect: true,
    }
}

const fn secret(spec: Spec) -> Spec {
    Spec {
        secret: true,
        ..spec
    }
}

const fn later(spec: Spec) -> Spec {
    Spec {
        has_effect: false,
        ..spec
    }
}

use Kind::{Many, One, Switch};

/// All settings, in the order in which `config check` shows them.
pub(super) const SPECS: &[Spec] = &[
    spec("listen", "listen", "MARQUETRY_LISTEN", One),
    spec("data_dir", "data-dir", "MARQUETRY_DATA_DIR", One),
    secret(spec(
        "database_url",
        "database-url",
        "MARQUETRY_DATABASE_URL",
        One,
    )),
    spec("blobs", "blobs", "MARQUETRY_BLOBS", One),
    spec("s3.endpoint", "", "MARQUETRY_S3_ENDPOINT", One),
    spec("s3.region", "", "MARQUETRY_S3_REGION", One),
    spec("s3.access_key", "", "MARQUETRY_S3_ACCESS_KEY", One),
    secret(spec("s3.secret", "", "MARQUETRY_S3_SECRET", One)),
    spec("s3.path_style", "", "MARQUETRY_S3_PATH_STYLE", Switch),
    spec("s3.allow_http", "", "MARQUETRY_S3_ALLOW_HTTP", Switch),
    spec("roles", "roles", "MARQUETRY_ROLES", Many),
    spec("run_slots", "run-slots", "MARQUETRY_RUN_SLOTS", One),
    spec("build_slots", "build-slots", "MARQUETRY_BUILD_SLOTS", One),
    spec("prestart", "prestart", "MARQUETRY_PRESTART", One),
    spec("sandbox", "sandbox", "MARQUETRY_SANDBOX", One),
    spec(
        "container_engine",
        "container-engine",
        "MARQUETRY_CONTAINER_ENGINE",
        One,
    ),
    spec(
        "container_images",
        "container-images",
        "MARQUETRY_CONTAINER_IMAGES",
        Many,
    ),
    spec(
        "container_runtime",
        "container-runtime",
        "MARQUETRY_CONTAINER_RUNTIME",
        One,
    ),
    spec(
        "container_pull",
        "container-pull",
        "MARQUETRY_CONTAINER_PULL",
        One,
    ),
    spec(
        "local_repositories",
        "local-repositories",
        "MARQUETRY_LOCAL_REPOSITORIES",
        One,
    ),
    spec("connectors", "connectors", "MARQUETRY_CONNECTORS", One),
    spec(
        "outbound_allow",
        "outbound-allow",
        "MARQUETRY_OUTBOUND_ALLOW",
        Many,
    ),
    spec(
        "allow_host_network",
        "allow-host-network",
        "MARQUETRY_ALLOW_HOST_NETWORK",
        Switch,
    ),
    spec(
        "build.allow_hosts",
        "build-allow-hosts",
        "MARQUETRY_BUILD_ALLOW_HOSTS",
        Many,
    ),
    secret(spec(
        "build.environment",
        "",
        "MARQUETRY_BUILD_ENVIRONMENT",
        Many,
    )),
    spec(
        "run.timeout_seconds",
        "",
        "MARQUETRY_RUN_TIMEOUT_SECONDS",
        One,
    ),
    spec(
        "run.max_timeout_seconds",
        "",
        "MARQUETRY_RUN_MAX_TIMEOUT_SECONDS",
        One,
    ),
    spec("run.grace_seconds", "", "MARQUETRY_RUN_GRACE_SECONDS", One),
    spec("run.memory_mb", "", "MARQUETRY_RUN_MEMORY_MB", One),
    spec("run.max_memory_mb", "", "MARQUETRY_RUN_MAX_MEMORY_MB", One),
    spec("run.processes", "", "MARQUETRY_RUN_PROCESSES", One),
    spec("run.open_files", "", "MARQUETRY_RUN_OPEN_FILES", One),
    spec("run.disk_mb", "", "MARQUETRY_RUN_DISK_MB", One),
    spec("run.stdout_kb", "", "MARQUETRY_RUN_STDOUT_KB", One),
    spec("run.log_mb", "", "MARQUETRY_RUN_LOG_MB", One),
    spec(
        "build.timeout_seconds",
        "",
        "MARQUETRY_BUILD_TIMEOUT_SECONDS",
        One,
    ),
    spec("build.memory_mb", "", "MARQUETRY_BUILD_MEMORY_MB", One),
    spec("build.processes", "", "MARQUETRY_BUILD_PROCESSES", One),
    spec("build.artifact_mb", "", "MARQUETRY_BUILD_ARTIFACT_MB", One),
    spec("build.cache_mb", "", "MARQUETRY_BUILD_CACHE_MB", One),
    spec("build.log_mb", "", "MARQUETRY_BUILD_LOG_MB", One),
    spec("limits.body_mb", "", "MARQUETRY_LIMITS_BODY_MB", One),
    spec(
        "limits.waiting_triggers",
        "",
        "MARQUETRY_LIMITS_WAITING_TRIGGERS",
        One,
    ),
    spec(
        "limits.bundle_triggers",
        "",
        "MARQUETRY_LIMITS_BUNDLE_TRIGGERS",
        One,
    ),
    spec(
        "limits.artifact_cache_mb",
        "",
        "MARQUETRY_LIMITS_ARTIFACT_CACHE_MB",
        One,
    ),
    spec("limits.upload_mb", "", "MARQUETRY_LIMITS_UPLOAD_MB", One),
    spec(
        "retention.runs_days",
        "",
        "MARQUETRY_RETENTION_RUNS_DAYS",
        One,
    ),
    spec(
        "retention.webhook_bodies_days",
        "",
        "MARQUETRY_RETENTION_WEBHOOK_BODIES_DAYS",
        One,
    ),
    spec(
        "retention.decisions_days",
        "",
        "MARQUETRY_RETENTION_DECISIONS_DAYS",
        One,
    ),
    spec(
        "retention.build_logs_days",
        "",
        "MARQUETRY_RETENTION_BUILD_LOGS_DAYS",
        One,
    ),
    spec(
        "retention.artifacts_days",
        "",
        "MARQUETRY_RETENTION_ARTIFACTS_DAYS",
        One,
    ),
    spec(
        "toolchain_path",
        "toolchain-path",
        "MARQUETRY_TOOLCHAIN_PATH",
        Many,
    ),
    spec("public_url", "public-url", "MARQUETRY_PUBLIC_URL", One),
    later(spec(
        "marketplace_url",
        "marketplace-url",
        "MARQUETRY_MARKETPLACE_URL",
        One,
    )),
    later(spec(
        "exmart_url",
        "exmart-url",
        "MARQUETRY_EXMART_URL",
        One,
    )),
    later(spec(
        "admin_listen",
        "admin-listen",
        "MARQUETRY_ADMIN_LISTEN",
        One,
    )),
    later(spec(
        "trusted_proxies",
        "trusted-proxies",
        "MARQUETRY_TRUSTED_PROXIES",
        Many,
    )),
    spec(
        "master_key_file",
        "master-key-file",
        "MARQUETRY_MASTER_KEY_FILE",
        One,
    ),
    spec(
        "other_master_key_file",
        "other-master-key-file",
        "MARQUETRY_OTHER_MASTER_KEY_FILE",
        Many,
    ),
    spec(
        "master_key_command",
        "master-key-command",
        "MARQUETRY_MASTER_KEY_COMMAND",
        One,
    ),
    spec("environment", "environment", "MARQUETRY_ENVIRONMENT", One),
    spec("log", "log", "MARQUETRY_LOG", One),
];

/// Variables with our prefix that are no settings of the server's file.
pub(super) const OTHER_VARIABLES: &[&str] = &[
    "MARQUETRY_API_KEY",
    "MARQUETRY_BOOTSTRAP_API_KEY",
    "MARQUETRY_MASTER_KEY",
    "MARQUETRY_CONFIG",
    "MARQUETRY_URL",
];

/// The setting with this name.
pub(super) fn find(key: &str) -> Option<&'static Spec> {
    SPECS.iter().find(|spec| spec.key == key)
}
