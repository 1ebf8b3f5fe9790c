-- Definitions of connectors that operators added; one of the name of a shipped one counts instead of it.
CREATE TABLE connectors (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    definition TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL
) STRICT;

-- What the company that offers an integration gives for a connector, sealed: an app's id and secret. The names
-- of what is set stand open.
CREATE TABLE provisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    integration_id INTEGER NOT NULL REFERENCES integrations (id),
    connector TEXT NOT NULL,
    names TEXT NOT NULL,
    sealed TEXT NOT NULL,
    modified_at INTEGER NOT NULL,
    UNIQUE (integration_id, connector)
) STRICT;

-- What a tenant is connected to a system by; without a tenant, all tenants of the integration. The credentials are
-- sealed; who renews them holds the lease, and writes only over the version that he read.
CREATE TABLE connections (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    integration_id INTEGER NOT NULL REFERENCES integrations (id),
    tenant_id INTEGER REFERENCES tenants (id),
    connector TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    sealed TEXT,
    version INTEGER NOT NULL,
    issued_at INTEGER,
    expires_at INTEGER,
    refresh_at INTEGER,
    check_at INTEGER,
    checked_at INTEGER,
    changed_at INTEGER NOT NULL,
    lease_until INTEGER,
    lease_holder TEXT
) STRICT;
CREATE UNIQUE INDEX connections_of_tenant ON connections (tenant_id, connector) WHERE tenant_id IS NOT NULL;
CREATE UNIQUE INDEX connections_global ON connections (integration_id, connector) WHERE tenant_id IS NULL;
CREATE INDEX connections_refresh ON connections (refresh_at) WHERE refresh_at IS NOT NULL;
CREATE INDEX connections_check ON connections (check_at) WHERE check_at IS NOT NULL;

-- Links by which somebody without a login connects one connector. Only the hash of a token is kept.
CREATE TABLE connect_links (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash TEXT NOT NULL UNIQUE,
    integration_id INTEGER NOT NULL REFERENCES integrations (id),
    tenant_id INTEGER REFERENCES tenants (id),
    connector TEXT NOT NULL,
    once INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;
CREATE INDEX connect_links_of ON connect_links (integration_id, tenant_id, connector);
CREATE INDEX connect_links_ended ON connect_links (expires_at) WHERE expires_at IS NOT NULL;

-- Consents that were asked for and not yet given. The state goes through the provider and is consumed once.
CREATE TABLE connect_attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    state_hash TEXT NOT NULL UNIQUE,
    browser_hash TEXT NOT NULL,
    integration_id INTEGER NOT NULL REFERENCES integrations (id),
    tenant_id INTEGER REFERENCES tenants (id),
    connector TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX connect_attempts_ended ON connect_attempts (expires_at);
