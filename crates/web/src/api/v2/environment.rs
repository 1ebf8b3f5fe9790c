//! What a run would be given.

use std::collections::BTreeMap;

use marquetry_app::next_environment::{Secrets, environment_get};
use marquetry_model::{Mode, TenantId};
use marquetry_wire::v2::{ErrorMessage, words};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Answer;
use super::paths::TenantPath;
use crate::extract::{AnyKey, Caller, Checked, params};
use crate::openapi::Refusals;
use crate::reply;

/// How the run would behave.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EnvironmentQuery {
    /// None: `normal`.
    #[param(inline, value_type = Option<words::Mode>)]
    mode: Option<Mode>,
    /// None: `masked`. `plain` shows secrets to a key with the scope `local_run` where the integration's `local_run` is
    /// `plain`; each use is in the audit.
    #[param(inline)]
    secrets: Option<ShownSecrets>,
}

/// How secrets are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ShownSecrets {
    /// As `********`.
    Masked,
    /// As they are.
    Plain,
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
    responses((status = 200, description = "The variables", body = inline(Environment)),
        (status = 409, description = "Plain secrets are not allowed, or could not be refreshed", body = ErrorMessage),
        Refusals))]
pub(crate) async fn get(
    Caller(ctx, _): Caller<AnyKey>,
    input: Checked<TenantPath, EnvironmentQuery>,
) -> Answer {
    let mode = input.query.mode.unwrap_or(Mode::Normal);
    let secrets = match input.query.secrets {
        None | Some(ShownSecrets::Masked) => Secrets::Masked,
        Some(ShownSecrets::Plain) => Secrets::Plain,
    };
    let id = TenantId::new(input.path.tenant_id);
    let given = environment_get(&ctx, id, mode, secrets).await?;
    let given: BTreeMap<String, String> = given.into_iter().collect();
    Ok(reply::ok(&given))
}
