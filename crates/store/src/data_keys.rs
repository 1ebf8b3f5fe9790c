//! Data keys: those of each kind of secrets, wrapped by a master key that is not here.
//!
//! The first of a kind lies in a table of its own, where earlier versions look for it; what comes after it is a
//! generation. Their ids never meet: a sealed text names its key by one number.

use marquetry_model::Timestamp;

use crate::query::{read_all, read_one};
use crate::value::{Reader, values};
use crate::{Result, Tx};

/// Ids of generations begin behind this one.
const GENERATIONS: i64 = 1 << 40;

const INSERT: &str = "INSERT INTO data_keys (kind, master_key_id, wrapped, created_at)
    VALUES ($1, $2, $3, $4) ON CONFLICT (kind) DO NOTHING";
const FIND: &str = "SELECT id, wrapped FROM data_keys WHERE kind = $1";

/// A data key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Which one.
    pub id: i64,
    /// Wrapped by the master key.
    pub wrapped: String,
}

/// A key with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// The key.
    pub key: WrappedKey,
    /// What is sealed with it.
    pub kind: String,
    /// Which master key wraps it.
    pub master_key_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is sealed with, unless there is a later one.
    pub active_from: Timestamp,
    /// When nothing was sealed with an older one any more; none: never seen, or it is the first.
    pub done_at: Option<Timestamp>,
}

/// Keeps the first key of a kind, unless there is one already.
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

/// The first key of a kind, if there is one.
pub async fn find(tx: &mut Tx, kind: &str) -> Result<Option<WrappedKey>> {
    let read = |row: &mut Reader| {
        Ok(WrappedKey {
            id: row.i64()?,
            wrapped: row.text()?,
        })
    };
    read_one(tx.row(FIND, &values![kind]).await?, read)
}

/// All keys, of one kind or of all where that is empty: in the order in which they are used.
pub async fn list(tx: &mut Tx, kind: &str) -> Result<Vec<Generation>> {
    const SQL: &str = "SELECT id, wrapped, kind, master_key_id, created_at, created_at AS active_from,
            CAST(NULL AS BIGINT) AS done_at, CAST(0 AS BIGINT) AS later FROM data_keys WHERE $1 = '' OR kind = $1
        UNION ALL SELECT id, wrapped, kind, master_key_id, created_at, active_from, done_at, CAST(1 AS BIGINT) AS later
            FROM data_key_generations WHERE $1 = '' OR kind = $1
        ORDER BY kind, later, active_from, id";
    let read = |row: &mut Reader| {
        let (id, wrapped) = (row.i64()?, row.text()?);
        let mut found = Generation {
            key: WrappedKey { id, wrapped },
            kind: row.text()?,
            master_key_id: row.text()?,
            created_at: row.time()?,
            active_from: row.time()?,
            done_at: row.opt_time()?,
        };
        if row.bool()? {
            found.key.id += GENERATIONS;
        }
        Ok(found)
    };
    read_all(tx.rows(SQL, &values![kind]).await?, read)
}

/// Adds a key to a kind, which is used from `active_from` on.
pub async fn insert_generation(
    tx: &mut Tx,
    kind: &str,
    master_key_id: &str,
    wrapped: &str,
    now: Timestamp,
    active_from: Timestamp,
) -> Result<i64> {
    const SQL: &str =
        "INSERT INTO data_key_generations (kind, master_key_id, wrapped, created_at, active_from)
        VALUES ($1, $2, $3, $4, $5) RETURNING id";
    let row = values![kind, master_key_id, wrapped, now, active_from];
    let id = tx.row(SQL, &row).await?;
    let id = id.map(|row| row.reader().i64()).transpose()?;
    Tx::found(id.map(|id| id + GENERATIONS), "data key", kind)
}

/// Notes that nothing is sealed with an older key.
pub async fn update_done(tx: &mut Tx, id: i64, now: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE data_key_generations SET done_at = $2 WHERE id = $1";
    tx.execute(SQL, &values![id - GENERATIONS, now]).await?;
    Ok(())
}

/// Puts a key under another master key; false where that was done meanwhile.
pub async fn update_wrapped(
    tx: &mut Tx,
    key: &WrappedKey,
    master_key_id: &str,
    wrapped: &str,
) -> Result<bool> {
    let (table, id) = place(key.id);
    let sql = format!(
        "UPDATE {table} SET master_key_id = $3, wrapped = $4 WHERE id = $1 AND wrapped = $2"
    );
    let row = values![id, key.wrapped.as_str(), master_key_id, wrapped];
    Ok(tx.execute(&sql, &row).await? == 1)
}

/// Forgets a key that nothing is sealed with.
pub async fn delete(tx: &mut Tx, id: i64) -> Result<()> {
    let (table, id) = place(id);
    let sql = format!("DELETE FROM {table} WHERE id = $1");
    tx.execute(&sql, &values![id]).await?;
    Ok(())
}

fn place(id: i64) -> (&'static str, i64) {
    if id > GENERATIONS {
        ("data_key_generations", id - GENERATIONS)
    } else {
        ("data_keys", id)
    }
}
