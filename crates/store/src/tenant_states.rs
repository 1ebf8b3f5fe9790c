//! What changes with every trigger and run of a tenant: how much waits, when dispatch shall look,
//! which run is live and which were last.

use marquetry_model::{Given, IntegrationId, Lane, OutputId, RunId, TenantId, Timestamp};

use crate::query::{json, read_all, read_one};
use crate::value::{Reader, values};
use crate::{Result, Tx};

/// One tenant's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantState {
    /// Whose.
    pub tenant_id: TenantId,
    /// Triggers that no run has taken.
    pub waiting: i64,
    /// When dispatch shall look; none: not before something changes.
    pub due_at: Option<Timestamp>,
    /// The live run.
    pub current_run_id: Option<RunId>,
    /// The run that ended last.
    pub last_run_id: Option<RunId>,
    /// The run that succeeded last.
    pub last_successful_run_id: Option<RunId>,
    /// The output that stands in place of that run's.
    pub output_id: Option<OutputId>,
}

impl TenantState {
    /// What a run that is made now is given.
    pub fn given(&self) -> Given {
        Given {
            last_run_id: self.last_run_id,
            last_successful_run_id: self.last_successful_run_id,
            output_id: self.output_id,
        }
    }
}

/// What of a tenant's triggers a run has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dispatched {
    /// Whose.
    pub tenant_id: TenantId,
    /// How many.
    pub taken: i64,
    /// When dispatch shall look again; none: not before something changes.
    pub due_at: Option<Timestamp>,
    /// The run.
    pub run_id: RunId,
}

/// A live run that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Whose.
    pub tenant_id: TenantId,
    /// The run.
    pub run_id: RunId,
    /// Whether it succeeded.
    pub succeeded: bool,
}

const SELECT: &str = "SELECT tenant_id, waiting, due_at, current_run_id, last_run_id,
    last_successful_run_id, output_id FROM tenant_states";
const ACCEPT: &str = "UPDATE tenant_states SET waiting = waiting + 1,
        due_at = CASE WHEN due_at IS NULL OR due_at > $2 THEN $2 ELSE due_at END
    WHERE tenant_id = $1 AND waiting < $3";
const DISPATCH: &str = "UPDATE tenant_states SET waiting = waiting - $2, due_at = $3,
        current_run_id = $4
    WHERE tenant_id = $1";
const POSTPONE: &str = "UPDATE tenant_states SET due_at = $2 WHERE tenant_id = $1";
/// What a rerun that is not to be saved leaves is not seen by later runs.
const RELEASE: &str = "UPDATE tenant_states SET current_run_id = NULL,
        last_run_id = CASE WHEN EXISTS (SELECT 1 FROM runs WHERE id = $2 AND is_saved = 0)
            THEN last_run_id ELSE $2 END,
        last_successful_run_id = CASE
            WHEN $3 = 1 AND NOT EXISTS (SELECT 1 FROM runs WHERE id = $2 AND is_saved = 0)
            THEN $2 ELSE last_successful_run_id END,
        output_id = CASE
            WHEN $3 = 1 AND NOT EXISTS (SELECT 1 FROM runs WHERE id = $2 AND is_saved = 0)
            THEN NULL ELSE output_id END,
        due_at = CASE WHEN waiting > 0 THEN CAST($4 AS BIGINT) ELSE NULL END
    WHERE tenant_id = $1 AND current_run_id = $2
    RETURNING waiting";

/// One tenant's state.
pub async fn get(tx: &mut Tx, id: TenantId) -> Result<TenantState> {
    let sql = format!("{SELECT} WHERE tenant_id = $1");
    let found = read_one(tx.row(&sql, &values![id]).await?, read)?;
    Tx::found(found, TenantId::KIND, id)
}

/// Those of these tenants, in no order.
pub async fn list(tx: &mut Tx, ids: &[TenantId]) -> Result<Vec<TenantState>> {
    let sql = format!("{SELECT} WHERE tenant_id IN {}", tx.dialect().id_list(1));
    tx.read_rows(&sql, &values![json(&ids)], read).await
}

/// Counts one more waiting trigger; false when `most` wait already.
pub async fn accept(tx: &mut Tx, id: TenantId, due_at: Timestamp, most: i64) -> Result<bool> {
    Ok(tx.execute(ACCEPT, &values![id, due_at, most]).await? == 1)
}

