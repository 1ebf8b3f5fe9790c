//! Nodes, as they last told of themselves.

use std::time::Duration;

use marquetry_model::{Node, NodeId, Page, PageRequest, Timestamp};

use crate::query::{Filter, List, json};
use crate::value::{Reader, values};
use crate::{Result, Tx};

/// No lease is written for longer.
const FARTHEST_LEASE: Duration = Duration::from_secs(300);

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

/// Of a row with a lease: whether its node is lost. That is the node in parameter 2, which has just started,
/// whatever the time is; where that is empty, at the time in parameter 1, any whose lease has ended. A lease that
/// ends farther ahead than any node may write was written by a wrong clock, and would be waited for until then:
/// it holds as long as its node tells that it lives.
pub(crate) fn is_lost(row: &str) -> String {
    let (farthest, silent) = (FARTHEST_LEASE.as_millis(), Node::LOST.as_millis());
    format!(
        "({row}.node = $2 OR ($2 = '' AND ({row}.lease_until < $1 OR ({row}.lease_until > $1 + {farthest}
            AND NOT EXISTS (SELECT 1 FROM nodes n
                WHERE n.name = {row}.node AND n.seen_at >= $1 - {silent})))))"
    )
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
