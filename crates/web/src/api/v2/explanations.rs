//! Why something ran, waits, or did not run.

use marquetry_app::explain::tenant_explain;
use marquetry_model::{RunId, TenantId, TriggerId};
use marquetry_wire::v2::{Explanation, Sentence};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Answer;
use super::paths::TenantPath;
use crate::extract::{Caller, Checked, params};
use crate::openapi::Refusals;
use crate::reply;

/// As many sentences as one answer has.
const MOST: i64 = 500;

/// What to explain.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExplainQuery {
    /// Only what concerns this trigger of the tenant.
    trigger_id: Option<i64>,
    /// How many sentences; over 500 means 500.
    #[param(minimum = 0, default = 100)]
    limit: Option<i64>,
}

params!(ExplainQuery);

/// Why a tenant ran, waits, or did not run.
#[utoipa::path(get, path = "/v2/tenants/{tenant_id}/explain",
    operation_id = "explainTenant", tag = "extension", params(TenantPath, ExplainQuery),
    responses((status = 200, description = "What was decided, newest first", body = Explanation),
        Refusals))]
pub(crate) async fn explain(
    Caller(ctx, _): Caller,
    input: Checked<TenantPath, ExplainQuery>,
) -> Answer {
    let most = usize::try_from(input.query.limit.unwrap_or(100).min(MOST)).unwrap_or(0);
    let about = input.query.trigger_id.map(TriggerId::new);
    let id = TenantId::new(input.path.tenant_id);
    let found = tenant_explain(&ctx, id, about, most).await?;
    let sentences = found.into_iter().map(|sentence| Sentence {
        at: sentence.at,
        text: sentence.text,
        trigger_id: sentence.trigger_id.map(TriggerId::get),
        run_id: sentence.run_id.map(RunId::get),
    });
    Ok(reply::ok(&Explanation {
        sentences: sentences.collect(),
    }))
}
