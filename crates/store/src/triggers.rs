//! Triggers: never merged away, each keeps its id.

use std::collections::BTreeMap;

use marquetry_model::{Mode, RunId, Source, TenantId, Timestamp, Trigger, TriggerId, Waiting};

use crate::query::{json, read_all, read_one};
use crate::value::{Reader, values};
use crate::{Result, Tx};

macro_rules! columns {
    () => {
        "id, tenant_id, source, mode, payload, payload_blob, headers, run_id, cancelled_at, \
         created_at"
    };
}

/// A trigger without its payload and headers, as lists need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerHead {
    /// Its id.
    pub id: TriggerId,
    /// Where it came from.
    pub source: Source,
    /// How the run shall behave.
    pub mode: Mode,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Bytes of the payload that lies in the row; none when there is none.
    pub payload_bytes: Option<i64>,
    /// Where a large payload lies.
    pub payload_blob: Option<String>,
}

/// The length of a payload is known without reading it.
const HEAD: &str =
    "run_id, id, source, mode, created_at, CAST(length(payload) AS BIGINT), payload_blob";

const INSERT: &str =
    "INSERT INTO triggers (tenant_id, source, mode, payload, payload_blob, headers,
        created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id";
const FIND: &str = concat!("SELECT ", columns!(), " FROM triggers WHERE id = $1");
/// Adds one that waits (its id is ignored).
pub async fn insert(tx: &mut Tx, trigger: &Trigger) -> Result<TriggerId> {
    let t = trigger;
    let row = values![
        t.tenant_id,
        t.source.as_str(),
        t.mode.as_str(),
        t.payload.clone(),
        t.payload_blob.clone(),
        t.headers.clone(),
        t.created_at
    ];
    let row = tx.row(INSERT, &row).await?;
    Tx::found(row, TriggerId::KIND, "new")?
        .reader()
        .i64()
        .map(TriggerId::new)
}

/// One of them, if there is.
pub async fn find(tx: &mut Tx, id: TriggerId) -> Result<Option<Trigger>> {
    read_one(tx.row(FIND, &values![id]).await?, read)
}

/// What waits for these tenants, in order of arrival.
pub async fn list_waiting(tx: &mut Tx, tenants: &[TenantId]) -> Result<Vec<(TenantId, Waiting)>> {
    let sql = format!(
        "SELECT tenant_id, id, source, mode, CASE WHEN rerun_of IS NULL THEN 0 ELSE 1 END,
            created_at FROM triggers
        WHERE tenant_id IN {} AND run_id IS NULL AND cancelled_at IS NULL ORDER BY id",
        tx.dialect().id_list(1)
    );
    tx.read_rows(&sql, &values![json(&tenants)], |row| {
        let tenant = TenantId::new(row.i64()?);
        let waiting = Waiting {
            id: TriggerId::new(row.i64()?),
            source: row.word()?,
            mode: row.word()?,
            is_rerun: row.bool()?,
            created_at: row.time()?,
        };
        Ok((tenant, waiting))
    })
    .await
}

/// Those of a tenant that were cancelled, and when, newest first.
pub async fn list_cancelled(
    tx: &mut Tx,
    tenant: TenantId,
    most: i64,
) -> Result<Vec<(TriggerId, Timestamp)>> {
    const SQL: &str = "SELECT id, cancelled_at FROM triggers
        WHERE tenant_id = $1 AND cancelled_at IS NOT NULL ORDER BY id DESC LIMIT $2";
    read_all(tx.rows(SQL, &values![tenant, most]).await?, |row| {
        Ok((TriggerId::new(row.i64()?), row.time()?))
    })
}

/// Gives waiting triggers to runs; answers how many it gave.
pub async fn update_taken(tx: &mut Tx, taken: &[(TriggerId, RunId)]) -> Result<u64> {
    let sql = format!(
        "UPDATE triggers SET run_id = p.b FROM {} AS p
        WHERE triggers.id = p.a AND run_id IS NULL AND cancelled_at IS NULL",
        tx.dialect().pairs(1)
    );
    let runs: BTreeMap<TriggerId, RunId> = taken.iter().copied().collect();
    tx.execute(&sql, &values![json(&runs)]).await
}

