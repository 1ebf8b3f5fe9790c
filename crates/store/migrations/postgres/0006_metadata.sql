-- What runs and clients have found out about a tenant.
CREATE TABLE tenant_metadata (
    tenant_id BIGINT NOT NULL PRIMARY KEY REFERENCES tenants (id),
    data TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);

-- The names of the settings that were secret when they were stored: a release that no longer
-- calls them so does not disclose them.
ALTER TABLE tenants ADD COLUMN secret_configs TEXT COLLATE "C" NOT NULL DEFAULT '[]';
