//! What somebody did that others must be able to see later.

use marquetry_model::{IntegrationId, Page, PageRequest, Result, Scope, TenantId};
pub use marquetry_store::audit::Act;
use marquetry_store::{WriteTx, audit};

use crate::ctx::{Ctx, Principal};
use crate::errors::store_error;

/// Notes an act in the transaction that does it.
pub(crate) async fn note(
    ctx: &Ctx,
    tx: &mut WriteTx,
    action: &str,
    of: (IntegrationId, TenantId),
    detail: Option<String>,
) -> Result<()> {
    let api_key_id = match &ctx.principal {
        Principal::Key { id, .. } => Some(*id),
        Principal::System => None,
    };
    let act = Act {
        id: 0,
        at: ctx.now(),
        api_key_id,
        action: action.to_owned(),
        integration_id: Some(of.0),
        tenant_id: Some(of.1),
        detail,
    };
    audit::insert(tx, &act).await.map_err(store_error)
}

/// The acts, newest first.
pub async fn audit_list(
    ctx: &Ctx,
    tenant: Option<TenantId>,
    page: &PageRequest,
) -> Result<Page<Act>> {
    ctx.require(Scope::Admin)?;
    let mut tx = ctx.read().await?;
    audit::list(&mut tx, tenant, page)
        .await
        .map_err(store_error)
}
