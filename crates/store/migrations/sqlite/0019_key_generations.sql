-- Later keys of a kind of secrets; the first one is in data_keys, where nodes of before look for it. All nodes know a
-- key by the time it is used.
CREATE TABLE data_key_generations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    master_key_id TEXT NOT NULL,
    wrapped TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    active_from INTEGER NOT NULL,
    -- When nothing was sealed with an older key any more.
    done_at INTEGER
) STRICT;
CREATE INDEX data_key_generations_of ON data_key_generations (kind);
