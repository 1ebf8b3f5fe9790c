-- What secrets of one kind are sealed with; the key itself is wrapped by the master key, which the
-- operator keeps elsewhere.
CREATE TABLE data_keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL UNIQUE,
    master_key_id TEXT NOT NULL,
    wrapped TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- How an integration's repository is opened, and the variables of its builds; each sealed for its place.
CREATE TABLE integration_secrets (
    integration_id INTEGER NOT NULL REFERENCES integrations (id),
    name TEXT NOT NULL,
    sealed TEXT NOT NULL,
    modified_at INTEGER NOT NULL,
    PRIMARY KEY (integration_id, name)
) STRICT;
