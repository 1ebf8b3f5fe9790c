//! Keys of the API and what they may do.

use crate::words::words;
use crate::{ApiKeyId, Timestamp};

words! {
    /// What a key may do.
    Scope {
        /// Read everything that is no secret.
        Read = "read",
        /// Ask for runs.
        Sync = "sync",
        /// Change integrations, tenants, builds.
        Write = "write",
        /// Write credentials.
        Credentials = "credentials",
        /// Call connected systems.
        Proxy = "proxy",
        /// Fetch the environment for a run at home.
        LocalRun = "local_run",
        /// All of it, and keys, users and settings.
        Admin = "admin",
    }
}

/// A set of scopes. `admin` contains all others except `local_run`, which is always asked for by
/// name because it hands out plain credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeSet(Vec<Scope>);

impl ScopeSet {
    /// Sorted, each once.
    pub fn new(mut scopes: Vec<Scope>) -> Self {
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }

    /// Whether something that needs `scope` is allowed.
    pub fn allows(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || (scope != Scope::LocalRun && self.0.contains(&Scope::Admin))
    }

    /// Whether `other` has nothing that this set does not allow.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|scope| self.allows(*scope))
    }

    /// The scopes in order.
    pub fn as_slice(&self) -> &[Scope] {
        &self.0
    }
}

/// A key as it is remembered: never the key itself, only its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What its owner calls it.
    pub name: String,
    /// Its first characters, to recognise it by.
    pub prefix: String,
    /// What it may do.
    pub scopes: ScopeSet,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it opens anything at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}
