//! What runs and clients have found out about tenants.

use marquetry_app::metadata::{metadata_get, metadata_update};
use marquetry_model::TenantId;
use marquetry_wire::v2::TenantMetadata;

use super::Answer;
use super::paths::TenantPath;
use crate::extract::{Caller, Checked, JsonObject, Write};
use crate::openapi::{AnyObject, Refusals};
use crate::reply;

/// A tenant's metadata; empty when nothing is known.
#[utoipa::path(get, path = "/v2/tenants/{tenant_id}/metadata",
    operation_id = "getTenantMetadata", params(TenantPath),
    responses((status = 200, description = "The metadata", body = TenantMetadata), Refusals))]
pub(crate) async fn get(Caller(ctx, _): Caller, input: Checked<TenantPath>) -> Answer {
    let found = metadata_get(&ctx, TenantId::new(input.path.tenant_id)).await?;
    Ok(reply::ok(&TenantMetadata::from(found)))
}

/// Replaces top-level keys of the metadata; others stay.
#[utoipa::path(patch, path = "/v2/tenants/{tenant_id}/metadata",
    operation_id = "patchTenantMetadata", params(TenantPath), request_body = AnyObject,
    responses((status = 200, description = "The metadata", body = TenantMetadata), Refusals))]
pub(crate) async fn update(
    Caller(ctx, _): Caller<Write>,
    input: Checked<TenantPath, (), JsonObject>,
) -> Answer {
    let JsonObject(change) = input.body;
    let changed = metadata_update(&ctx, TenantId::new(input.path.tenant_id), change).await?;
    Ok(reply::ok(&TenantMetadata::from(changed)))
}
