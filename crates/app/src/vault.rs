//! The keys that secrets are sealed with, as a process has them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use marquetry_model::{Error, Result, Timestamp};
use marquetry_store::data_keys::{Generation, WrappedKey};
use marquetry_store::{Store, Tx, WriteTx, data_keys};
use marquetry_vault::{DataKey, MasterKey, Place, VaultError, Zeroizing, key_of};

use crate::ctx::Ctx;
use crate::errors::store_error;

/// So long before it is used a new key is known: every node has looked by then.
pub(crate) const KNOWN_BEFORE: Duration = Duration::from_secs(60);
/// How long what was read of a kind is believed.
const BELIEVED: Duration = Duration::from_secs(20);

/// The master keys, and the data keys that they have opened.
pub(crate) struct Vault {
    master: Arc<MasterKey>,
    /// Those that open what the first does not: the former one, or the next.
    others: Vec<Arc<MasterKey>>,
    keys: Mutex<HashMap<&'static str, Keys>>,
}

/// The data keys of a kind, in the order in which they are used.
#[derive(Clone)]
pub(crate) struct Keys {
    all: Arc<[(Timestamp, Arc<DataKey>)]>,
    read_at: Timestamp,
    now: Timestamp,
}

impl Keys {
    /// The one to seal with.
    pub(crate) fn current(&self) -> Result<&DataKey> {
        let begun = self.all.iter().rev().find(|(from, _)| *from <= self.now);
        let found = begun.or(self.all.first()).map(|(_, key)| &**key);
        found.ok_or_else(|| Error::internal("a data key is gone"))
    }

    pub(crate) fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<String> {
        self.current()?.seal(place, plain).map_err(vault_error)
    }

    pub(crate) fn open(&self, place: Place<'_>, sealed: &str) -> Result<Zeroizing<Vec<u8>>> {
        let id = key_of(sealed)
            .ok_or(VaultError::Form)
            .map_err(vault_error)?;
        let found = self.all.iter().find(|(_, key)| key.id() == id);
        let (_, key) = found.ok_or(VaultError::OtherKey(id)).map_err(vault_error)?;
        key.open(place, sealed).map_err(vault_error)
    }
}

impl Vault {
    /// Refuses master keys that are not those of the database: what is sealed there would be lost in silence.
    pub(crate) async fn open(
        store: &Store,
        master: Arc<MasterKey>,
        others: Vec<Arc<MasterKey>>,
    ) -> Result<Self> {
        let vault = Self {
            master,
            others,
            keys: Mutex::default(),
        };
        let mut tx = store.read().await.map_err(store_error)?;
        let all = data_keys::list(&mut tx, "").await.map_err(store_error)?;
        let foreign = all
            .iter()
            .find(|it| vault.master_of(&it.key.wrapped).is_none());
        if let Some(foreign) = foreign {
            return Err(Error::conflict(
                "master_key",
                format!(
                    "the master key is {}, but the database's secrets are sealed with {}; \
                     name its file with --master-key-file, or with --other-master-key-file while it is exchanged",
                    vault.master.id(),
                    foreign.master_key_id
                ),
            ));
        }
        Ok(vault)
    }

    pub(crate) fn master(&self) -> &MasterKey {
        &self.master
    }

    /// The master key that wraps a data key, if it is here.
    pub(crate) fn master_of(&self, wrapped: &str) -> Option<&MasterKey> {
        let id = MasterKey::id_of(wrapped);
        let all = std::iter::once(&self.master).chain(&self.others);
        all.map(Arc::as_ref).find(|it| it.id() == id)
    }

    fn known(&self, kind: &'static str, now: Timestamp) -> Option<Keys> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let found = keys.get(kind)?.clone();
        let fresh = now.since(found.read_at) < BELIEVED && now >= found.read_at;
        fresh.then_some(Keys { now, ..found })
    }

    /// Has what was read be read again: it has changed.
    pub(crate) fn forget(&self) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        for known in keys.values_mut() {
            known.read_at = Timestamp::from_millis(0);
        }
    }

    /// The keys of a kind that are open here.
    fn former(&self, kind: &'static str) -> Vec<Arc<DataKey>> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let known = keys.get(kind).into_iter().flat_map(|it| it.all.iter());
        known.map(|(_, key)| Arc::clone(key)).collect()
    }

    fn remember(&self, kind: &'static str, found: &[Generation], now: Timestamp) -> Result<Keys> {
        let opened = self.open_all(kind, found, now)?;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(kind, opened.clone());
        Ok(opened)
    }

    fn open_all(&self, kind: &'static str, found: &[Generation], now: Timestamp) -> Result<Keys> {
        // One that was opened stays open: a node whose master key is the former one goes on with it.
        let former = self.former(kind);
        let open = |it: &Generation| {
            let WrappedKey { id, wrapped } = &it.key;
            if let Some(key) = former.iter().find(|key| key.id() == *id) {
                return Ok((it.active_from, Arc::clone(key)));
            }
            let master = self.master_of(wrapped).ok_or(VaultError::Refused);
            let key = master.and_then(|master| master.open_data_key(*id, kind, wrapped));
            Ok((it.active_from, Arc::new(key.map_err(vault_error)?)))
        };
        let all: Result<Vec<_>> = found.iter().map(open).collect();
        Ok(Keys {
            all: all?.into(),
            read_at: now,
            now,
        })
    }
}

/// The data keys of a kind of secrets; makes the first one the first time. Opens transactions of its own.
pub(crate) async fn data_key(ctx: &Ctx, kind: &'static str) -> Result<Keys> {
    if let Some(keys) = ctx.app.vault.known(kind, ctx.now()) {
        return Ok(keys);
    }
    let mut tx = ctx.read().await?;
    let mut found = data_keys::list(&mut tx, kind).await.map_err(store_error)?;
    drop(tx);
    if found.is_empty() {
        let mut tx = ctx.write().await?;
        make(ctx, &mut tx, kind).await?;
        found = data_keys::list(&mut tx, kind).await.map_err(store_error)?;
        tx.commit().await.map_err(store_error)?;
    }
    ctx.app.vault.remember(kind, &found, ctx.now())
}

/// The same for who has a transaction already, which then makes the key. That is not remembered here: the
/// transaction may be undone, and the key with it.
pub(crate) async fn data_key_in(ctx: &Ctx, tx: &mut WriteTx, kind: &'static str) -> Result<Keys> {
    let now = ctx.now();
    if let Some(keys) = ctx.app.vault.known(kind, now) {
        return Ok(keys);
    }
    let found = data_keys::list(tx, kind).await.map_err(store_error)?;
    if !found.is_empty() {
        return ctx.app.vault.open_all(kind, &found, now);
    }
    make(ctx, tx, kind).await?;
    let found = data_keys::list(tx, kind).await.map_err(store_error)?;
    ctx.app.vault.open_all(kind, &found, now)
}

/// Makes the first key of a kind, unless another node was faster: what stands there counts.
async fn make(ctx: &Ctx, tx: &mut Tx, kind: &'static str) -> Result<()> {
    let master = ctx.app.vault.master();
    let wrapped = master.make_data_key(kind).map_err(vault_error)?;
    let made = data_keys::insert(tx, kind, master.id(), &wrapped, ctx.now()).await;
    made.map_err(store_error)
}

/// What a failure of the vault means to a caller: nothing that he could mend.
pub(crate) fn vault_error(error: VaultError) -> Error {
    Error::internal(error)
}
