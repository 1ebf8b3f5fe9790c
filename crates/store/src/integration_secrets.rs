//! Secrets of integrations, sealed before they come here.

use marquetry_model::{IntegrationId, Timestamp};

use crate::query::read_all;
use crate::value::{Reader, values};
use crate::{Result, Tx};

const UPDATE: &str = "INSERT INTO integration_secrets (integration_id, name, sealed, modified_at)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (integration_id, name)
    DO UPDATE SET sealed = excluded.sealed, modified_at = excluded.modified_at";
const DELETE: &str = "DELETE FROM integration_secrets WHERE integration_id = $1 AND name = $2";
const LIST: &str =
    "SELECT name, sealed FROM integration_secrets WHERE integration_id = $1 ORDER BY name";

/// Keeps one, in place of a former one of the name.
pub async fn update(
    tx: &mut Tx,
    id: IntegrationId,
    name: &str,
    sealed: &str,
    now: Timestamp,
) -> Result<()> {
    tx.execute(UPDATE, &values![id, name, sealed, now]).await?;
    Ok(())
}

/// Forgets one; that there is none is no error.
pub async fn delete(tx: &mut Tx, id: IntegrationId, name: &str) -> Result<()> {
    tx.execute(DELETE, &values![id, name]).await?;
    Ok(())
}

/// Names and sealed texts of one integration, by name.
pub async fn list(tx: &mut Tx, id: IntegrationId) -> Result<Vec<(String, String)>> {
    let read = |row: &mut Reader| Ok((row.text()?, row.text()?));
    read_all(tx.rows(LIST, &values![id]).await?, read)
}
