//! Integrations whose tenants are to be looked through for settings that are secrets and lie open: a
//! release has made them secrets, or they are older than the sealing.

use marquetry_model::{IntegrationId, Timestamp};

use crate::query::read_all;
use crate::value::{Reader, values};
use crate::{Result, Tx};

const INSERT: &str = "INSERT INTO secret_sweeps (integration_id, marked_at, due_at)
    VALUES ($1, $2, $2)
    ON CONFLICT (integration_id)
    DO UPDATE SET marked_at = excluded.marked_at, due_at = excluded.due_at";
const LIST_DUE: &str = "SELECT integration_id, marked_at FROM secret_sweeps WHERE due_at <= $1
    ORDER BY due_at, integration_id LIMIT $2";
const FIND_NEXT: &str = "SELECT due_at FROM secret_sweeps ORDER BY due_at LIMIT 1";
const UPDATE_DUE: &str =
    "UPDATE secret_sweeps SET due_at = $3 WHERE integration_id = $1 AND marked_at = $2";
const DELETE: &str = "DELETE FROM secret_sweeps WHERE integration_id = $1 AND marked_at = $2";

/// An integration that was marked. Who marks it once more, later, makes another mark of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// Whose tenants.
    pub integration_id: IntegrationId,
    /// Since when.
    pub marked_at: Timestamp,
}

/// Marks an integration: it is due now.
pub async fn insert(tx: &mut Tx, id: IntegrationId, now: Timestamp) -> Result<()> {
    tx.execute(INSERT, &values![id, now]).await?;
    Ok(())
}

/// Those that are due, at most `limit`.
pub async fn list_due(tx: &mut Tx, now: Timestamp, limit: i64) -> Result<Vec<Sweep>> {
    let read = |row: &mut Reader| {
        Ok(Sweep {
            integration_id: IntegrationId::new(row.i64()?),
            marked_at: row.time()?,
        })
    };
    read_all(tx.rows(LIST_DUE, &values![now, limit]).await?, read)
}

/// When the next one is due.
pub async fn find_next(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let row = tx.row(FIND_NEXT, &[]).await?;
    row.map(|row| row.reader().time()).transpose()
}

/// Says when one is due again; nothing happens to one that was marked again meanwhile.
pub async fn update_due(tx: &mut Tx, sweep: Sweep, due: Timestamp) -> Result<()> {
    let row = values![sweep.integration_id, sweep.marked_at, due];
    tx.execute(UPDATE_DUE, &row).await?;
    Ok(())
}

/// Takes the mark away; nothing happens to one that was marked again meanwhile.
pub async fn delete(tx: &mut Tx, sweep: Sweep) -> Result<()> {
    let row = values![sweep.integration_id, sweep.marked_at];
    tx.execute(DELETE, &row).await?;
    Ok(())
}
