//! Looking through the tenants of an integration for settings that are secrets and lie open: a release
//! has made them secrets, or they are older than the sealing.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use marquetry_model::{Integration, IntegrationId, Result, Tenant, TenantId, Timestamp};
use marquetry_store::secret_sweeps::Sweep;
use marquetry_store::{Tx, idempotency, integrations, secret_sweeps, tenants};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::tenant_secrets::{Before, is_mark, open, seal};

/// Tenants that are read at once.
const PAGE: i64 = 50;
/// Tenants that are sealed at once: writers share a commit.
const AT_ONCE: usize = 8;
/// Integrations of one look.
const BATCH: i64 = 16;
/// When an integration is looked through once more: who had read the form of before at the time of the
/// mark has written by then. A tenant that fails is tried again then, too.
const AGAIN: Duration = Duration::from_secs(60);

/// What one look did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Tenants whose secrets lay open and are sealed now.
    pub sealed: usize,
    /// When the next look is due; none: only after a hint.
    pub next: Option<Timestamp>,
}

/// Notes that the tenants of an integration may have secrets that lie open. Whoever commits gives the
/// hint.
pub(crate) async fn mark(tx: &mut Tx, id: IntegrationId, now: Timestamp) -> Result<()> {
    secret_sweeps::insert(tx, id, now)
        .await
        .map_err(store_error)
}

/// Looks through what is due. It may be called at any time and by every node at once.
///
/// # Errors
///
/// The database fails. A tenant that cannot be sealed is logged, and tried again later.
pub async fn secrets_sweep(ctx: &Ctx) -> Result<Swept> {
    let begun = ctx.now();
    let mut swept = Swept::default();
    loop {
        let mut tx = ctx.read().await?;
        let due = secret_sweeps::list_due(&mut tx, begun, BATCH).await;
        let due = due.map_err(store_error)?;
        if due.is_empty() {
            let next = secret_sweeps::find_next(&mut tx).await;
            swept.next = next.map_err(store_error)?;
            return Ok(swept);
        }
        drop(tx);
        for sweep in due {
            swept.sealed += sweep_one(ctx, sweep, begun).await?;
        }
        // What was sealed lay open in it.
        ctx.app.store.empty_log().await.map_err(store_error)?;
    }
}

/// One integration; answers how many tenants were sealed.
async fn sweep_one(ctx: &Ctx, sweep: Sweep, begun: Timestamp) -> Result<usize> {
    let (mut sealed, mut failed) = (0, 0);
    let mut after = TenantId::new(0);
    while let Some((last, found)) = look(ctx, sweep.integration_id, after).await? {
        after = last;
        let done = found.into_iter().map(|id| seal_or_say(ctx, id));
        let mut done = futures_util::stream::iter(done).buffer_unordered(AT_ONCE);
        while let Some(result) = done.next().await {
            match result {
                Some(had_some) => sealed += usize::from(had_some),
                None => failed += 1,
            }
        }
    }
    let is_last = failed == 0 && begun >= sweep.marked_at.plus(AGAIN);
    let mut tx = ctx.write().await?;
    let done = if is_last {
        secret_sweeps::delete(&mut tx, sweep).await
    } else {
        secret_sweeps::update_due(&mut tx, sweep, begun.plus(AGAIN)).await
    };
    done.map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    Ok(sealed)
}

/// The next tenants of an integration: the last one that was looked at, and those that have something
/// to be sealed. None: there are no more.
async fn look(
    ctx: &Ctx,
    id: IntegrationId,
    after: TenantId,
) -> Result<Option<(TenantId, Vec<TenantId>)>> {
    let mut tx = ctx.read().await?;
    let integration = integrations::get(&mut tx, id).await.map_err(store_error)?;
    let page = tenants::list_after(&mut tx, id, after, PAGE).await;
    let page = page.map_err(store_error)?;
    let Some(last) = page.last() else {
        return Ok(None);
    };
    let mut found = Vec::new();
    for tenant in &page {
        let names = lying_open(ctx, &mut tx, &integration, tenant).await?;
        found.extend((!names.is_empty()).then_some(tenant.id));
    }
    Ok(Some((last.id, found)))
}

/// None when it failed.
async fn seal_or_say(ctx: &Ctx, id: TenantId) -> Option<bool> {
    let sealed = seal_one(ctx, id).await;
    if let Err(error) = &sealed {
        tracing::error!(
            tenant = %id,
            error = error as &dyn std::error::Error,
            "the secret settings of a tenant could not be sealed; it is tried again"
        );
    }
    sealed.ok()
}

/// Answers whether there was something, which another node may have sealed by now.
async fn seal_one(ctx: &Ctx, id: TenantId) -> Result<bool> {
    let mut tx = ctx.write().await?;
    let mut tenant = tenants::lock(&mut tx, id).await.map_err(store_error)?;
    let integration = integrations::get(&mut tx, tenant.integration_id).await;
    let integration = integration.map_err(store_error)?;
    let names = lying_open(ctx, &mut tx, &integration, &tenant).await?;
    if names.is_empty() {
        return Ok(false);
    }
    tx.shred().map_err(store_error)?;
    open(ctx, &mut tx, &mut tenant).await?;
    let secrets = tenant.secret_configs.clone();
    tenant.secret_configs.extend(names);
    let before = Before {
        secrets: &secrets,
        is_open: true,
    };
    seal(ctx, &mut tx, &mut tenant, before, ctx.now()).await?;
    tenants::update(&mut tx, &tenant)
        .await
        .map_err(store_error)?;
    // An answer that is kept for a repetition shows them, too.
    idempotency::forget_answers(&mut tx, id.get())
        .await
        .map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    Ok(true)
}

/// The settings of a tenant that are secrets by the release that it would run now, or were by another
/// one, and are not sealed.
async fn lying_open(
    ctx: &Ctx,
    tx: &mut Tx,
    integration: &Integration,
    tenant: &Tenant,
) -> Result<BTreeSet<String>> {
    let form = ctx.app.forms.of_tenant(tx, integration, tenant).await?;
    let of_form = form.as_ref().map(|form| &form.secrets);
    let secrets = of_form.into_iter().flatten().chain(&tenant.secret_configs);
    let lies_open = |name: &&String| {
        let value = tenant.configs.get(*name);
        value.is_some_and(|value| !(tenant.secret_configs.contains(*name) && is_mark(value)))
    };
    Ok(secrets.filter(lies_open).cloned().collect())
}
