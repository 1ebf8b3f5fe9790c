-- What runs and clients have found out about a tenant.
CREATE TABLE tenant_metadata (
    tenant_id INTEGER NOT NULL PRIMARY KEY REFERENCES tenants (id),
    data TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL
) STRICT;

-- The names of the settings that were secret when they were stored: a release that no longer
-- calls them so does not disclose them.
ALTER TABLE tenants ADD COLUMN secret_configs TEXT NOT NULL DEFAULT '[]';
