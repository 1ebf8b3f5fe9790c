//! Connections: what a tenant, or a whole integration, is connected to a system by.

use crate::words::words;
use crate::{ConnectionId, IntegrationId, TenantId, Timestamp};

words! {
    /// What can be said of a connection (`ConnectorStatus.status`).
    ConnectionStatus {
        /// It has credentials that worked when they were last used.
        Connected = "Connected",
        /// It has none.
        Disconnected = "Disconnected",
        /// It has some that the system takes no longer.
        NeedsReconnect = "Needs Reconnect",
    }
}

/// Whose connection to which connector: a tenant's own, or the one that all tenants of an integration
/// share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConnectionOf {
    /// Which integration.
    pub integration_id: IntegrationId,
    /// Which tenant; none for a global one.
    pub tenant_id: Option<TenantId>,
    /// Which connector of the integration.
    pub connector: String,
}

/// A connection without its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its id, which it keeps when it is connected anew.
    pub id: ConnectionId,
    /// Whose it is.
    pub of: ConnectionOf,
    /// What can be said of it.
    pub status: ConnectionStatus,
    /// Why it is not well, in a sentence.
    pub reason: Option<String>,
    /// Its credentials, sealed; none when it is disconnected.
    pub sealed: Option<String>,
    /// How often its credentials were written: the fence of every later write.
    pub version: i64,
    /// When its access token was got.
    pub issued_at: Option<Timestamp>,
    /// When its access token ends.
    pub expires_at: Option<Timestamp>,
    /// When it is renewed ahead of time; none: it is not.
    pub refresh_at: Option<Timestamp>,
    /// When it is next looked at whether it works; none: it is not.
    pub check_at: Option<Timestamp>,
    /// When it was last looked at whether it works.
    pub checked_at: Option<Timestamp>,
    /// When its status last became another, or it was connected anew.
    pub changed_at: Timestamp,
    /// Until when one node alone may renew it.
    pub lease_until: Option<Timestamp>,
}

/// A link by which somebody without a login connects one connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectLink {
    /// Whose connection it makes.
    pub of: ConnectionOf,
    /// Whether it works once: the way of somebody who is there now.
    pub once: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working; none: when it is revoked.
    pub expires_at: Option<Timestamp>,
}

/// A consent that was asked for and is not yet given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectAttempt {
    /// Its row.
    pub id: i64,
    /// Whose connection it makes.
    pub of: ConnectionOf,
    /// The hash of what its browser has in a cookie.
    pub browser_hash: String,
    /// What it needs to go on, sealed.
    pub sealed: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}
