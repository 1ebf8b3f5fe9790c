//! Connections: status and sealed credentials, and the lease of who renews them.

use marquetry_model::{
    Connection, ConnectionId, ConnectionOf, ConnectionStatus, IntegrationId, TenantId, Timestamp,
};

use crate::query::{read_all, read_one};
use crate::value::{Reader, values};
use crate::{Result, Tx};

macro_rules! columns {
    () => {
        "id, integration_id, tenant_id, connector, status, reason, sealed, version, issued_at, \
         expires_at, refresh_at, check_at, checked_at, changed_at, lease_until"
    };
}

/// What is written with credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<'a> {
    /// What can be said of it.
    pub status: ConnectionStatus,
    /// Why it is not well.
    pub reason: Option<&'a str>,
    /// The credentials; none: they are forgotten.
    pub sealed: Option<&'a str>,
    /// When the access token was got.
    pub issued_at: Option<Timestamp>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it is renewed ahead of time.
    pub refresh_at: Option<Timestamp>,
    /// When it is next looked at whether it works.
    pub check_at: Option<Timestamp>,
    /// When it was looked at whether it works, if it was now.
    pub checked_at: Option<Timestamp>,
    /// Whether somebody connected it anew; else it is only renewed.
    pub anew: bool,
}

/// The connection of somebody to a connector, if there was ever one.
pub async fn find(tx: &mut Tx, of: &ConnectionOf) -> Result<Option<Connection>> {
    const OF_TENANT: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM connections WHERE tenant_id = $1 AND connector = $2"
    );
    const GLOBAL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM connections WHERE tenant_id IS NULL AND integration_id = $1 AND connector = $2"
    );
    let connector = of.connector.as_str();
    let row = match of.tenant_id {
        Some(tenant) => tx.row(OF_TENANT, &values![tenant, connector]).await?,
        None => {
            tx.row(GLOBAL, &values![of.integration_id, connector])
                .await?
        }
    };
    read_one(row, read)
}

/// One of them.
pub async fn get(tx: &mut Tx, id: ConnectionId) -> Result<Connection> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM connections WHERE id = $1");
    let found = read_one(tx.row(SQL, &values![id]).await?, read)?;
    Tx::found(found, ConnectionId::KIND, id)
}

/// Those of some tenants, and the global ones of some integrations; both lists are JSON arrays of ids.
pub async fn list(
    tx: &mut Tx,
    tenants: &[TenantId],
    integrations: &[IntegrationId],
) -> Result<Vec<Connection>> {
    let sql = format!(
        concat!(
            "SELECT ",
            columns!(),
            " FROM connections WHERE tenant_id IN {}
            UNION ALL SELECT ",
            columns!(),
            " FROM connections WHERE tenant_id IS NULL AND integration_id IN {}"
        ),
        tx.dialect().id_list(1),
        tx.dialect().id_list(2)
    );
    let tenants = crate::query::json(&tenants);
    let integrations = crate::query::json(&integrations);
    read_all(tx.rows(&sql, &values![tenants, integrations]).await?, read)
}

/// The row of a connection, made as disconnected where there is none: what is sealed needs its id.
pub async fn ensure(tx: &mut Tx, of: &ConnectionOf, now: Timestamp) -> Result<Connection> {
    const SQL: &str =
        "INSERT INTO connections (integration_id, tenant_id, connector, status, version,
            changed_at) VALUES ($1, $2, $3, $4, 0, $5) ON CONFLICT DO NOTHING";
    if let Some(found) = find(tx, of).await? {
        return Ok(found);
    }
    let row = values![
        of.integration_id,
        of.tenant_id,
        of.connector.as_str(),
        ConnectionStatus::Disconnected.as_str(),
        now
    ];
    tx.execute(SQL, &row).await?;
    let found = find(tx, of).await?;
    Tx::found(found, ConnectionId::KIND, &of.connector)
}

/// Writes credentials over a version that was read; false, and nothing is changed, where somebody has written
/// since. Its lease ends.
pub async fn update(
    tx: &mut Tx,
    read: &Connection,
    written: &Written<'_>,
    now: Timestamp,
) -> Result<bool> {
    // Its own time of change where the status stays, unless it is connected anew by hand.
    const SQL: &str =
        "UPDATE connections SET status = $3, reason = $4, sealed = $5, issued_at = $6,
            expires_at = $7, refresh_at = $8, check_at = $9, checked_at = COALESCE($10, checked_at),
            changed_at = CASE WHEN status = $3 AND $11 = 0 THEN changed_at ELSE $12 END,
            version = version + 1, lease_until = NULL, lease_holder = NULL
        WHERE id = $1 AND version = $2";
    let row = values![
        read.id,
        read.version,
        written.status.as_str(),
        written.reason,
        written.sealed,
        written.issued_at,
        written.expires_at,
        written.refresh_at,
        written.check_at,
        written.checked_at,
        written.anew,
        now
    ];
    Ok(tx.execute(SQL, &row).await? == 1)
}

