//! Secret settings of tenants at rest. A tenant's row has a mark in place of each value, so that who
//! shows settings has nothing to open; the values lie sealed in a row of their own. They are opened
//! for a run, and for a change that has to check them.

use std::collections::BTreeSet;

use marquetry_manifest::MASK;
use marquetry_model::{Error, Result, Tenant, TenantId, Timestamp};
use marquetry_store::{Tx, WriteTx, reruns, tenant_configs, tenant_secrets};
use marquetry_vault::{Place, Zeroizing};
use serde_json::{Map, Value};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::jobs::RunJob;
use crate::vault::{Keys, data_key, data_key_in};

/// The kind of its data key.
const KIND: &str = "tenants";

/// Values that were taken out of settings, by name. Shown to nobody.
pub(crate) struct Values(Map<String, Value>);

impl Values {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The sealed text of a tenant, if it has secrets.
pub(crate) async fn sealed(tx: &mut Tx, tenant: &Tenant) -> Result<Option<String>> {
    if tenant.secret_configs.is_empty() {
        return Ok(None);
    }
    tenant_secrets::find(tx, tenant.id)
        .await
        .map_err(store_error)
}

/// The settings of a run, with their secrets. Called as late as can be.
///
/// # Errors
///
/// What is sealed does not open: it is damaged, or from elsewhere.
pub async fn run_configs(ctx: &Ctx, job: &RunJob) -> Result<Map<String, Value>> {
    configs_of(ctx, &job.tenant, job.sealed.as_deref()).await
}

/// The settings of a tenant, with what is sealed of them.
pub(crate) async fn configs_of(
    ctx: &Ctx,
    tenant: &Tenant,
    sealed: Option<&str>,
) -> Result<Map<String, Value>> {
    let mut configs = tenant.configs.clone();
    let values = match sealed {
        Some(sealed) => read(&data_key(ctx, KIND).await?, tenant.id, sealed)?,
        None => Map::new(),
    };
    put(&mut configs, &tenant.secret_configs, values);
    Ok(configs)
}

/// Puts the values into the settings of a tenant that is locked.
pub(crate) async fn open(ctx: &Ctx, tx: &mut WriteTx, tenant: &mut Tenant) -> Result<()> {
    let values = match sealed(tx, tenant).await? {
        Some(sealed) => read(&data_key_in(ctx, tx, KIND).await?, tenant.id, &sealed)?,
        None => Map::new(),
    };
    put(&mut tenant.configs, &tenant.secret_configs, values);
    Ok(())
}

/// Takes the values out of settings that are open, and leaves marks.
pub(crate) fn take(tenant: &mut Tenant) -> Values {
    let mut values = Map::new();
    for name in &tenant.secret_configs {
        if let Some(value) = tenant.configs.get_mut(name) {
            values.insert(name.clone(), std::mem::replace(value, MASK.into()));
        }
    }
    Values(values)
}

/// Keeps all secrets of a tenant.
pub(crate) async fn keep(
    ctx: &Ctx,
    tx: &mut WriteTx,
    id: TenantId,
    values: Values,
    now: Timestamp,
) -> Result<()> {
    if values.is_empty() {
        return tenant_secrets::delete(tx, id).await.map_err(store_error);
    }
    let key = data_key_in(ctx, tx, KIND).await?;
    let plain = serde_json::to_vec(&values.0).map_err(Error::internal)?;
    let plain = Zeroizing::new(plain);
    let sealed = key.seal(place(id), &plain)?;
    tenant_secrets::update(tx, id, &sealed, now)
        .await
        .map_err(store_error)
}

/// Seals the secrets of a tenant before it is written, when settings were opened for a change or one
/// that lay open has become a secret: then it is also forgotten where it was kept.
pub(crate) async fn seal(
    ctx: &Ctx,
    tx: &mut WriteTx,
    tenant: &mut Tenant,
    before: Before<'_>,
    now: Timestamp,
) -> Result<()> {
    let names = &tenant.secret_configs;
    let fresh: BTreeSet<String> = names.difference(before.secrets).cloned().collect();
    if !before.is_open {
        if fresh.is_empty() {
            return Ok(());
        }
        open(ctx, tx, tenant).await?;
    }
    let values = take(tenant);
    if !(values.is_empty() && before.secrets.is_empty()) {
        keep(ctx, tx, tenant.id, values, now).await?;
    }
    forget(tx, tenant.id, &fresh).await
}

/// What a tenant was before a change.
#[derive(Clone, Copy)]
pub(crate) struct Before<'a> {
    /// The settings that were secret.
    pub(crate) secrets: &'a BTreeSet<String>,
    /// Whether the settings are values by now: opened for the change, or all of them new.
    pub(crate) is_open: bool,
}

/// Takes settings out of former ones and out of reruns: secrets are always the present ones.
pub(crate) async fn forget(tx: &mut WriteTx, id: TenantId, names: &BTreeSet<String>) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    tx.shred().map_err(store_error)?;
    let former = tenant_configs::list(tx, id).await.map_err(store_error)?;
    for (version, mut configs) in former {
        if without(&mut configs, names) {
            let done = tenant_configs::update(tx, id, version, &configs).await;
            done.map_err(store_error)?;
        }
    }
    let by_hand = reruns::list_by_hand(tx, id).await.map_err(store_error)?;
    for (trigger, mut configs) in by_hand {
        if without(&mut configs, names) {
            let done = reruns::update_by_hand(tx, trigger, &configs).await;
            done.map_err(store_error)?;
        }
    }
    Ok(())
}

/// Whether something was there to be taken out.
fn without(configs: &mut Map<String, Value>, names: &BTreeSet<String>) -> bool {
    let before = configs.len();
    configs.retain(|name, _| !names.contains(name));
    configs.len() < before
}

/// Puts values in place of marks. A mark without a value is a secret that was taken away while the two
/// rows were read.
fn put(configs: &mut Map<String, Value>, names: &BTreeSet<String>, mut values: Map<String, Value>) {
    for name in names {
        if configs.get(name).is_some_and(is_mark) {
            match values.shift_remove(name) {
                Some(value) => drop(configs.insert(name.clone(), value)),
                None => drop(configs.shift_remove(name)),
            }
        }
    }
}

/// Whether a secret setting shows that its value lies elsewhere.
pub(crate) fn is_mark(value: &Value) -> bool {
    value.as_str() == Some(MASK)
}

fn read(key: &Keys, id: TenantId, sealed: &str) -> Result<Map<String, Value>> {
    let plain = key.open(place(id), sealed)?;
    // The parser's own words could quote it.
    let read = serde_json::from_slice(&plain);
    read.map_err(|_| Error::internal(format!("the secret settings of tenant {id} are damaged")))
}

fn place(id: TenantId) -> Place<'static> {
    Place {
        table: "tenant_secrets",
        column: "sealed",
        row: id.get(),
    }
}
