//! Nodes, as they last told of themselves.

use marquetry_model::{Node, NodeId, Page, PageRequest, Timestamp};

use crate::query::{Filter, List, json};
use crate::value::{Reader, values};
use crate::{Result, Tx};

/// Its status as far as a node told it; a lost one stands where it would if it lived.
const STATUS: &str = "CASE WHEN draining <> 0 THEN 'Draining'
    WHEN ABS(COALESCE(clock_ahead_ms, 0)) > 2000 THEN 'WrongClock' ELSE 'Live' END";
/// Their lists.
pub const LIST: List = List {
    select: "SELECT id, name, version, roles, run_slots, live_runs, build_slots, live_builds,
        clock_ahead_ms, draining, started_at, seen_at FROM nodes",
    count: "SELECT COUNT(*) FROM nodes",
    sorts: &[
        ("id", "id"),
        ("name", "name"),
        ("status", STATUS),
        ("version", "version"),
        ("live_runs", "live_runs"),
        ("run_slots", "run_slots"),
        ("live_builds", "live_builds"),
        ("build_slots", "build_slots"),
        ("clock_difference_ms", "clock_ahead_ms"),
        ("started_date", "started_at"),
        ("seen_date", "seen_at"),
    ],
    order: "id",
};

/// Notes what a node tells of itself, in place of what it told before; its `id` is not looked at.
pub async fn update(tx: &mut Tx, node: &Node) -> Result<()> {
    const SQL: &str = "INSERT INTO nodes (name, version, roles, run_slots, live_runs, build_slots,
            live_builds, clock_ahead_ms, draining, started_at, seen_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (name) DO UPDATE SET version = excluded.version, roles = excluded.roles,
            run_slots = excluded.run_slots, live_runs = excluded.live_runs,
            build_slots = excluded.build_slots, live_builds = excluded.live_builds,
            clock_ahead_ms = excluded.clock_ahead_ms, draining = excluded.draining,
            started_at = excluded.started_at, seen_at = excluded.seen_at";
    let row = values![
        node.name.as_str(),
        node.version.as_str(),
        json(&node.roles),
        node.run_slots,
        node.live_runs,
        node.build_slots,
        node.live_builds,
        node.clock_ahead_ms,
        node.draining,
        node.started_at,
        node.seen_at
    ];
    tx.execute(SQL, &row).await?;
    Ok(())
}

/// All that were not forgotten.
pub async fn list(tx: &mut Tx, request: &PageRequest) -> Result<Page<Node>> {
    LIST.page(tx, Filter::new(), request, read).await
}

/// Forgets a node that has ended.
pub async fn delete(tx: &mut Tx, name: &str) -> Result<()> {
    tx.execute("DELETE FROM nodes WHERE name = $1", &values![name])
        .await?;
    Ok(())
}

/// Forgets nodes that last told of themselves before this time, at most `most`; answers how many.
pub async fn delete_lost(tx: &mut Tx, before: Timestamp, most: i64) -> Result<u64> {
    // The condition twice: it may tell again before its row is removed.
    const SQL: &str = "DELETE FROM nodes WHERE seen_at < $1 AND id IN (
        SELECT id FROM nodes WHERE seen_at < $1 ORDER BY id LIMIT $2)";
    tx.execute(SQL, &values![before, most]).await
}

/// The database's own clock at this instant; none where it has no other than ours.
pub async fn find_clock(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let Some(sql) = tx.dialect().clock() else {
        return Ok(None);
    };
    let row = tx.row(sql, &[]).await?;
    row.map(|row| row.reader().time()).transpose()
}

fn read(row: &mut Reader<'_>) -> Result<Node> {
    Ok(Node {
        id: NodeId::new(row.i64()?),
        name: row.text()?,
        version: row.text()?,
        roles: row.json()?,
        run_slots: row.i64()?,
        live_runs: row.i64()?,
        build_slots: row.i64()?,
        live_builds: row.i64()?,
        clock_ahead_ms: row.opt_i64()?,
        draining: row.bool()?,
        started_at: row.time()?,
        seen_at: row.time()?,
    })
}
