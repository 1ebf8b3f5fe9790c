//! The keys that secrets are sealed with, as a process has them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use marquetry_model::{Error, Result};
use marquetry_store::data_keys::WrappedKey;
use marquetry_store::{Store, WriteTx, data_keys};
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

    fn known(&self, kind: &'static str) -> Option<Arc<DataKey>> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(kind).map(Arc::clone)
    }

    fn open_key(&self, kind: &'static str, found: &WrappedKey) -> Result<Arc<DataKey>> {
        let key = self.master.open_data_key(found.id, kind, &found.wrapped);
        key.map(Arc::new).map_err(vault_error)
    }
}

/// The data key of a kind of secrets; makes it the first time. Opens transactions of its own.
pub(crate) async fn data_key(ctx: &Ctx, kind: &'static str) -> Result<Arc<DataKey>> {
    let vault = &ctx.app.vault;
    if let Some(key) = vault.known(kind) {
        return Ok(key);
    }
    let mut tx = ctx.read().await?;
    let mut found = data_keys::find(&mut tx, kind).await.map_err(store_error)?;
    drop(tx);
    if found.is_none() {
        let mut tx = ctx.write().await?;
        found = Some(find_or_make(ctx, &mut tx, kind).await?);
        tx.commit().await.map_err(store_error)?;
    }
    let found = found.ok_or_else(|| Error::internal("a data key is gone"))?;
    let key = vault.open_key(kind, &found)?;
    let mut keys = vault.keys.lock().unwrap_or_else(PoisonError::into_inner);
    keys.insert(kind, Arc::clone(&key));
    Ok(key)
}

/// The same for who has a transaction already, which then makes the key. It is not remembered here: the
/// transaction may be undone, and the key with it.
pub(crate) async fn data_key_in(
    ctx: &Ctx,
    tx: &mut WriteTx,
    kind: &'static str,
) -> Result<Arc<DataKey>> {
    if let Some(key) = ctx.app.vault.known(kind) {
        return Ok(key);
    }
    let found = find_or_make(ctx, tx, kind).await?;
    ctx.app.vault.open_key(kind, &found)
}

async fn find_or_make(ctx: &Ctx, tx: &mut WriteTx, kind: &'static str) -> Result<WrappedKey> {
    if let Some(found) = data_keys::find(tx, kind).await.map_err(store_error)? {
        return Ok(found);
    }
    let master = &ctx.app.vault.master;
    let wrapped = master.make_data_key(kind).map_err(vault_error)?;
    let made = data_keys::insert(tx, kind, master.id(), &wrapped, ctx.now()).await;
    made.map_err(store_error)?;
    // Another node may have been faster: what stands there counts.
    let found = data_keys::find(tx, kind).await.map_err(store_error)?;
    found.ok_or_else(|| Error::internal("a data key is gone"))
}

/// What a failure of the vault means to a caller: nothing that he could mend.
pub(crate) fn vault_error(error: VaultError) -> Error {
    Error::internal(error)
}
