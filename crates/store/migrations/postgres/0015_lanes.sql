-- Tenants that never ran have a lane of their own in the queue of their integration. Each tenant is in one of
-- the two indexes, so that neither lane is searched through the other.
CREATE INDEX tenant_states_newcomers ON tenant_states (integration_id, due_at, tenant_id)
    WHERE due_at IS NOT NULL AND current_run_id IS NULL AND last_run_id IS NULL;
CREATE INDEX tenant_states_others ON tenant_states (integration_id, due_at, tenant_id)
    WHERE due_at IS NOT NULL AND current_run_id IS NULL AND last_run_id IS NOT NULL;
DROP INDEX tenant_states_turns;
