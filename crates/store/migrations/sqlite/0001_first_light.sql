-- Times are milliseconds since 1970 in UTC, booleans 0 or 1, JSON is text that SQL does not look into.

CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    modified_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE TABLE integrations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    long_name TEXT NOT NULL,
    kind TEXT NOT NULL,
    repository_url TEXT,
    repository_tracking_branch TEXT NOT NULL,
    repository_paths TEXT NOT NULL,
    connectors TEXT NOT NULL,
    default_release_id INTEGER,
    default_release_channel TEXT,
    default_schedule TEXT,
    schedule_choices TEXT NOT NULL,
    schedule_randomization TEXT NOT NULL,
    debounce_ms INTEGER NOT NULL,
    timeout_seconds INTEGER NOT NULL,
    memory_mb INTEGER NOT NULL,
    retry TEXT NOT NULL,
    egress TEXT NOT NULL,
    egress_ports TEXT NOT NULL,
    poll_seconds INTEGER,
    local_run TEXT NOT NULL,
    paused INTEGER NOT NULL,
    target_url TEXT,
    archived_at INTEGER,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX integrations_name ON integrations (name) WHERE archived_at IS NULL;

CREATE TABLE builds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    integration_id INTEGER NOT NULL REFERENCES integrations (id),
    tag TEXT,
    branch TEXT,
    latest INTEGER,
    commit_hash TEXT,
    status TEXT NOT NULL,
    message TEXT,
    release_ids TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    node TEXT,
    lease_until INTEGER,
    cancel_requested INTEGER NOT NULL,
    log_blob TEXT,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER
) STRICT;

CREATE INDEX builds_integration ON builds (integration_id, id);
CREATE INDEX builds_open ON builds (status, id) WHERE status IN ('Pending', 'Running');

CREATE TABLE build_logs (
    build_id INTEGER NOT NULL REFERENCES builds (id),
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (build_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE releases (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    integration_id INTEGER NOT NULL REFERENCES integrations (id),
    build_id INTEGER NOT NULL REFERENCES builds (id),
    name TEXT NOT NULL,
    tag TEXT NOT NULL,
    branch TEXT,
    commit_hash TEXT,
    manifest_path TEXT NOT NULL,
    config_version TEXT NOT NULL,
    base TEXT NOT NULL,
    run_command TEXT NOT NULL,
    config_schema TEXT,
    metadata_schema TEXT,
    narrowing TEXT,
    artifact TEXT NOT NULL,
    counts_as_latest INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX releases_integration ON releases (integration_id, id);
CREATE UNIQUE INDEX releases_name ON releases (integration_id, name);

CREATE TABLE tenants (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    integration_id INTEGER NOT NULL REFERENCES integrations (id),
    name TEXT NOT NULL,
    user_name TEXT,
    source TEXT NOT NULL,
    configs TEXT NOT NULL,
    paused INTEGER NOT NULL,
    user_schedule TEXT,
    schedule TEXT,
    timezone TEXT,
    integration_release_id INTEGER REFERENCES releases (id),
    integration_release_channel TEXT,
    dynamic_configs TEXT NOT NULL,
    archived_at INTEGER,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX tenants_name ON tenants (integration_id, name) WHERE archived_at IS NULL;

-- What changes with every trigger and run, apart from the wide tenant row. `waiting` counts the
-- triggers that no run has taken; `due_at` is when dispatch shall look at the tenant.
CREATE TABLE tenant_states (
    tenant_id INTEGER NOT NULL PRIMARY KEY REFERENCES tenants (id),
    waiting INTEGER NOT NULL,
    due_at INTEGER,
    current_run_id INTEGER,
    last_run_id INTEGER,
    last_successful_run_id INTEGER
) STRICT;

CREATE INDEX tenant_states_due ON tenant_states (due_at, tenant_id) WHERE due_at IS NOT NULL AND current_run_id IS NULL;

CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id INTEGER NOT NULL REFERENCES tenants (id),
    integration_id INTEGER NOT NULL REFERENCES integrations (id),
    release_id INTEGER NOT NULL REFERENCES releases (id),
    mode TEXT NOT NULL,
    phase TEXT NOT NULL,
    message TEXT,
    exit_code INTEGER,
    std_out TEXT,
    attempt INTEGER NOT NULL,
    node TEXT,
    lease_until INTEGER,
    cancel_requested INTEGER NOT NULL,
    cpu_ms INTEGER NOT NULL,
    max_rss_bytes INTEGER NOT NULL,
    log_bytes INTEGER NOT NULL,
    log_blob TEXT,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER
) STRICT;

-- The promise that a tenant has at most one live run is this index's, not the code's.
CREATE UNIQUE INDEX runs_live ON runs (tenant_id) WHERE phase IN ('Pending', 'Running');
CREATE INDEX runs_pending ON runs (id) WHERE phase = 'Pending';
CREATE INDEX runs_leased ON runs (lease_until) WHERE phase = 'Running';
CREATE INDEX runs_tenant ON runs (tenant_id, id);
CREATE INDEX runs_integration ON runs (integration_id, id);

CREATE TABLE triggers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id INTEGER NOT NULL REFERENCES tenants (id),
    source TEXT NOT NULL,
    mode TEXT NOT NULL,
    payload BLOB,
    payload_blob TEXT,
    headers TEXT,
    run_id INTEGER REFERENCES runs (id),
    cancelled_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX triggers_waiting ON triggers (tenant_id, id) WHERE run_id IS NULL AND cancelled_at IS NULL;
CREATE INDEX triggers_run ON triggers (run_id, id) WHERE run_id IS NOT NULL;

CREATE TABLE run_logs (
    run_id INTEGER NOT NULL REFERENCES runs (id),
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (run_id, number)
) STRICT, WITHOUT ROWID;
