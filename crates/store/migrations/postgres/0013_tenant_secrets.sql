-- The secret settings of a tenant: one JSON object, sealed for its row. The tenant's `configs` have a mark
-- in place of each value.
CREATE TABLE tenant_secrets (
    tenant_id BIGINT NOT NULL PRIMARY KEY REFERENCES tenants (id),
    sealed TEXT COLLATE "C" NOT NULL,
    modified_at BIGINT NOT NULL
);

-- Integrations whose tenants are to be looked through for settings that are secrets and lie open.
CREATE TABLE secret_sweeps (
    integration_id BIGINT NOT NULL PRIMARY KEY REFERENCES integrations (id),
    marked_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL
);

CREATE INDEX secret_sweeps_due ON secret_sweeps (due_at, integration_id);

-- Nothing was sealed before: what there is, is sealed when the server starts.
INSERT INTO secret_sweeps (integration_id, marked_at, due_at) SELECT id, 0, 0 FROM integrations;
