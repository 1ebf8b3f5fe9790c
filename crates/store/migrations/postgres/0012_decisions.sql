-- What was decided against running something, which no trigger and no run tells. Decisions of one kind within an
-- hour are one row, so that a schedule of every minute that cannot run writes 24 of them a day. Kept for 30 days.
CREATE TABLE decisions (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    kind TEXT COLLATE "C" NOT NULL,
    hour BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, hour, kind)
);

CREATE INDEX decisions_hour ON decisions (hour);

-- Why the bundle of a run's triggers ended where it did, and with which trigger the next one begins. Null: nothing
-- more waited, or the run is older than this.
ALTER TABLE runs ADD COLUMN bundle_stop TEXT COLLATE "C";
ALTER TABLE runs ADD COLUMN bundle_stop_at BIGINT;

-- What becomes of ticks that passed while no server looked.
ALTER TABLE integrations ADD COLUMN missed TEXT COLLATE "C" NOT NULL DEFAULT 'once';

CREATE INDEX triggers_cancelled ON triggers (tenant_id, id) WHERE cancelled_at IS NOT NULL;
