//! Exchange of keys while the server works: of the master key, which wraps the others, and of the data keys, which
//! secrets are sealed with.
//!
//! A new data key is known to every node before it is used. From then on what is sealed with older ones is sealed
//! anew, some rows at a time, until there is none; who writes meanwhile is newer and wins.

use std::time::Duration;

use marquetry_model::{Error, Result, Scope, Timestamp};
use marquetry_store::data_keys::{self, Generation};
use marquetry_store::sealed_rows::{self, SealedRow, SealedTable};
use marquetry_vault::{Place, key_of};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::hints::Topic;
use crate::vault::{KNOWN_BEFORE, Keys, data_key, vault_error};

/// Rows of one step.
const ROWS: i64 = 50;
/// When it is looked once more whether something was sealed with an older key: who had read the keys of before has
/// written by then.
const AGAIN: Duration = Duration::from_secs(90);
/// How long an older key is kept after that: answers and consents that it has sealed are forgotten within a day.
const KEPT: Duration = Duration::from_secs(25 * 3600);

/// The kinds of secrets, and the tables of those that stay.
const KINDS: [(&str, Option<SealedTable>); 6] = [
    ("tenants", Some(SealedTable::TenantSecrets)),
    ("integrations", Some(SealedTable::IntegrationSecrets)),
    ("provisions", Some(SealedTable::Provisions)),
    ("connections", Some(SealedTable::Connections)),
    ("connect_attempts", None),
    ("idempotency_keys", None),
];

/// What is known of the keys of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindState {
    /// What is sealed with them.
    pub kind: String,
    /// The id of the one that is sealed with.
    pub key_id: i64,
    /// Which master key wraps it.
    pub master_key_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// How many texts are sealed.
    pub sealed: i64,
    /// How many of them with an older key.
    pub left: i64,
}

/// The keys, and how far an exchange has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultState {
    /// The master key of this node.
    pub master_key_id: String,
    /// The kinds that have keys.
    pub kinds: Vec<KindState>,
}

/// How the keys stand.
pub async fn vault_get(ctx: &Ctx) -> Result<VaultState> {
    ctx.require(Scope::Admin)?;
    let now = ctx.now();
    let mut tx = ctx.read().await?;
    let all = data_keys::list(&mut tx, "").await.map_err(store_error)?;
    let mut kinds = Vec::new();
    for (kind, table) in KINDS {
        let of_kind: Vec<&Generation> = all.iter().filter(|it| it.kind == kind).collect();
        let begun = of_kind.iter().rev().find(|it| it.active_from <= now);
        let Some(current) = begun.or(of_kind.first()) else {
            continue;
        };
        // Those that are coming count as well: all of it is left to do then.
        let newest = of_kind.last().map_or(current.key.id, |it| it.key.id);
        let (sealed, left) = match table {
            Some(table) => {
                let counts = sealed_rows::count(&mut tx, table, &beginning(newest)).await;
                counts.map_err(store_error)?
            }
            None => (0, 0),
        };
        kinds.push(KindState {
            kind: kind.to_owned(),
            key_id: current.key.id,
            master_key_id: current.master_key_id.clone(),
            created_at: current.created_at,
            sealed,
            left,
        });
    }
    Ok(VaultState {
        master_key_id: ctx.app.vault.master().id().to_owned(),
        kinds,
    })
}

/// What everything begins with that a key has sealed.
fn beginning(id: i64) -> String {
    format!("1.{id}.")
}

/// Puts all data keys under this node's master key; answers how many were under another one.
pub async fn master_key_rotate(ctx: &Ctx) -> Result<usize> {
    ctx.require(Scope::Admin)?;
    let vault = &ctx.app.vault;
    let master = vault.master();
    let mut tx = ctx.write().await?;
    let all = data_keys::list(&mut tx, "").await.map_err(store_error)?;
    let mut count = 0;
    for it in all.iter().filter(|it| it.master_key_id != master.id()) {
        let former = vault.master_of(&it.key.wrapped).ok_or_else(|| {
            Error::conflict(
                "master_key",
                format!("a data key is under master key {}, which this node does not have; give it with --other-master-key-file", it.master_key_id),
            )
        })?;
        let wrapped = master.rewrap(former, &it.kind, &it.key.wrapped);
        let wrapped = wrapped.map_err(vault_error)?;
        let done = data_keys::update_wrapped(&mut tx, &it.key, master.id(), &wrapped).await;
        count += usize::from(done.map_err(store_error)?);
    }
    ctx.commit(tx, effect(count)).await?;
    vault.forget();
    tracing::info!(
        keys = count,
        master = master.id(),
        "data keys were put under the master key"
    );
    Ok(count)
}

/// Makes a new data key for each kind that has one; answers how many. What they have sealed is sealed anew in the
/// background.
///
/// # Errors
///
/// A former exchange has not ended.
pub async fn data_keys_rotate(ctx: &Ctx) -> Result<usize> {
    ctx.require(Scope::Admin)?;
    let now = ctx.now();
    let master = ctx.app.vault.master();
    let mut tx = ctx.write().await?;
    let all = data_keys::list(&mut tx, "").await.map_err(store_error)?;
    if all.iter().any(is_going_on) {
        return Err(Error::conflict(
            "rotation",
            "an exchange of data keys is going on; GET /v2/settings/vault tells how much is left",
        ));
    }
    let mut count = 0;
    for (kind, _) in KINDS {
        if !all.iter().any(|it| it.kind == kind) {
            continue;
        }
        let wrapped = master.make_data_key(kind).map_err(vault_error)?;
        let from = now.plus(KNOWN_BEFORE);
        let made =
            data_keys::insert_generation(&mut tx, kind, master.id(), &wrapped, now, from).await;
        made.map_err(store_error)?;
        count += 1;
    }
    ctx.commit(tx, effect(count)).await?;
    ctx.app.vault.forget();
    ctx.app.hints.give(Topic::Secrets);
    Ok(count)
}

