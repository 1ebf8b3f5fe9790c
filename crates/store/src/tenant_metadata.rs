//! The metadata of tenants: one JSON object each, absent until something is known. Rows stay as
//! long as their tenant.

use marquetry_model::{TenantId, TenantMetadata, Timestamp};
use serde_json::{Map, Value as Json};

use crate::query::{json, read_all, read_one};
use crate::value::{Reader, values};
use crate::{Result, Tx};

const FIND: &str =
    "SELECT tenant_id, data, created_at, modified_at FROM tenant_metadata WHERE tenant_id = $1";
const UPDATE: &str = "INSERT INTO tenant_metadata (tenant_id, data, created_at, modified_at)
    VALUES ($1, $2, $3, $3)
    ON CONFLICT (tenant_id) DO UPDATE SET data = excluded.data, modified_at = excluded.modified_at";

/// What is known about one tenant, if anything.
pub async fn find(tx: &mut Tx, id: TenantId) -> Result<Option<TenantMetadata>> {
    read_one(tx.row(FIND, &values![id]).await?, read)
}

/// What is known about several tenants, in no order; those about whom nothing is are left out.
pub async fn list(tx: &mut Tx, ids: &[TenantId]) -> Result<Vec<TenantMetadata>> {
    let sql = format!(
        "SELECT tenant_id, data, created_at, modified_at FROM tenant_metadata
        WHERE tenant_id IN {}",
        tx.dialect().id_list(1)
    );
    read_all(tx.rows(&sql, &values![json(&ids)]).await?, read)
}

/// Makes this all that is known. The tenant must be locked, or what another wrote since it was
/// read is lost.
pub async fn update(
    tx: &mut Tx,
    id: TenantId,
    data: &Map<String, Json>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(UPDATE, &values![id, json(data), now]).await?;
    Ok(())
}

fn read(row: &mut Reader) -> Result<TenantMetadata> {
    Ok(TenantMetadata {
        tenant_id: TenantId::new(row.i64()?),
        data: row.json()?,
        created_at: Some(row.time()?),
        modified_at: Some(row.time()?),
    })
}
