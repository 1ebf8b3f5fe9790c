//! The former settings of tenants, by version, without secrets: what runs of then were given.

use marquetry_model::TenantId;
use serde_json::{Map, Value as Json};

use crate::query::{json, read_all};
use crate::value::{Reader, values};
use crate::{Result, Tx};

/// Keeps the settings that a tenant has under their version, and raises the version: they are about
/// to change. The tenant must be locked.
pub async fn insert(tx: &mut Tx, id: TenantId, configs: &Map<String, Json>) -> Result<()> {
    const KEEP: &str = "INSERT INTO tenant_configs (tenant_id, version, configs)
        SELECT id, configs_version, $2 FROM tenants WHERE id = $1";
    const RAISE: &str = "UPDATE tenants SET configs_version = configs_version + 1 WHERE id = $1";
    tx.execute(KEEP, &values![id, json(configs)]).await?;
    tx.execute(RAISE, &values![id]).await?;
    Ok(())
}

/// All former settings of a tenant, by version.
pub async fn list(tx: &mut Tx, id: TenantId) -> Result<Vec<(i64, Map<String, Json>)>> {
    const SQL: &str =
        "SELECT version, configs FROM tenant_configs WHERE tenant_id = $1 ORDER BY version";
    let read = |row: &mut Reader| Ok((row.i64()?, row.json()?));
    read_all(tx.rows(SQL, &values![id]).await?, read)
}

/// Replaces those of a version, of which something is to be forgotten.
pub async fn update(
    tx: &mut Tx,
    id: TenantId,
    version: i64,
    configs: &Map<String, Json>,
) -> Result<()> {
    const SQL: &str =
        "UPDATE tenant_configs SET configs = $3 WHERE tenant_id = $1 AND version = $2";
    tx.execute(SQL, &values![id, version, json(configs)])
        .await?;
    Ok(())
}

/// The settings of a version; none when they are the present ones.
pub async fn find(tx: &mut Tx, id: TenantId, version: i64) -> Result<Option<Map<String, Json>>> {
    const SQL: &str = "SELECT configs FROM tenant_configs WHERE tenant_id = $1 AND version = $2";
    tx.row(SQL, &values![id, version])
        .await?
        .map(|row| row.reader().json())
        .transpose()
}