fn effect(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn is_going_on(it: &Generation) -> bool {
    it.done_at.is_none() && it.active_from > it.created_at
}

/// Seals anew what older keys have sealed, where keys are being exchanged; answers when to look again. It may be
/// called at any time and by every node at once.
pub async fn keys_reseal(ctx: &Ctx) -> Result<Option<Timestamp>> {
    let mut next: Option<Timestamp> = None;
    let mut tx = ctx.read().await?;
    let all = data_keys::list(&mut tx, "").await.map_err(store_error)?;
    drop(tx);
    for (kind, table) in KINDS {
        let of_kind: Vec<&Generation> = all.iter().filter(|it| it.kind == kind).collect();
        let Some(newest) = of_kind.last().filter(|it| is_going_on(it)) else {
            next = earlier(next, forget(ctx, kind, table, &of_kind).await?);
            continue;
        };
        let again = reseal_kind(ctx, kind, table, newest).await?;
        next = earlier(next, again);
    }
    Ok(next)
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}

async fn reseal_kind(
    ctx: &Ctx,
    kind: &'static str,
    table: Option<SealedTable>,
    newest: &Generation,
) -> Result<Option<Timestamp>> {
    let now = ctx.now();
    if now < newest.active_from {
        return Ok(Some(newest.active_from));
    }
    if let Some(table) = table {
        let keys = data_key(ctx, kind).await?;
        while reseal_some(ctx, table, &keys).await? {}
    }
    let sure = newest.active_from.plus(AGAIN);
    if ctx.now() < sure {
        return Ok(Some(sure));
    }
    let mut tx = ctx.write().await?;
    let done = data_keys::update_done(&mut tx, newest.key.id, ctx.now()).await;
    done.map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    tracing::info!(
        kind,
        "what older data keys have sealed is sealed with the new one"
    );
    Ok(Some(ctx.now().plus(KEPT)))
}

/// Some rows; whether there may be more.
async fn reseal_some(ctx: &Ctx, table: SealedTable, keys: &Keys) -> Result<bool> {
    let current = keys.current()?;
    let mut tx = ctx.read().await?;
    let rows = sealed_rows::list_other(&mut tx, table, &current.beginning(), ROWS).await;
    let rows = rows.map_err(store_error)?;
    drop(tx);
    if rows.is_empty() {
        return Ok(false);
    }
    let mut damaged = 0;
    let mut tx = ctx.write().await?;
    for row in &rows {
        if key_of(&row.sealed) == Some(current.id()) {
            continue;
        }
        let place = place(table, row);
        let Ok(plain) = keys.open(place, &row.sealed) else {
            tracing::error!(
                table = place.table,
                row = place.row,
                "a sealed text opens with no key; it stays as it is"
            );
            damaged += 1;
            continue;
        };
        let sealed = keys.seal(place, &plain)?;
        let done = sealed_rows::update(&mut tx, table, row, &sealed).await;
        done.map_err(store_error)?;
    }
    tx.commit().await.map_err(store_error)?;
    // What is damaged is read again and again, but is no reason to go on for ever.
    Ok(damaged < rows.len())
}

fn place(table: SealedTable, row: &SealedRow) -> Place<'_> {
    let (table, column) = match table {
        SealedTable::TenantSecrets => ("tenant_secrets", "sealed"),
        SealedTable::IntegrationSecrets => ("integration_secrets", row.name.as_str()),
        SealedTable::Provisions => ("provisions", "sealed"),
        SealedTable::Connections => ("connections", "sealed"),
    };
    Place {
        table,
        column,
        row: row.row,
    }
}

/// Forgets the keys before one that has done its work long enough; answers when that will be.
async fn forget(
    ctx: &Ctx,
    kind: &'static str,
    table: Option<SealedTable>,
    of_kind: &[&Generation],
) -> Result<Option<Timestamp>> {
    let [older @ .., newest] = of_kind else {
        return Ok(None);
    };
    let Some(done) = newest.done_at.filter(|_| !older.is_empty()) else {
        return Ok(None);
    };
    let due = done.plus(KEPT);
    if ctx.now() < due {
        return Ok(Some(due));
    }
    if let Some(table) = table {
        // Who was frozen in the middle of a write may have ended it since.
        let keys = data_key(ctx, kind).await?;
        while reseal_some(ctx, table, &keys).await? {}
        let mut tx = ctx.read().await?;
        let left = sealed_rows::count(&mut tx, table, &beginning(newest.key.id)).await;
        let (_, left) = left.map_err(store_error)?;
        drop(tx);
        if left > 0 {
            tracing::error!(
                kind,
                left,
                "texts are sealed with an older data key and do not open; the key is kept"
            );
            return Ok(Some(ctx.now().plus(KEPT)));
        }
    }
    let mut tx = ctx.write().await?;
    for it in older {
        data_keys::delete(&mut tx, it.key.id)
            .await
            .map_err(store_error)?;
    }
    tx.commit().await.map_err(store_error)?;
    ctx.app.vault.forget();
    Ok(None)
}
