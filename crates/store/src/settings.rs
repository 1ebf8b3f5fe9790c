//! Settings of the installation: name and value, both text.

use marquetry_model::Timestamp;

use crate::value::values;
use crate::{Result, Tx};

const FIND: &str = "SELECT value FROM settings WHERE name = $1";
const INSERT: &str = "INSERT INTO settings (name, value, modified_at) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO NOTHING";
const UPDATE: &str = "INSERT INTO settings (name, value, modified_at) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, modified_at = excluded.modified_at";

/// Takes a turn at what one node does from time to time: notes `now` unless somebody noted a time
/// after `since`; answers whether this call did.
pub async fn claim(tx: &mut Tx, name: &str, now: Timestamp, since: Timestamp) -> Result<bool> {
    const SQL: &str = "INSERT INTO settings (name, value, modified_at) VALUES ($1, '', $2)
        ON CONFLICT (name) DO UPDATE SET modified_at = excluded.modified_at
        WHERE settings.modified_at <= $3";
    Ok(tx.execute(SQL, &values![name, now, since]).await? == 1)
}

/// The value of a setting.
pub async fn find(tx: &mut Tx, name: &str) -> Result<Option<String>> {
    let row = tx.row(FIND, &values![name]).await?;
    row.map(|row| row.reader().text()).transpose()
}

/// Sets it unless it is set; answers whether this call did.
pub async fn insert(tx: &mut Tx, name: &str, value: &str, now: Timestamp) -> Result<bool> {
    Ok(tx.execute(INSERT, &values![name, value, now]).await? == 1)
}

/// Sets it, whatever it was.
pub async fn update(tx: &mut Tx, name: &str, value: &str, now: Timestamp) -> Result<()> {
    tx.execute(UPDATE, &values![name, value, now]).await?;
    Ok(())
}
