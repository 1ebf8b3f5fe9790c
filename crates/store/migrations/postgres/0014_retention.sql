-- What finds things that are kept no longer, and what refers to a blob: each index holds few rows.
CREATE INDEX triggers_cancelled_at ON triggers (cancelled_at) WHERE cancelled_at IS NOT NULL;
CREATE INDEX triggers_webhook_bodies ON triggers (created_at) WHERE source = 'webhook' AND headers IS NOT NULL;
CREATE INDEX triggers_payload_blob ON triggers (payload_blob) WHERE payload_blob IS NOT NULL;
CREATE INDEX runs_log_blob ON runs (log_blob) WHERE log_blob IS NOT NULL;
CREATE INDEX reruns_run ON reruns (run_id);
CREATE INDEX reruns_triggers_run ON reruns (triggers_run_id);
