-- What somebody did that others must be able to see later. Rows are only added, and removed when they are old.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    api_key_id INTEGER,
    action TEXT NOT NULL,
    integration_id INTEGER,
    tenant_id INTEGER,
    detail TEXT
) STRICT;
CREATE INDEX audit_at ON audit (at);
