//! Definitions of connectors that operators added, as the texts that they gave.

use marquetry_model::Timestamp;

use crate::query::{List, json, read_all};
use crate::value::{Reader, values};
use crate::{Result, Tx};

/// What a list of definitions is sorted by; it has shipped ones, too, which are in no table.
pub const LIST: List = List {
    select: "SELECT id FROM connectors",
    count: "SELECT COUNT(*) FROM connectors",
    sorts: &[("name", "name"), ("title", "name"), ("origin", "name")],
    order: "id",
};

/// The text of one, if there is one.
pub async fn find(tx: &mut Tx, name: &str) -> Result<Option<String>> {
    const SQL: &str = "SELECT definition FROM connectors WHERE name = $1";
    let row = tx.row(SQL, &values![name]).await?;
    row.map(|row| row.reader().text()).transpose()
}

/// All of them: name and text, by name.
pub async fn list(tx: &mut Tx) -> Result<Vec<(String, String)>> {
    const SQL: &str = "SELECT name, definition FROM connectors ORDER BY name";
    let read = |row: &mut Reader| Ok((row.text()?, row.text()?));
    read_all(tx.rows(SQL, &[]).await?, read)
}

/// Keeps one, in place of the former one of its name.
pub async fn update(tx: &mut Tx, name: &str, definition: &str, now: Timestamp) -> Result<()> {
    const SQL: &str = "INSERT INTO connectors (name, definition, created_at, modified_at)
        VALUES ($1, $2, $3, $3) ON CONFLICT (name)
        DO UPDATE SET definition = excluded.definition, modified_at = excluded.modified_at";
    tx.execute(SQL, &values![name, definition, now]).await?;
    Ok(())
}

/// Forgets one; false where there is none.
pub async fn delete(tx: &mut Tx, name: &str) -> Result<bool> {
    let gone = tx
        .execute("DELETE FROM connectors WHERE name = $1", &values![name])
        .await?;
    Ok(gone == 1)
}

/// The integrations that are not archived and have a connector of this name, as a sentence names them: at most
/// `most`.
pub async fn list_users(tx: &mut Tx, name: &str, most: i64) -> Result<Vec<String>> {
    // As it stands in the column. Not LIKE: `_` means something to it, and on SQLite case means nothing.
    const SQL: &str = "SELECT name FROM integrations WHERE archived_at IS NULL
        AND REPLACE(connectors, $1, '') <> connectors ORDER BY id LIMIT $2";
    let member = format!("\"name\":{}", json(&name));
    read_all(
        tx.rows(SQL, &values![member, most]).await?,
        |row: &mut Reader| row.text(),
    )
}
