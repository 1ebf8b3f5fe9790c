//! Who asks, on whose behalf.

use std::sync::Arc;

use marquetry_model::{ApiKeyId, Error, Result, Scope, ScopeSet, Timestamp};
use marquetry_store::{ReadTx, WriteTx};

use crate::App;
use crate::errors::store_error;
use crate::idempotency::Intent;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A program or person with a key.
    Key {
        /// Which key.
        id: ApiKeyId,
        /// What it may do.
        scopes: ScopeSet,
    },
    /// The platform itself.
    System,
}

/// The first argument of every use case.
#[derive(Clone)]
pub struct Ctx {
    /// The application.
    pub app: Arc<App>,
    /// Who asks.
    pub principal: Principal,
    /// What is noted with the work, when the request may be repeated.
    pub(crate) intent: Option<Arc<Intent>>,
}

impl Ctx {
    /// The platform itself asks.
    pub fn system(app: Arc<App>) -> Self {
        Self {
            app,
            principal: Principal::System,
            intent: None,
        }
    }

    /// The same caller, whose further work is not noted for a repetition.
    pub(crate) fn without_intent(&self) -> Self {
        Self {
            intent: None,
            ..self.clone()
        }
    }

    /// Refuses a caller who may not do what `scope` stands for.
    pub fn require(&self, scope: Scope) -> Result<()> {
        match &self.principal {
            Principal::System => Ok(()),
            Principal::Key { scopes, .. } if scopes.allows(scope) => Ok(()),
            Principal::Key { .. } => Err(Error::Forbidden),
        }
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.app.now()
    }

    pub(crate) async fn read(&self) -> Result<ReadTx> {
        self.app.store.read().await.map_err(store_error)
    }

    /// # Errors
    ///
    /// Too many wait to write already, and this is a caller's wish: what the platform itself has to do is not
    /// refused.
    pub(crate) async fn write(&self) -> Result<WriteTx> {
        let most = self.app.settings.limits.waiting_writes;
        if matches!(self.principal, Principal::Key { .. })
            && self.app.store.waiting_writers() >= most
        {
            return Err(Error::RateLimited {
                retry_after_s: 1,
                message: format!("{most} requests wait to be written by this node; try again"),
            });
        }
        self.app.store.write().await.map_err(store_error)
    }

    /// Makes the work of a request durable, which made or changed the object with the id
    /// `effect`, together with the note that it is done.
    pub(crate) async fn commit(&self, mut tx: WriteTx, effect: i64) -> Result<()> {
        self.note(&mut tx, effect).await?;
        tx.commit().await.map_err(store_error)
    }

    /// The note alone, for whoever commits elsewhere.
    pub(crate) async fn note(&self, tx: &mut WriteTx, effect: i64) -> Result<()> {
        match &self.intent {
            Some(intent) => intent.note(tx, effect, self.now()).await,
            None => Ok(()),
        }
    }
}
