-- What requests with an Idempotency-Key did, for a day. The row is written by the transaction that
-- does it; the answer follows, and is made anew from effect_id where it is missing.
CREATE TABLE idempotency_keys (
    api_key_id INTEGER NOT NULL REFERENCES api_keys (id),
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    effect_id INTEGER NOT NULL,
    status INTEGER,
    body TEXT,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (api_key_id, key)
) STRICT;

CREATE INDEX idempotency_keys_expired ON idempotency_keys (expires_at);
