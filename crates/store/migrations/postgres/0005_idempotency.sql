-- What requests with an Idempotency-Key did, for a day. The row is written by the transaction that
-- does it; the answer follows, and is made anew from effect_id where it is missing.
CREATE TABLE idempotency_keys (
    api_key_id BIGINT NOT NULL REFERENCES api_keys (id),
    key TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA NOT NULL,
    effect_id BIGINT NOT NULL,
    status BIGINT,
    body TEXT COLLATE "C",
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (api_key_id, key)
);

CREATE INDEX idempotency_keys_expired ON idempotency_keys (expires_at);
