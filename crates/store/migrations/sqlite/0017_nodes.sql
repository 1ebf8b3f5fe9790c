-- Servers that share this database, as they last told of themselves. How far the clock of one was ahead of the
-- database's; null: the database has no clock of its own.
CREATE TABLE nodes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    version TEXT NOT NULL,
    roles TEXT NOT NULL,
    run_slots INTEGER NOT NULL,
    live_runs INTEGER NOT NULL,
    build_slots INTEGER NOT NULL,
    live_builds INTEGER NOT NULL,
    clock_ahead_ms INTEGER,
    draining INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;
