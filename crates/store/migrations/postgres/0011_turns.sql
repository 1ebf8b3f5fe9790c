-- Whose turn it is: what is due is found integration by integration. 0 stands for "not known", of a row that
-- the previous version writes; such tenants share one queue.
ALTER TABLE tenant_states ADD COLUMN integration_id BIGINT NOT NULL DEFAULT 0;

UPDATE tenant_states SET integration_id =
    (SELECT t.integration_id FROM tenants t WHERE t.id = tenant_states.tenant_id);

CREATE INDEX tenant_states_turns ON tenant_states (integration_id, due_at, tenant_id)
    WHERE due_at IS NOT NULL AND current_run_id IS NULL;
DROP INDEX tenant_states_due;

-- Null: as many live runs as there are places.
ALTER TABLE integrations ADD COLUMN concurrency_limit BIGINT;
