//! Runs, as people and programs look at them.

use marquetry_model::{Error, Page, PageRequest, Result, RunId, Scope, TenantId};
pub use marquetry_store::run_views::RunView;
pub use marquetry_store::runs::RunFilter;
use marquetry_store::tenant_states::Ended;
pub use marquetry_store::triggers::TriggerHead;
use marquetry_store::{run_views, runs, tenant_states, tenants};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::hints::Topic;

/// One of them.
pub async fn run_get(ctx: &Ctx, id: RunId) -> Result<RunView> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    run_views::get(&mut tx, id).await.map_err(store_error)
}

/// A page of those that fit, newest first.
pub async fn run_list(ctx: &Ctx, wanted: &RunFilter, page: &PageRequest) -> Result<Page<RunView>> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    run_views::list(&mut tx, wanted, page)
        .await
        .map_err(store_error)
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
        let ended = Ended {
            tenant_id: run.tenant_id,
            run_id: id,
            succeeded: false,
        };
        tenant_states::update_ended(&mut tx, &[ended], now)
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
    let view = run_views::get(&mut tx, id).await.map_err(store_error)?;
    ctx.commit(tx, id.get()).await?;
    ctx.app.hints.give(Topic::Cancel);
    ctx.app.hints.give(Topic::Tenant(run.tenant_id));
    ctx.app.hints.give(Topic::Dispatch);
    Ok(view)
}
