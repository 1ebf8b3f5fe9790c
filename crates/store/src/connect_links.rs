//! Links by which somebody without a login connects one connector.

use marquetry_model::{ConnectLink, ConnectionOf, IntegrationId, TenantId, Timestamp};

use crate::query::read_one;
use crate::value::{Reader, values};
use crate::{Result, Tx};

/// Adds one, known by the hash of its token; answers its id.
pub async fn insert(tx: &mut Tx, token_hash: &str, link: &ConnectLink) -> Result<i64> {
    const SQL: &str =
        "INSERT INTO connect_links (token_hash, integration_id, tenant_id, connector, once,
            created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id";
    let row = values![
        token_hash,
        link.of.integration_id,
        link.of.tenant_id,
        link.of.connector.as_str(),
        link.once,
        link.created_at,
        link.expires_at
    ];
    let id = tx.row(SQL, &row).await?;
    let id = id.map(|row| row.reader().i64()).transpose()?;
    Tx::found(id, "link", "new")
}

/// The one of a token, unless it has ended.
pub async fn find(tx: &mut Tx, token_hash: &str, now: Timestamp) -> Result<Option<ConnectLink>> {
    const SQL: &str = "SELECT integration_id, tenant_id, connector, once, created_at, expires_at
        FROM connect_links WHERE token_hash = $1 AND (expires_at IS NULL OR expires_at > $2)";
    let read = |row: &mut Reader| {
        Ok(ConnectLink {
            of: ConnectionOf {
                integration_id: IntegrationId::new(row.i64()?),
                tenant_id: row.opt_i64()?.map(TenantId::new),
                connector: row.text()?,
            },
            once: row.bool()?,
            created_at: row.time()?,
            expires_at: row.opt_time()?,
        })
    };
    read_one(tx.row(SQL, &values![token_hash, now]).await?, read)
}

/// Takes one that works once; false where somebody else has.
pub async fn delete(tx: &mut Tx, token_hash: &str) -> Result<bool> {
    const SQL: &str = "DELETE FROM connect_links WHERE token_hash = $1";
    Ok(tx.execute(SQL, &values![token_hash]).await? == 1)
}

/// Revokes all links to a connection; answers how many there were.
pub async fn delete_of(tx: &mut Tx, of: &ConnectionOf) -> Result<u64> {
    const SQL: &str = "DELETE FROM connect_links WHERE integration_id = $1
        AND COALESCE(tenant_id, 0) = $2 AND connector = $3";
    let tenant = of.tenant_id.map_or(0, TenantId::get);
    tx.execute(
        SQL,
        &values![of.integration_id, tenant, of.connector.as_str()],
    )
    .await
}

/// Forgets links that have ended, at most `most`; answers how many.
pub async fn delete_ended(tx: &mut Tx, now: Timestamp, most: i64) -> Result<u64> {
    const SQL: &str = "DELETE FROM connect_links WHERE id IN (
        SELECT id FROM connect_links WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
    tx.execute(SQL, &values![now, most]).await
}