/// Tenants of one lane of an integration without a live run that are due, longest waiting first, at
/// most `limit`; taken for this transaction, and passed over by others.
pub async fn claim_due(
    tx: &mut Tx,
    integration: IntegrationId,
    lane: Lane,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<TenantId>> {
    // Written out, so that the lane's index is known to hold them.
    let last_run = match lane {
        Lane::Newcomers => "IS NULL",
        Lane::Others => "IS NOT NULL",
    };
    let sql = format!(
        "SELECT s.tenant_id FROM tenant_states s
        WHERE s.integration_id = $1 AND s.due_at <= $2 AND s.current_run_id IS NULL
            AND s.last_run_id {last_run}
        ORDER BY s.due_at, s.tenant_id LIMIT $3{}",
        tx.dialect().skip_locked("s")
    );
    let rows = tx.rows(&sql, &values![integration, now, limit]).await?;
    read_all(rows, |row| row.i64().map(TenantId::new))
}

/// Runs have taken triggers of these tenants.
pub async fn update_dispatched(tx: &mut Tx, dispatched: &[Dispatched]) -> Result<()> {
    let rows: Vec<_> = dispatched
        .iter()
        .map(|it| values![it.tenant_id, it.taken, it.due_at, it.run_id])
        .collect();
    tx.execute_each(DISPATCH, &rows).await?;
    Ok(())
}

/// Dispatch looked and shall look again then; none: not before something changes.
pub async fn update_due(tx: &mut Tx, due: &[(TenantId, Option<Timestamp>)]) -> Result<()> {
    let rows: Vec<_> = due
        .iter()
        .map(|(id, due_at)| values![*id, *due_at])
        .collect();
    tx.execute_each(POSTPONE, &rows).await?;
    Ok(())
}

/// Dispatch shall look at a tenant, or at all of an integration, because what held its triggers
/// is gone.
pub async fn update_resumed(
    tx: &mut Tx,
    integration: IntegrationId,
    only: Option<TenantId>,
    now: Timestamp,
) -> Result<()> {
    // In the order of their ids, as ends that are stored together do it, so that none waits in a
    // circle.
    let sql = format!(
        "WITH held AS MATERIALIZED (SELECT s.tenant_id FROM tenant_states s WHERE s.waiting > 0
            AND s.tenant_id IN (SELECT id FROM tenants
                WHERE integration_id = $1 AND (CAST($3 AS BIGINT) = 0 OR id = $3))
            ORDER BY s.tenant_id{})
        UPDATE tenant_states SET due_at = $2 WHERE tenant_id IN (SELECT tenant_id FROM held)",
        tx.dialect().for_update()
    );
    let only = only.map_or(0, TenantId::get);
    tx.execute(&sql, &values![integration, now, only]).await?;
    Ok(())
}

/// Live runs have ended; answers of each whether triggers wait for the next one.
pub async fn update_ended(tx: &mut Tx, ended: &[Ended], now: Timestamp) -> Result<Vec<bool>> {
    let row = |it: &Ended| values![it.tenant_id, it.run_id, i64::from(it.succeeded), now];
    let rows: Vec<_> = ended.iter().map(row).collect();
    let waits = tx
        .read_each(RELEASE, &rows, |row| row.i64().map(|count| count > 0))
        .await?;
    Ok(waits.into_iter().map(|waits| waits == Some(true)).collect())
}

/// Puts an output in place of the last successful run's, until another run succeeds.
pub async fn update_output(tx: &mut Tx, id: TenantId, output: OutputId) -> Result<()> {
    const SQL: &str = "UPDATE tenant_states SET output_id = $2 WHERE tenant_id = $1";
    tx.execute(SQL, &values![id, output]).await?;
    Ok(())
}

/// Waiting triggers were cancelled.
pub async fn update_cancelled(tx: &mut Tx, id: TenantId, count: i64) -> Result<()> {
    const SQL: &str = "UPDATE tenant_states SET waiting = waiting - $2 WHERE tenant_id = $1";
    tx.execute(SQL, &values![id, count]).await?;
    Ok(())
}

fn read(row: &mut Reader<'_>) -> Result<TenantState> {
    Ok(TenantState {
        tenant_id: TenantId::new(row.i64()?),
        waiting: row.i64()?,
        due_at: row.opt_time()?,
        current_run_id: row.opt_i64()?.map(RunId::new),
        last_run_id: row.opt_i64()?.map(RunId::new),
        last_successful_run_id: row.opt_i64()?.map(RunId::new),
        output_id: row.opt_i64()?.map(OutputId::new),
    })
}
