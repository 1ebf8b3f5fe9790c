-- A page of an integration's tenants, in the order of their ids. Without it the index of their
-- names is taken, and all of them are sorted for each page.
CREATE INDEX tenants_integration ON tenants (integration_id, id) WHERE archived_at IS NULL;
