-- One build of an integration at a time is this index's promise, as it is for runs: two would fight
-- over the package cache. What broke it before goes back into the queue.
UPDATE builds SET status = 'Pending', node = NULL, lease_until = NULL
WHERE status = 'Running' AND EXISTS (SELECT 1 FROM builds o
    WHERE o.integration_id = builds.integration_id AND o.status = 'Running' AND o.id < builds.id);
CREATE UNIQUE INDEX builds_live ON builds (integration_id) WHERE status = 'Running';
