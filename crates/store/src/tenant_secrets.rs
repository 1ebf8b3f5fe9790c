//! The secret settings of tenants, sealed before they come here: one text for all that a tenant has.
//! A row stays as long as its tenant, or until it has no secret any more.

use marquetry_model::{TenantId, Timestamp};

use crate::value::values;
use crate::{Result, Tx};

const FIND: &str = "SELECT sealed FROM tenant_secrets WHERE tenant_id = $1";
const UPDATE: &str = "INSERT INTO tenant_secrets (tenant_id, sealed, modified_at)
    VALUES ($1, $2, $3)
    ON CONFLICT (tenant_id)
    DO UPDATE SET sealed = excluded.sealed, modified_at = excluded.modified_at";
const DELETE: &str = "DELETE FROM tenant_secrets WHERE tenant_id = $1";

/// The sealed text of a tenant, if it has one.
pub async fn find(tx: &mut Tx, id: TenantId) -> Result<Option<String>> {
    let row = tx.row(FIND, &values![id]).await?;
    row.map(|row| row.reader().text()).transpose()
}

/// Keeps one, in place of the former one.
pub async fn update(tx: &mut Tx, id: TenantId, sealed: &str, now: Timestamp) -> Result<()> {
    tx.execute(UPDATE, &values![id, sealed, now]).await?;
    Ok(())
}

/// Forgets it; that there is none is no error.
pub async fn delete(tx: &mut Tx, id: TenantId) -> Result<()> {
    tx.execute(DELETE, &values![id]).await?;
    Ok(())
}