/// Takes the lease of a version; false where somebody else has it or has written since.
pub async fn claim(
    tx: &mut Tx,
    read: &Connection,
    holder: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool> {
    const SQL: &str = "UPDATE connections SET lease_until = $4, lease_holder = $3
        WHERE id = $1 AND version = $2 AND (lease_until IS NULL OR lease_until <= $5)";
    let row = values![read.id, read.version, holder, until, now];
    Ok(tx.execute(SQL, &row).await? == 1)
}

/// Gives a lease back without new credentials, and notes what was found out; false where it is lost.
pub async fn release(
    tx: &mut Tx,
    read: &Connection,
    holder: &str,
    found: &Found<'_>,
    now: Timestamp,
) -> Result<bool> {
    const SQL: &str =
        "UPDATE connections SET status = $4, reason = $5, refresh_at = $6, check_at = $7,
            checked_at = COALESCE($8, checked_at),
            changed_at = CASE WHEN status = $4 THEN changed_at ELSE $9 END,
            lease_until = NULL, lease_holder = NULL
        WHERE id = $1 AND version = $2 AND lease_holder = $3";
    let row = values![
        read.id,
        read.version,
        holder,
        found.status.as_str(),
        found.reason,
        found.refresh_at,
        found.check_at,
        found.checked_at,
        now
    ];
    Ok(tx.execute(SQL, &row).await? == 1)
}

/// What was found out about a connection whose credentials stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    /// What can be said of it.
    pub status: ConnectionStatus,
    /// Why it is not well.
    pub reason: Option<&'a str>,
    /// When it is renewed ahead of time.
    pub refresh_at: Option<Timestamp>,
    /// When it is next looked at whether it works.
    pub check_at: Option<Timestamp>,
    /// When it was looked at whether it works, if it was now.
    pub checked_at: Option<Timestamp>,
}

/// Those that are to be renewed or looked at by `now` and that nobody has a lease of, longest due first, at most
/// `most`.
pub async fn list_due(tx: &mut Tx, now: Timestamp, most: i64) -> Result<Vec<Connection>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM connections WHERE (refresh_at <= $1 OR check_at <= $1)
            AND (lease_until IS NULL OR lease_until <= $1)
        ORDER BY CASE WHEN refresh_at <= check_at OR check_at IS NULL THEN refresh_at
            ELSE check_at END, id LIMIT $2"
    );
    read_all(tx.rows(SQL, &values![now, most]).await?, read)
}

/// When the next one is to be renewed or looked at. Not one with a lease: it stays due until its holder writes,
/// and where he never does, `list_due` finds it.
pub async fn find_next(tx: &mut Tx) -> Result<Option<Timestamp>> {
    const SQL: &str = "SELECT MIN(at) FROM (
        SELECT MIN(refresh_at) AS at FROM connections
        WHERE refresh_at IS NOT NULL AND lease_until IS NULL
        UNION ALL SELECT MIN(check_at) AS at FROM connections
        WHERE check_at IS NOT NULL AND lease_until IS NULL) AS both_times";
    let row = tx.row(SQL, &[]).await?;
    Ok(row
        .map(|row| row.reader().opt_time())
        .transpose()?
        .flatten())
}

macro_rules! forget {
    () => {
        "UPDATE connections SET status = $2, reason = NULL, sealed = NULL, issued_at = NULL,
            expires_at = NULL, refresh_at = NULL, check_at = NULL, changed_at = $3,
            version = version + 1, lease_until = NULL, lease_holder = NULL
        WHERE sealed IS NOT NULL AND "
    };
}

/// Forgets the credentials of all connections of a tenant that is archived, and its links.
pub async fn disconnect_tenant(tx: &mut Tx, tenant: TenantId, now: Timestamp) -> Result<()> {
    const SQL: &str = concat!(forget!(), "tenant_id = $1");
    const LINKS: &str = "DELETE FROM connect_links WHERE tenant_id = $1";
    let row = values![tenant, ConnectionStatus::Disconnected.as_str(), now];
    tx.execute(SQL, &row).await?;
    tx.execute(LINKS, &values![tenant]).await?;
    Ok(())
}

/// Forgets the credentials of all connections of an integration that is archived, its tenants' and the shared
/// ones, and their links.
pub async fn disconnect_integration(
    tx: &mut Tx,
    integration: IntegrationId,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = concat!(forget!(), "integration_id = $1");
    const LINKS: &str = "DELETE FROM connect_links WHERE integration_id = $1";
    let row = values![integration, ConnectionStatus::Disconnected.as_str(), now];
    tx.execute(SQL, &row).await?;
    tx.execute(LINKS, &values![integration]).await?;
    Ok(())
}

fn read(row: &mut Reader<'_>) -> Result<Connection> {
    Ok(Connection {
        id: ConnectionId::new(row.i64()?),
        of: ConnectionOf {
            integration_id: IntegrationId::new(row.i64()?),
            tenant_id: row.opt_i64()?.map(TenantId::new),
            connector: row.text()?,
        },
        status: row.word()?,
        reason: row.opt_text()?,
        sealed: row.opt_text()?,
        version: row.i64()?,
        issued_at: row.opt_time()?,
        expires_at: row.opt_time()?,
        refresh_at: row.opt_time()?,
        check_at: row.opt_time()?,
        checked_at: row.opt_time()?,
        changed_at: row.time()?,
        lease_until: row.opt_time()?,
    })
}
