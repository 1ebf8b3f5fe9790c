//! What a tenant's next run would be given.

use std::path::Path;

use marquetry_model::{Error, Mode, RELEASE_KIND, Result, Scope, TenantId};
use marquetry_store::{integrations, tenant_states, tenants};

use crate::ctx::Ctx;
use crate::environment::{FILES, Facts, mask, variables};
use crate::errors::store_error;
use crate::jobs::{Former, output_of};
use crate::releases::resolve;
use crate::settings::metadata_of;

/// The variables that a run of the tenant would get now, in a stable order, with masks in place of
/// secrets. There is no run yet: its id, its triggers and its trace are absent, and the list of
/// triggers is empty.
///
/// # Errors
///
/// There is no such tenant, or no release that it could run.
pub async fn environment_get(ctx: &Ctx, id: TenantId, mode: Mode) -> Result<Vec<(String, String)>> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    let tenant = tenants::get(&mut tx, id).await.map_err(store_error)?;
    let integration = integrations::get(&mut tx, tenant.integration_id)
        .await
        .map_err(store_error)?;
    let release = resolve(&mut tx, &integration, &tenant).await?;
    let release =
        release.ok_or_else(|| Error::not_found(RELEASE_KIND, format!("of tenant {id}")))?;
    let state = tenant_states::get(&mut tx, id).await.map_err(store_error)?;
    let given = state.given();
    let (last, last_successful) = Former::read(&mut tx, &[given]).await?.of(&given);
    let output = output_of(&mut tx, &given).await?;
    let metadata = metadata_of(&mut tx, id).await?;
    let facts = Facts {
        environment: &ctx.app.settings.environment,
        integration: &integration,
        tenant: &tenant,
        // Secrets are masked below, sealed or not.
        configs: &tenant.configs,
        release: &release,
        run: None,
        mode,
        triggers: &[],
        last: last.as_ref(),
        last_successful: last_successful.as_ref(),
        output: output.as_ref().map(Option::as_deref),
        metadata: &metadata,
        files: Path::new(FILES),
        traceparent: None,
    };
    let mut given = variables(&facts);
    mask(&facts, &mut given);
    Ok(given)
}
