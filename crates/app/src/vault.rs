//! The keys that secrets are sealed with, as a process has them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use marquetry_model::{Error, Result};
use marquetry_store::{Store, data_keys};
use marquetry_vault::{DataKey, MasterKey, VaultError};

use crate::ctx::Ctx;
use crate::errors::store_error;

/// The master key, and the data keys that it has opened.
pub(crate) struct Vault {
    master: Arc<MasterKey>,
    keys: Mutex<HashMap<&'static str, Arc<DataKey>>>,
}

impl Vault {
    /// Refuses a master key that is not the one of the database: what is sealed there would be lost
    /// in silence.
    pub(crate) async fn open(store: &Store, master: Arc<MasterKey>) -> Result<Self> {
        let id = master.id();
        let mut tx = store.read().await.map_err(store_error)?;
        let foreign = data_keys::find_foreign(&mut tx, id).await;
        if let Some(other) = foreign.map_err(store_error)? {
            return Err(Error::conflict(
                "master_key",
                format!(
                    "the master key is {id}, but the database's secrets are sealed with {other}; \
                     name its file with --master-key-file"
                ),
            ));
        }
        Ok(Self {
            master,
            keys: Mutex::default(),
        })
    }
}

/// The data key of a kind of secrets; makes it the first time. Opens transactions of its own.
pub(crate) async fn data_key(ctx: &Ctx, kind: &'static str) -> Result<Arc<DataKey>> {
    let vault = &ctx.app.vault;
    let keys = || vault.keys.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = keys().get(kind) {
        return Ok(Arc::clone(key));
    }
    let master = &vault.master;
    let mut tx = ctx.read().await?;
    let mut found = data_keys::find(&mut tx, kind).await.map_err(store_error)?;
    drop(tx);
    if found.is_none() {
        let wrapped = master.make_data_key(kind).map_err(vault_error)?;
        let mut tx = ctx.write().await?;
        let made = data_keys::insert(&mut tx, kind, master.id(), &wrapped, ctx.now()).await;
        made.map_err(store_error)?;
        // Another node may have been faster: what stands there counts.
        found = data_keys::find(&mut tx, kind).await.map_err(store_error)?;
        tx.commit().await.map_err(store_error)?;
    }
    let found = found.ok_or_else(|| Error::internal("a data key is gone"))?;
    let key = master.open_data_key(found.id, kind, &found.wrapped);
    let key = Arc::new(key.map_err(vault_error)?);
    keys().insert(kind, Arc::clone(&key));
    Ok(key)
}

/// What a failure of the vault means to a caller: nothing that he could mend.
pub(crate) fn vault_error(error: VaultError) -> Error {
    Error::internal(error)
}
