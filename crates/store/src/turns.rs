//! Whose turn it is: what each integration has due, and how many of its runs are live.

use marquetry_model::{IntegrationId, RunId, Timestamp, Turn};

use crate::dialect::Dialect;
use crate::query::read_all;
use crate::value::values;
use crate::{Result, Tx};

/// Integrations with tenants that dispatch shall look at some time: one step in the index of each
/// lane, however many of their tenants wait.
const QUEUES: &str = "WITH RECURSIVE queues (id) AS (
        SELECT MIN(lane.id) FROM (
            SELECT MIN(integration_id) AS id FROM tenant_states
            WHERE due_at IS NOT NULL AND current_run_id IS NULL AND last_run_id IS NULL
            UNION ALL
            SELECT MIN(integration_id) FROM tenant_states
            WHERE due_at IS NOT NULL AND current_run_id IS NULL AND last_run_id IS NOT NULL
        ) AS lane
        UNION ALL
        SELECT (SELECT MIN(lane.id) FROM (
            SELECT MIN(s.integration_id) AS id FROM tenant_states s
            WHERE s.integration_id > q.id AND s.due_at IS NOT NULL AND s.current_run_id IS NULL
                AND s.last_run_id IS NULL
            UNION ALL
            SELECT MIN(s.integration_id) FROM tenant_states s
            WHERE s.integration_id > q.id AND s.due_at IS NOT NULL AND s.current_run_id IS NULL
                AND s.last_run_id IS NOT NULL
        ) AS lane)
        FROM queues q WHERE q.id IS NOT NULL
    )";

/// The integrations with tenants that are due; of each, at most `most` tenants of a lane are
/// counted.
pub async fn list(tx: &mut Tx, now: Timestamp, most: i64) -> Result<Vec<Turn>> {
    // PostgreSQL takes what is due in its order, not all of it, and finds the newest run of an
    // integration in its index, not among the newest of all, because both are asked for by orders.
    // The plus signs keep SQLite from going through every run of an integration: there are few live
    // runs, and they have an index of their own.
    let sql = format!(
        "{QUEUES}, live AS MATERIALIZED (
            SELECT +integration_id AS id, COUNT(*) AS runs FROM runs
            WHERE phase IN ('Pending', 'Running') GROUP BY +integration_id
        ), newest AS MATERIALIZED (
            SELECT q.id, (SELECT r.id FROM runs r WHERE r.integration_id <= q.id
                ORDER BY r.integration_id DESC, r.id DESC LIMIT 1) AS run
            FROM queues q WHERE q.id IS NOT NULL
        )
        SELECT q.id,
            (SELECT COUNT(*) FROM (SELECT 1 FROM tenant_states s
                WHERE s.integration_id = q.id AND s.due_at <= $1 AND s.current_run_id IS NULL
                    AND s.last_run_id IS NULL ORDER BY s.due_at LIMIT $2) AS due),
            (SELECT COUNT(*) FROM (SELECT 1 FROM tenant_states s
                WHERE s.integration_id = q.id AND s.due_at <= $1 AND s.current_run_id IS NULL
                    AND s.last_run_id IS NOT NULL ORDER BY s.due_at LIMIT $2) AS due),
            COALESCE(live.runs, 0),
            (SELECT r.id FROM runs r WHERE r.id = q.run AND r.integration_id = q.id),
            (SELECT COUNT(*) FROM runs r WHERE r.id = q.run AND r.integration_id = q.id
                AND r.given_last_run_id IS NULL AND r.rerun_of IS NULL),
            (SELECT i.concurrency_limit FROM integrations i WHERE i.id = q.id)
        FROM newest q LEFT JOIN live ON live.id = q.id"
    );
    let rows = tx.rows(&sql, &values![now, most]).await?;
    let turns = read_all(rows, |row| {
        let integration_id = IntegrationId::new(row.i64()?);
        let newcomers = count(row.i64()?);
        Ok(Turn {
            integration_id,
            ready: newcomers + count(row.i64()?),
            newcomers,
            live: count(row.i64()?),
            last_run_id: row.opt_i64()?.map(RunId::new),
            newest_is_first: row.i64()? > 0,
            concurrency_limit: row.opt_i64()?.map(count),
        })
    })?;
    Ok(turns.into_iter().filter(|turn| turn.ready > 0).collect())
}

/// When the next tenant without a live run is due, of those that are due after this time; none:
/// of all.
pub async fn find_next_due(tx: &mut Tx, after: Option<Timestamp>) -> Result<Option<Timestamp>> {
    let sql = format!(
        "{QUEUES} SELECT MIN((SELECT MIN(lane.due_at) FROM (
            SELECT MIN(s.due_at) AS due_at FROM tenant_states s WHERE s.integration_id = q.id
                AND s.due_at > $1 AND s.current_run_id IS NULL AND s.last_run_id IS NULL
            UNION ALL
            SELECT MIN(s.due_at) FROM tenant_states s WHERE s.integration_id = q.id
                AND s.due_at > $1 AND s.current_run_id IS NULL AND s.last_run_id IS NOT NULL
        ) AS lane)) FROM queues q WHERE q.id IS NOT NULL"
    );
    let after = after.map_or(i64::MIN, Timestamp::as_millis);
    let row = tx.row(&sql, &values![after]).await?;
    let next = row.map(|row| row.reader().opt_time()).transpose()?;
    Ok(next.flatten())
}

/// How many runs of an integration are live.
pub async fn count_live(tx: &mut Tx, integration: IntegrationId) -> Result<usize> {
    // The plus sign: see `list`.
    const SQL: &str = "SELECT COUNT(*) FROM runs
        WHERE +integration_id = $1 AND phase IN ('Pending', 'Running')";
    let row = tx.row(SQL, &values![integration]).await?;
    let live = row.map_or(Ok(0), |row| row.reader().i64())?;
    Ok(count(live))
}

/// How many runs of an integration are live, and nobody else counts them by this until the
/// transaction ends: who keeps to a limit counts first.
pub async fn lock_live(tx: &mut Tx, integration: IntegrationId) -> Result<usize> {
    if tx.dialect() == Dialect::Postgres {
        tx.rows(Dialect::LOCK_TURN, &values![integration]).await?;
    }
    count_live(tx, integration).await
}

/// Keeps an integration and its tenants from being paused until the end of the transaction, which is
/// about to make runs: a pause that is answered comes before them or after them. False where somebody
/// is pausing, or waits for that: nobody is waited for here, and nobody who pauses waits behind those
/// that come later. SQLite has one writer.
pub async fn try_still(tx: &mut Tx, integration: IntegrationId) -> Result<bool> {
    if tx.dialect() == Dialect::Sqlite {
        return Ok(true);
    }
    let lock = values![still(integration)];
    let row = tx.row(Dialect::TRY_STILL, &lock).await?;
    row.map_or(Ok(false), |row| row.reader().bool())
}

/// Waits until nobody makes runs of an integration, and lets nobody begin to before the end of the
/// transaction, which is about to pause it or tenants of it. Comes before all that it locks.
pub async fn lock_still(tx: &mut Tx, integration: IntegrationId) -> Result<()> {
    if tx.dialect() == Dialect::Postgres {
        tx.rows(Dialect::LOCK_STILL, &values![still(integration)])
            .await?;
    }
    Ok(())
}

/// The number of an integration's lock.
fn still(integration: IntegrationId) -> i64 {
    (724_811_933 << 32) | (integration.get() & 0xFFFF_FFFF)
}

fn count(value: i64) -> usize {
    usize::try_from(value).unwrap_or(0)
}
