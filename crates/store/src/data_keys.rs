//! Data keys: one for each kind of secrets, wrapped by a master key that is not here.

use marquetry_model::Timestamp;

use crate::query::read_one;
use crate::value::{Reader, values};
use crate::{Result, Tx};

const INSERT: &str = "INSERT INTO data_keys (kind, master_key_id, wrapped, created_at)
    VALUES ($1, $2, $3, $4) ON CONFLICT (kind) DO NOTHING";
const FIND: &str = "SELECT id, wrapped FROM data_keys WHERE kind = $1";
const FIND_FOREIGN: &str =
    "SELECT master_key_id FROM data_keys WHERE master_key_id <> $1 ORDER BY id LIMIT 1";

/// A data key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Which one.
    pub id: i64,
    /// Wrapped by the master key.
    pub wrapped: String,
}

/// Keeps the key of a kind, unless there is one already.
pub async fn insert(
    tx: &mut Tx,
    kind: &str,
    master_key_id: &str,
    wrapped: &str,
    now: Timestamp,
) -> Result<()> {
    let row = values![kind, master_key_id, wrapped, now];
    tx.execute(INSERT, &row).await?;
    Ok(())
}

/// The key of a kind, if there is one.
pub async fn find(tx: &mut Tx, kind: &str) -> Result<Option<WrappedKey>> {
    let read = |row: &mut Reader| {
        Ok(WrappedKey {
            id: row.i64()?,
            wrapped: row.text()?,
        })
    };
    read_one(tx.row(FIND, &values![kind]).await?, read)
}

/// The id of a master key that wraps a key here and is not this one, if there is any.
pub async fn find_foreign(tx: &mut Tx, master_key_id: &str) -> Result<Option<String>> {
    let row = tx.row(FIND_FOREIGN, &values![master_key_id]).await?;
    read_one(row, |row: &mut Reader| row.text())
}
