-- What was decided against running something, which no trigger and no run tells. Decisions of one kind within an
-- hour are one row, so that a schedule of every minute that cannot run writes 24 of them a day. Kept for 30 days.
CREATE TABLE decisions (
    tenant_id INTEGER NOT NULL REFERENCES tenants (id),
    kind TEXT NOT NULL,
    hour INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, hour, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX decisions_hour ON decisions (hour);

-- Why the bundle of a run's triggers ended where it did, and with which trigger the next one begins. Null: nothing
-- more waited, or the run is older than this.
ALTER TABLE runs ADD COLUMN bundle_stop TEXT;
ALTER TABLE runs ADD COLUMN bundle_stop_at INTEGER;

-- What becomes of ticks that passed while no server looked.
ALTER TABLE integrations ADD COLUMN missed TEXT NOT NULL DEFAULT 'once';

CREATE INDEX triggers_cancelled ON triggers (tenant_id, id) WHERE cancelled_at IS NOT NULL;
