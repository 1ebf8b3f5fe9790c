//! What a tenant's next run would be given.

use std::path::Path;
use std::time::Duration;

use marquetry_manifest::MASK;
use marquetry_model::{
    Error, Integration, LocalRun, Mode, RELEASE_KIND, Result, Scope, Tenant, TenantId,
};
use marquetry_store::{integrations, tenant_states, tenants};

use crate::audit;
use crate::connections::run::{RunSecretsError, names_of, secrets_of};
use crate::ctx::Ctx;
use crate::environment::{FILES, Facts, mask, variables};
use crate::errors::store_error;
use crate::jobs::{Former, output_of};
use crate::releases::resolve;
use crate::settings::metadata_of;
use crate::tenant_secrets;

/// How secrets are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// As masks.
    Masked,
    /// As they are: for a developer who runs the code at home. The integration must allow it, the key must have
    /// the scope for it, and each use is noted.
    Plain,
}

/// How long a run at home may take: credentials are good for as long.
const AT_HOME: Duration = Duration::from_secs(600);

/// The variables that a run of the tenant would get now, in a stable order. There is no run yet: its id, its triggers
/// and its trace are absent, and the list of triggers is empty.
///
/// # Errors
///
/// There is no such tenant, or no release that it could run; or plain secrets are not allowed.
pub async fn environment_get(
    ctx: &Ctx,
    id: TenantId,
    mode: Mode,
    secrets: Secrets,
) -> Result<Vec<(String, String)>> {
    ctx.require(match secrets {
        Secrets::Masked => Scope::Read,
        Secrets::Plain => Scope::LocalRun,
    })?;
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
    let sealed = tenant_secrets::sealed(&mut tx, &tenant).await?;
    drop(tx);
    let configs = match secrets {
        // They are masked below, sealed or not.
        Secrets::Masked => tenant.configs.clone(),
        Secrets::Plain => {
            note_plain(ctx, &integration, &tenant).await?;
            tenant_secrets::configs_of(ctx, &tenant, sealed.as_deref()).await?
        }
    };
    let facts = Facts {
        environment: &ctx.app.settings.environment,
        integration: &integration,
        tenant: &tenant,
        configs: &configs,
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
    match secrets {
        Secrets::Masked => {
            mask(&facts, &mut given);
            let names = names_of(ctx, &integration, id).await?;
            given.extend(names.into_iter().map(|name| (name, MASK.to_owned())));
        }
        Secrets::Plain => {
            let found = secrets_of(ctx, &integration, id, AT_HOME).await;
            let found = found.map_err(|why| match why {
                RunSecretsError::Refresh(message) => Error::conflict("refresh", message),
                RunSecretsError::Platform(error) => error,
            })?;
            given.extend(found.variables);
        }
    }
    Ok(given)
}

/// Refuses plain secrets that the integration does not allow, and notes that they are given: before they are.
async fn note_plain(ctx: &Ctx, integration: &Integration, tenant: &Tenant) -> Result<()> {
    if integration.local_run != LocalRun::Plain {
        return Err(Error::conflict(
            "local_run",
            format!(
                "local_run of integration {} is {}; plain secrets are given when it is plain: PATCH /v2/integrations/{}",
                integration.name, integration.local_run, integration.id
            ),
        ));
    }
    if tenant.archived_at.is_some() {
        return Err(Error::not_found(TenantId::KIND, tenant.id));
    }
    let mut tx = ctx.write().await?;
    let of = (integration.id, tenant.id);
    audit::note(ctx, &mut tx, "environment.plain", of, None).await?;
    tx.commit().await.map_err(store_error)
}
