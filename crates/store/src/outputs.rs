//! Outputs that somebody wrote by hand, in place of what a run printed. They never change.

use marquetry_model::{OutputId, TenantId, Timestamp};

use crate::value::values;
use crate::{Result, Tx};

/// Adds one; none: no output at all.
pub async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    std_out: Option<&str>,
    now: Timestamp,
) -> Result<OutputId> {
    const SQL: &str = "INSERT INTO outputs (tenant_id, std_out, created_at) VALUES ($1, $2, $3)
        RETURNING id";
    let row = tx
        .row(SQL, &values![tenant, std_out.map(str::to_owned), now])
        .await?;
    Tx::found(row, OutputId::KIND, "new")?
        .reader()
        .i64()
        .map(OutputId::new)
}

/// What one of them says; none: no output at all.
pub async fn get(tx: &mut Tx, id: OutputId) -> Result<Option<String>> {
    const SQL: &str = "SELECT std_out FROM outputs WHERE id = $1";
    let row = tx.row(SQL, &values![id]).await?;
    Tx::found(row, OutputId::KIND, id)?.reader().opt_text()
}
