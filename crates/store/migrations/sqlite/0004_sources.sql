-- Where a build's code comes from besides a request for it: an archive that was sent, a notice of a
-- push, and a look at the branch from time to time.
ALTER TABLE builds ADD COLUMN source_blob TEXT;

-- Which address and secret of its hook are the present ones.
ALTER TABLE integrations ADD COLUMN push_hook_generation INTEGER NOT NULL DEFAULT 0;
