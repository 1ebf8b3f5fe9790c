//! Rows that hold a sealed text, as who seals them with another key goes through them.

use crate::query::read_all;
use crate::value::{Reader, values};
use crate::{Result, Tx};

/// A table with sealed texts that stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedTable {
    /// Secret settings of tenants.
    TenantSecrets,
    /// Secrets of integrations' builds, several of each by name.
    IntegrationSecrets,
    /// What is provisioned for connectors.
    Provisions,
    /// Credentials of connections.
    Connections,
}

/// A sealed text and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// The row's number.
    pub row: i64,
    /// What tells several texts of one row apart; else empty.
    pub name: String,
    /// The text.
    pub sealed: String,
}

impl SealedTable {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::TenantSecrets,
        Self::IntegrationSecrets,
        Self::Provisions,
        Self::Connections,
    ];

    /// Table, number and name.
    fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::TenantSecrets => ("tenant_secrets", "tenant_id", "''"),
            Self::IntegrationSecrets => ("integration_secrets", "integration_id", "name"),
            Self::Provisions => ("provisions", "id", "''"),
            Self::Connections => ("connections", "id", "''"),
        }
    }
}

/// Texts that do not begin with this, in the order of their places, at most `most`.
pub async fn list_other(
    tx: &mut Tx,
    table: SealedTable,
    beginning: &str,
    most: i64,
) -> Result<Vec<SealedRow>> {
    let (table, row, name) = table.parts();
    let sql = format!(
        "SELECT {row}, {name} AS name, sealed FROM {table}
        WHERE sealed <> '' AND substr(sealed, 1, {}) <> $1 ORDER BY {row}, name LIMIT $2",
        beginning.len()
    );
    let read = |row: &mut Reader| {
        Ok(SealedRow {
            row: row.i64()?,
            name: row.text()?,
            sealed: row.text()?,
        })
    };
    read_all(tx.rows(&sql, &values![beginning, most]).await?, read)
}

/// How many texts there are, and how many of them begin otherwise.
pub async fn count(tx: &mut Tx, table: SealedTable, beginning: &str) -> Result<(i64, i64)> {
    let (table, _, _) = table.parts();
    let sql = format!(
        "SELECT COUNT(*), COUNT(CASE WHEN substr(sealed, 1, {}) <> $1 THEN 1 END)
        FROM {table} WHERE sealed <> ''",
        beginning.len()
    );
    let row = tx.row(&sql, &values![beginning]).await?;
    let counts: Option<Result<(i64, i64)>> = row.map(|row| {
        let mut row = row.reader();
        Ok((row.i64()?, row.i64()?))
    });
    Ok(counts.transpose()?.unwrap_or_default())
}

/// Puts a text in place of the one that was read; false where another one has come meanwhile, which is newer.
pub async fn update(
    tx: &mut Tx,
    table: SealedTable,
    read: &SealedRow,
    sealed: &str,
) -> Result<bool> {
    let (table, row, name) = table.parts();
    let sql =
        format!("UPDATE {table} SET sealed = $4 WHERE {row} = $1 AND {name} = $2 AND sealed = $3");
    let row = values![read.row, read.name.as_str(), read.sealed.as_str(), sealed];
    Ok(tx.execute(&sql, &row).await? == 1)
}
