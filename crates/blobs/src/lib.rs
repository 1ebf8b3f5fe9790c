//! Artifacts, logs and payloads on object storage; content addresses; signed log links.
