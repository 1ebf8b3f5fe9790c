//! What somebody did that others must be able to see later.

use axum::extract::State;
use marquetry_app::audit::{Act, audit_list};
use marquetry_model::TenantId;
use marquetry_wire::v2::AuditEntry;

use super::Answer;
use crate::extract::{Admin, Caller, Checked, list_query};
use crate::openapi::InputRefusals;
use crate::reply;
use crate::state::Web;

list_query! {
    /// What the list of acts takes.
    AuditQuery of marquetry_app::lists::AUDIT {
        /// Only those of this tenant.
        tenant_id: i64,
    }
}

/// What was done, newest first; kept for two years.
#[utoipa::path(get, path = "/v2/audit", operation_id = "listAudit", tag = "extension",
    params(AuditQuery),
    responses((status = 200, description = "The acts", body = Vec<AuditEntry>), InputRefusals))]
pub(crate) async fn list(
    State(web): State<Web>,
    Caller(ctx, _): Caller<Admin>,
    input: Checked<(), AuditQuery>,
) -> Answer {
    let page = input.query.page(&web, &input.uri)?;
    let tenant = input.query.tenant_id.map(TenantId::new);
    let found = audit_list(&ctx, tenant, &page).await?.map(render);
    Ok(reply::list(&web, &input.uri, &page, &found))
}

fn render(act: Act) -> AuditEntry {
    AuditEntry {
        id: act.id,
        date: act.at,
        key_id: act.api_key_id.map(Into::into),
        action: act.action,
        integration_id: act.integration_id.map(Into::into),
        tenant_id: act.tenant_id.map(Into::into),
        detail: act.detail,
    }
}
