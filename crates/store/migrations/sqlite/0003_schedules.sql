-- When a tenant's schedule is due next; none: it has none, or it stands still. 0 stands for "not
-- worked out yet", for tenants that had a schedule before there was a clock for it.
ALTER TABLE tenant_states ADD COLUMN fire_at INTEGER;

UPDATE tenant_states SET fire_at = 0 WHERE tenant_id IN (
    SELECT id FROM tenants WHERE schedule IS NOT NULL AND paused = 0 AND archived_at IS NULL
);

CREATE INDEX tenant_states_fire ON tenant_states (fire_at, tenant_id) WHERE fire_at IS NOT NULL;