/// Those of these runs, in order of arrival.
pub async fn list_of_runs(tx: &mut Tx, runs: &[RunId]) -> Result<Vec<Trigger>> {
    let sql = format!(
        "SELECT {} FROM triggers WHERE run_id IN {} ORDER BY id",
        columns!(),
        tx.dialect().id_list(1)
    );
    tx.read_rows(&sql, &values![json(&runs)], read).await
}

/// Those of several runs, in order of arrival, without what makes them large. With `most`, only
/// the first ones of each run.
pub async fn list_heads(
    tx: &mut Tx,
    runs: &[RunId],
    most: Option<u32>,
) -> Result<Vec<(RunId, TriggerHead)>> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let of_runs = format!("run_id IN {}", tx.dialect().id_list(1));
    let (sql, values) = if let Some(most) = most {
        let sql = format!(
            "SELECT {HEAD} FROM triggers WHERE id IN (
                SELECT id FROM (
                    SELECT id, ROW_NUMBER() OVER (PARTITION BY run_id ORDER BY id) AS place
                    FROM triggers WHERE {of_runs}
                ) AS numbered WHERE place <= $2
            ) ORDER BY id"
        );
        (sql, values![json(&runs), i64::from(most)].to_vec())
    } else {
        let sql = format!("SELECT {HEAD} FROM triggers WHERE {of_runs} ORDER BY id");
        (sql, values![json(&runs)].to_vec())
    };
    tx.read_rows(&sql, &values, |row| {
        let run = RunId::new(row.i64()?);
        let head = TriggerHead {
            id: TriggerId::new(row.i64()?),
            source: row.word()?,
            mode: row.word()?,
            created_at: row.time()?,
            payload_bytes: row.opt_i64()?,
            payload_blob: row.opt_text()?,
        };
        Ok((run, head))
    })
    .await
}

/// The payloads that lie in the rows of these triggers; who asks knows that they are small.
pub async fn list_payloads(tx: &mut Tx, ids: &[TriggerId]) -> Result<Vec<(TriggerId, Vec<u8>)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT id, payload FROM triggers WHERE id IN {} AND payload IS NOT NULL ORDER BY id",
        tx.dialect().id_list(1)
    );
    read_all(tx.rows(&sql, &values![json(&ids)]).await?, |row| {
        let id = TriggerId::new(row.i64()?);
        Ok((id, row.opt_blob()?.unwrap_or_default()))
    })
}

/// Cancels all that wait for a tenant; answers how many.
pub async fn cancel_waiting(tx: &mut Tx, tenant: TenantId, now: Timestamp) -> Result<u64> {
    const SQL: &str = "UPDATE triggers SET cancelled_at = $2
        WHERE tenant_id = $1 AND run_id IS NULL AND cancelled_at IS NULL";
    tx.execute(SQL, &values![tenant, now]).await
}

/// Cancels one that waits; answers whether it did.
pub async fn cancel(tx: &mut Tx, id: TriggerId, now: Timestamp) -> Result<bool> {
    const SQL: &str = "UPDATE triggers SET cancelled_at = $2
        WHERE id = $1 AND run_id IS NULL AND cancelled_at IS NULL";
    Ok(tx.execute(SQL, &values![id, now]).await? == 1)
}

fn read(row: &mut Reader<'_>) -> Result<Trigger> {
    Ok(Trigger {
        id: TriggerId::new(row.i64()?),
        tenant_id: TenantId::new(row.i64()?),
        source: row.word()?,
        mode: row.word()?,
        payload: row.opt_blob()?,
        payload_blob: row.opt_text()?,
        headers: row.opt_text()?,
        run_id: row.opt_i64()?.map(RunId::new),
        cancelled_at: row.opt_time()?,
        created_at: row.time()?,
    })
}
