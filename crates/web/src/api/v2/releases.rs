//! Releases.

use axum::extract::State;
use marquetry_app::{integrations, releases};
use marquetry_model::{Channel, Error, IntegrationId, ReleaseId, TenantId};
use marquetry_wire::v2::{Integration, IntegrationRelease, SetDefaultRelease};

use super::Answer;
use super::integrations::shown;
use super::paths::{IntegrationPath, IntegrationTextPath, ReleasePath, TenantPath};
use crate::extract::{Caller, Checked, Json, Write, json_body, list_query};
use crate::openapi::Refusals;
use crate::reply;
use crate::state::Web;

json_body!(SetDefaultRelease);
list_query! {
    /// What the list of releases takes.
    ReleasesQuery of marquetry_app::lists::RELEASES {}
}

/// The releases of an integration.
#[utoipa::path(get, path = "/v2/integrations/{integration_id}/releases",
    operation_id = "listReleases", params(IntegrationPath, ReleasesQuery),
    responses((status = 200, description = "The releases", body = Vec<IntegrationRelease>),
        Refusals))]
pub(crate) async fn list(
    State(web): State<Web>,
    Caller(ctx, _): Caller,
    input: Checked<IntegrationPath, ReleasesQuery>,
) -> Answer {
    let page = input.query.page(&web, &input.uri)?;
    let id = IntegrationId::new(input.path.integration_id);
    let found = releases::release_list(&ctx, id, &page).await?;
    let found = found.map(IntegrationRelease::from);
    Ok(reply::list(&web, &input.uri, &page, &found))
}

/// The release that `Default` means now.
#[utoipa::path(get, path = "/v2/integrations/{integration_id}/releases/default",
    operation_id = "getDefaultRelease", params(IntegrationPath),
    responses((status = 200, description = "The release", body = IntegrationRelease), Refusals))]
pub(crate) async fn get_default(Caller(ctx, _): Caller, input: Checked<IntegrationPath>) -> Answer {
    let id = IntegrationId::new(input.path.integration_id);
    let found = releases::release_of_channel(&ctx, id, Channel::Default).await?;
    Ok(reply::ok(&IntegrationRelease::from(found)))
}

/// Sets what `Default` means.
#[utoipa::path(patch, path = "/v2/integrations/{integration_id}/releases/default",
    operation_id = "setDefaultRelease", tag = "extension", params(IntegrationPath),
    request_body = SetDefaultRelease,
    responses((status = 200, description = "The integration", body = Integration), Refusals))]
pub(crate) async fn set_default(
    State(web): State<Web>,
    Caller(ctx, _): Caller<Write>,
    input: Checked<IntegrationPath, (), Json<SetDefaultRelease>>,
) -> Answer {
    let id = IntegrationId::new(input.path.integration_id);
    let Json(body) = input.body;
    let release = body.release_id.map(ReleaseId::new);
    let changed = integrations::integration_set_default(&ctx, id, release, body.channel).await?;
    Ok(reply::ok(&shown(&web, &ctx, changed)))
}

/// The release that `Latest` means now.
#[utoipa::path(get, path = "/v2/integrations/{integration_id}/releases/latest",
    operation_id = "getLatestRelease", params(IntegrationTextPath),
    responses((status = 200, description = "The release", body = IntegrationRelease), Refusals))]
pub(crate) async fn get_latest(
    Caller(ctx, _): Caller,
    input: Checked<IntegrationTextPath>,
) -> Answer {
    let text = input.path.integration_id;
    let id: IntegrationId = text
        .parse()
        .map_err(|_| Error::not_found(IntegrationId::KIND, super::short(&text)))?;
    let found = releases::release_of_channel(&ctx, id, Channel::Latest).await?;
    Ok(reply::ok(&IntegrationRelease::from(found)))
}

/// A release of an integration.
#[utoipa::path(get, path = "/v2/integrations/{integration_id}/releases/{release_id}",
    operation_id = "getRelease", params(ReleasePath),
    responses((status = 200, description = "The release", body = IntegrationRelease), Refusals))]
pub(crate) async fn get(Caller(ctx, _): Caller, input: Checked<ReleasePath>) -> Answer {
    let integration = IntegrationId::new(input.path.integration_id);
    let release = ReleaseId::new(input.path.release_id);
    let found = releases::release_get(&ctx, integration, release).await?;
    Ok(reply::ok(&IntegrationRelease::from(found)))
}

/// The release that a tenant would run now.
#[utoipa::path(get, path = "/v2/tenants/{tenant_id}/integration_release",
    operation_id = "getTenantRelease", params(TenantPath),
    responses((status = 200, description = "The release", body = IntegrationRelease), Refusals))]
pub(crate) async fn of_tenant(Caller(ctx, _): Caller, input: Checked<TenantPath>) -> Answer {
    let id = TenantId::new(input.path.tenant_id);
    let found = releases::release_of_tenant(&ctx, id).await?;
    Ok(reply::ok(&IntegrationRelease::from(found)))
}

/// The same under a shorter path.
#[utoipa::path(get, path = "/v2/tenants/{tenant_id}/release",
    operation_id = "getTenantReleaseAlias", tag = "extension", params(TenantPath),
    responses((status = 200, description = "The release", body = IntegrationRelease), Refusals))]
pub(crate) async fn of_tenant_alias(caller: Caller, input: Checked<TenantPath>) -> Answer {
    of_tenant(caller, input).await
}
