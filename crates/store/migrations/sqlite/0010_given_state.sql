-- Runs that were made before what a run is given was kept, and wait for a node still: they are given the
-- state of now, which is that of then, because no other run of their tenants has ended since.
UPDATE runs SET
    given_last_run_id =
        (SELECT s.last_run_id FROM tenant_states s WHERE s.tenant_id = runs.tenant_id),
    given_successful_run_id =
        (SELECT s.last_successful_run_id FROM tenant_states s WHERE s.tenant_id = runs.tenant_id),
    given_output_id =
        (SELECT s.output_id FROM tenant_states s WHERE s.tenant_id = runs.tenant_id)
WHERE phase = 'Pending' AND configs_version IS NULL AND rerun_of IS NULL;
