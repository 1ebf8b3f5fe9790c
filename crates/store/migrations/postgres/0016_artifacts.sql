-- Since when nothing uses a release; null: something does, or nobody has looked yet. When its artifact was given up;
-- null: it is kept.
ALTER TABLE releases ADD COLUMN unused_since BIGINT;
ALTER TABLE releases ADD COLUMN artifact_removed_at BIGINT;

-- What finds those that were not used for long, and what uses one: each index holds few rows.
CREATE INDEX releases_unused ON releases (unused_since) WHERE unused_since IS NOT NULL AND artifact_removed_at IS NULL;
CREATE INDEX tenants_release ON tenants (integration_release_id) WHERE integration_release_id IS NOT NULL AND archived_at IS NULL;
CREATE INDEX reruns_release ON reruns (release_id) WHERE release_id IS NOT NULL;
