-- Where a build's code comes from besides a request for it: an archive that was sent, a notice of a
-- push, and a look at the branch from time to time.
ALTER TABLE builds ADD COLUMN source_blob TEXT COLLATE "C";

-- Which address and secret of its hook are the present ones.
ALTER TABLE integrations ADD COLUMN push_hook_generation BIGINT NOT NULL DEFAULT 0;

-- When the tracking branch is looked at next; none: never. What the last look saw, when, and what
-- went wrong with it. Where somebody asked for looks before there were any, they begin now.
ALTER TABLE integrations ADD COLUMN poll_at BIGINT;
ALTER TABLE integrations ADD COLUMN polled_commit TEXT COLLATE "C";
ALTER TABLE integrations ADD COLUMN polled_at BIGINT;
ALTER TABLE integrations ADD COLUMN poll_message TEXT COLLATE "C";

UPDATE integrations SET poll_at = 0
WHERE poll_seconds IS NOT NULL AND repository_url IS NOT NULL AND paused = 0 AND archived_at IS NULL;

CREATE INDEX integrations_poll ON integrations (poll_at) WHERE poll_at IS NOT NULL;
