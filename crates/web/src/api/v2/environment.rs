//! What a run would be given.

use std::collections::BTreeMap;

use marquetry_app::next_environment::environment_get;
use marquetry_model::{Mode, TenantId};
use marquetry_wire::v2::words;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Answer;
use super::paths::TenantPath;
use crate::extract::{Caller, Checked, params};
use crate::openapi::Refusals;
use crate::reply;

/// How the run would behave.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EnvironmentQuery {
    /// None: `normal`.
    #[param(inline, value_type = Option<words::Mode>)]
    mode: Option<Mode>,
}

params!(EnvironmentQuery);

/// The variables of a run by their names.
#[derive(ToSchema)]
#[schema(value_type = std::collections::HashMap<String, String>)]
pub(crate) struct Environment(());

/// The variables that a run of the tenant would get now, by name, secrets masked.
///
/// There is no run yet, so there is no `PAN_CTX_RUN_ID`, and `PAN_CTX_RUN_TRIGGERS` is empty. Paths
/// are those inside the sandbox.
#[utoipa::path(get, path = "/v2/tenants/{tenant_id}/environment",
    operation_id = "getTenantEnvironment", tag = "extension",
    params(TenantPath, EnvironmentQuery),
    responses((status = 200, description = "The variables", body = inline(Environment)), Refusals))]
pub(crate) async fn get(
    Caller(ctx, _): Caller,
    input: Checked<TenantPath, EnvironmentQuery>,
) -> Answer {
    let mode = input.query.mode.unwrap_or(Mode::Normal);
    let given = environment_get(&ctx, TenantId::new(input.path.tenant_id), mode).await?;
    let given: BTreeMap<String, String> = given.into_iter().collect();
    Ok(reply::ok(&given))
}
