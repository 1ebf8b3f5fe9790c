//! Consents that were asked for and are not yet given.

use marquetry_model::{ConnectAttempt, ConnectionOf, IntegrationId, TenantId, Timestamp};

use crate::query::read_one;
use crate::value::{Reader, values};
use crate::{Result, Tx};

/// Adds one that is sealed later, and answers its id.
pub async fn insert(
    tx: &mut Tx,
    of: &ConnectionOf,
    hashes: Hashes<'_>,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<i64> {
    const SQL: &str =
        "INSERT INTO connect_attempts (state_hash, browser_hash, integration_id, tenant_id,
            connector, sealed, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, '', $6, $7) RETURNING id";
    let row = values![
        hashes.state,
        hashes.browser,
        of.integration_id,
        of.tenant_id,
        of.connector.as_str(),
        now,
        expires_at
    ];
    let id = tx.row(SQL, &row).await?;
    let id = id.map(|row| row.reader().i64()).transpose()?;
    Tx::found(id, "connect attempt", "new")
}

/// What an attempt is known by.
#[derive(Debug, Clone, Copy)]
pub struct Hashes<'a> {
    /// Of what goes through the provider.
    pub state: &'a str,
    /// Of what the browser has in a cookie.
    pub browser: &'a str,
}

/// Keeps what it needs to go on.
pub async fn update_sealed(tx: &mut Tx, id: i64, sealed: &str) -> Result<()> {
    const SQL: &str = "UPDATE connect_attempts SET sealed = $2 WHERE id = $1";
    tx.execute(SQL, &values![id, sealed]).await?;
    Ok(())
}

/// Consumes the one of a state, whichever browser it comes from: a second use finds nothing.
pub async fn take(tx: &mut Tx, state_hash: &str, now: Timestamp) -> Result<Option<ConnectAttempt>> {
    const SQL: &str = "DELETE FROM connect_attempts WHERE state_hash = $1 AND expires_at > $2
        RETURNING id, integration_id, tenant_id, connector, browser_hash, sealed, expires_at";
    read_one(tx.row(SQL, &values![state_hash, now]).await?, read)
}

/// The one of a state, which stays: it is asked for again.
pub async fn find(tx: &mut Tx, state_hash: &str, now: Timestamp) -> Result<Option<ConnectAttempt>> {
    const SQL: &str =
        "SELECT id, integration_id, tenant_id, connector, browser_hash, sealed, expires_at
        FROM connect_attempts WHERE state_hash = $1 AND expires_at > $2";
    read_one(tx.row(SQL, &values![state_hash, now]).await?, read)
}

fn read(row: &mut Reader<'_>) -> Result<ConnectAttempt> {
    Ok(ConnectAttempt {
        id: row.i64()?,
        of: ConnectionOf {
            integration_id: IntegrationId::new(row.i64()?),
            tenant_id: row.opt_i64()?.map(TenantId::new),
            connector: row.text()?,
        },
        browser_hash: row.text()?,
        sealed: row.text()?,
        expires_at: row.time()?,
    })
}

/// Forgets the attempts to make a connection: the link that they began with was revoked.
pub async fn delete_of(tx: &mut Tx, of: &ConnectionOf) -> Result<u64> {
    const SQL: &str = "DELETE FROM connect_attempts WHERE integration_id = $1
        AND COALESCE(tenant_id, 0) = $2 AND connector = $3";
    let tenant = of.tenant_id.map_or(0, TenantId::get);
    let row = values![of.integration_id, tenant, of.connector.as_str()];
    tx.execute(SQL, &row).await
}

/// Forgets attempts that have ended, at most `most`; answers how many.
pub async fn delete_ended(tx: &mut Tx, now: Timestamp, most: i64) -> Result<u64> {
    const SQL: &str = "DELETE FROM connect_attempts WHERE id IN (
        SELECT id FROM connect_attempts WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
    tx.execute(SQL, &values![now, most]).await
}
