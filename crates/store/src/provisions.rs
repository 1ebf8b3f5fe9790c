//! What is provisioned for the connectors of integrations: one sealed text for each, and the names of what it
//! holds.

use marquetry_model::{IntegrationId, Timestamp};

use crate::query::{json, read_one};
use crate::value::{Reader, values};
use crate::{Result, Tx};

/// What is provisioned for one connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provision {
    /// Its row, which what is sealed is bound to.
    pub id: i64,
    /// The names of the values.
    pub names: Vec<String>,
    /// The values; empty until they are sealed for the first time.
    pub sealed: String,
    /// When they were last written.
    pub modified_at: Timestamp,
}

/// What is provisioned, if anything is.
pub async fn find(
    tx: &mut Tx,
    integration: IntegrationId,
    connector: &str,
) -> Result<Option<Provision>> {
    const SQL: &str = "SELECT id, names, sealed, modified_at FROM provisions
        WHERE integration_id = $1 AND connector = $2";
    let read = |row: &mut Reader| {
        Ok(Provision {
            id: row.i64()?,
            names: row.json()?,
            sealed: row.text()?,
            modified_at: row.time()?,
        })
    };
    read_one(tx.row(SQL, &values![integration, connector]).await?, read)
}

/// The row of a connector, made where there is none: what is sealed for it needs its id.
pub async fn ensure(
    tx: &mut Tx,
    integration: IntegrationId,
    connector: &str,
    now: Timestamp,
) -> Result<i64> {
    // Writes nothing new where it is there, but answers its id.
    const SQL: &str =
        "INSERT INTO provisions (integration_id, connector, names, sealed, modified_at)
        VALUES ($1, $2, '[]', '', $3) ON CONFLICT (integration_id, connector)
        DO UPDATE SET connector = excluded.connector RETURNING id";
    let row = tx.row(SQL, &values![integration, connector, now]).await?;
    let id = row.map(|row| row.reader().i64()).transpose()?;
    Tx::found(id, "provision", connector)
}

/// Keeps the values of a row.
pub async fn update(
    tx: &mut Tx,
    id: i64,
    names: &[String],
    sealed: &str,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str =
        "UPDATE provisions SET names = $2, sealed = $3, modified_at = $4 WHERE id = $1";
    tx.execute(SQL, &values![id, json(&names), sealed, now])
        .await?;
    Ok(())
}
