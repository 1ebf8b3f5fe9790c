//! Runs, as people and programs look at them.

use std::collections::HashMap;

use marquetry_model::{Error, Page, PageRequest, Result, Run, RunId, Scope, TenantId};
pub use marquetry_store::runs::RunFilter;
pub use marquetry_store::triggers::TriggerHead;
use marquetry_store::{Tx, runs, tenant_states, tenants, triggers};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::hints::Topic;

/// A run with the triggers that it took.
#[derive(Debug, Clone)]
pub struct RunView {
    /// The run.
    pub run: Run,
    /// In order of arrival; of a tenant's status only the first ones.
    pub triggers: Vec<TriggerHead>,
}

/// One of them.
pub async fn run_get(ctx: &Ctx, id: RunId) -> Result<RunView> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    let run = runs::get(&mut tx, id).await.map_err(store_error)?;
    let triggers = triggers::list_heads(&mut tx, &[id], None)
        .await
        .map_err(store_error)?;
    Ok(RunView { run, triggers })
}

/// A page of those that fit, newest first.
pub async fn run_list(ctx: &Ctx, wanted: &RunFilter, page: &PageRequest) -> Result<Page<RunView>> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    let found = runs::list(&mut tx, wanted, page)
        .await
        .map_err(store_error)?;
    let items = with_triggers(&mut tx, found.items, None).await?;
    Ok(Page {
        items,
        has_more: found.has_more,
        next: found.next,
        total: found.total,
    })
}

/// A page of a tenant's runs, newest first; an unknown tenant is not found.
pub async fn run_list_of_tenant(
    ctx: &Ctx,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<RunView>> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    tenants::get(&mut tx, tenant).await.map_err(store_error)?;
    drop(tx);
    run_list(
        ctx,
        &RunFilter {
            tenant: Some(tenant),
            ..RunFilter::default()
        },
        page,
    )
    .await
}

/// Ends a waiting run, or asks a running one to stop: its process gets SIGTERM, and SIGKILL after
/// the grace time.
pub async fn run_cancel(ctx: &Ctx, id: RunId) -> Result<RunView> {
    ctx.require(Scope::Sync)?;
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let run = runs::get(&mut tx, id).await.map_err(store_error)?;
    if runs::cancel_pending(&mut tx, id, now)
        .await
        .map_err(store_error)?
    {
        tenant_states::update_ended(&mut tx, run.tenant_id, id, false, now)
            .await
            .map_err(store_error)?;
    } else if !runs::request_cancel(&mut tx, id)
        .await
        .map_err(store_error)?
    {
        return Err(Error::conflict(
            "run_ended",
            format!("run {id} is already {}", run.phase),
        ));
    }
    let run = runs::get(&mut tx, id).await.map_err(store_error)?;
    let triggers = triggers::list_heads(&mut tx, &[id], None)
        .await
        .map_err(store_error)?;
    ctx.commit(tx, id.get()).await?;
    ctx.app.hints.give(Topic::Cancel);
    ctx.app.hints.give(Topic::Tenant(run.tenant_id));
    ctx.app.hints.give(Topic::Dispatch);
    Ok(RunView { run, triggers })
}

/// One more statement gives all runs of a page their triggers; with `most`, only the first ones.
pub(crate) async fn with_triggers(
    tx: &mut Tx,
    found: Vec<Run>,
    most: Option<u32>,
) -> Result<Vec<RunView>> {
    let ids: Vec<RunId> = found.iter().map(|run| run.id).collect();
    let taken = triggers::list_heads(tx, &ids, most)
        .await
        .map_err(store_error)?;
    let mut by_run: HashMap<RunId, Vec<TriggerHead>> = HashMap::with_capacity(ids.len());
    for trigger in taken {
        if let Some(run) = trigger.run_id {
            by_run.entry(run).or_default().push(trigger);
        }
    }
    let views = found.into_iter().map(|run| {
        let triggers = by_run.remove(&run.id).unwrap_or_default();
        RunView { run, triggers }
    });
    Ok(views.collect())
}
