-- What a run was made from, so that it can be repeated: names of things that do not change. A number
-- goes with each change of a tenant's settings; those before the change are kept, without secrets.
ALTER TABLE tenants ADD COLUMN configs_version INTEGER NOT NULL DEFAULT 0;

CREATE TABLE tenant_configs (
    tenant_id INTEGER NOT NULL REFERENCES tenants (id),
    version INTEGER NOT NULL,
    configs TEXT NOT NULL,
    PRIMARY KEY (tenant_id, version)
) STRICT;

-- Output that somebody wrote by hand, in place of what a run printed; null: none at all.
CREATE TABLE outputs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id INTEGER NOT NULL REFERENCES tenants (id),
    std_out TEXT,
    created_at INTEGER NOT NULL
) STRICT;

-- The output that stands in place of the last successful run's, until another run succeeds.
ALTER TABLE tenant_states ADD COLUMN output_id INTEGER;

-- Null in runs that are older than this: what they were given was not kept.
ALTER TABLE runs ADD COLUMN configs_version INTEGER;
ALTER TABLE runs ADD COLUMN given_last_run_id INTEGER;
ALTER TABLE runs ADD COLUMN given_successful_run_id INTEGER;
ALTER TABLE runs ADD COLUMN given_output_id INTEGER;
ALTER TABLE runs ADD COLUMN rerun_of INTEGER;
ALTER TABLE runs ADD COLUMN is_saved INTEGER NOT NULL DEFAULT 1;

-- The run that a trigger asks to repeat, and how: settings of a version or by hand (none: the present
-- ones), the state of then (else the present one), a release (none: the present one).
ALTER TABLE triggers ADD COLUMN rerun_of INTEGER;

CREATE TABLE reruns (
    trigger_id INTEGER NOT NULL PRIMARY KEY REFERENCES triggers (id),
    run_id INTEGER NOT NULL REFERENCES runs (id),
    triggers_run_id INTEGER NOT NULL REFERENCES runs (id),
    configs TEXT,
    configs_version INTEGER,
    is_state_given INTEGER NOT NULL,
    given_last_run_id INTEGER,
    given_successful_run_id INTEGER,
    given_output_id INTEGER,
    release_id INTEGER REFERENCES releases (id),
    is_saved INTEGER NOT NULL
) STRICT;
