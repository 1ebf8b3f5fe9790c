//! Releases, and what a channel means at a moment.

use marquetry_model::{
    Channel, Error, Integration, IntegrationId, Page, PageRequest, RELEASE_KIND, Release,
    ReleaseId, Result, Scope, Tenant, TenantId,
};
use marquetry_store::{Tx, integrations, releases, tenants};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::settings::fill;

/// The releases of an integration.
pub async fn release_list(
    ctx: &Ctx,
    integration: IntegrationId,
    page: &PageRequest,
) -> Result<Page<Release>> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    integrations::get(&mut tx, integration)
        .await
        .map_err(store_error)?;
    releases::list(&mut tx, integration, page)
        .await
        .map_err(store_error)
}

/// One release of an integration.
pub async fn release_get(ctx: &Ctx, integration: IntegrationId, id: ReleaseId) -> Result<Release> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    let release = releases::get(&mut tx, id).await.map_err(store_error)?;
    if release.integration_id != integration {
        return Err(Error::not_found(RELEASE_KIND, id));
    }
    Ok(release)
}

/// The release that a channel of the integration means now.
pub async fn release_of_channel(
    ctx: &Ctx,
    integration: IntegrationId,
    channel: Channel,
) -> Result<Release> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    let integration = integrations::get(&mut tx, integration)
        .await
        .map_err(store_error)?;
    let found = resolve_channel(&mut tx, &integration, channel).await?;
    found.ok_or_else(|| Error::not_found(RELEASE_KIND, channel.as_str().to_lowercase()))
}

/// The release that a tenant would run now, with the tenant's options in its form.
pub async fn release_of_tenant(ctx: &Ctx, id: TenantId) -> Result<Release> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    let tenant = tenants::get(&mut tx, id).await.map_err(store_error)?;
    let integration = integrations::get(&mut tx, tenant.integration_id)
        .await
        .map_err(store_error)?;
    let found = resolve(&mut tx, &integration, &tenant).await?;
    let mut release =
        found.ok_or_else(|| Error::not_found(RELEASE_KIND, format!("of tenant {id}")))?;
    fill(&mut tx, &mut release, &tenant).await?;
    Ok(release)
}

/// A release of an integration for a new use, which keeps its artifact from now on; or why there is
/// nothing to use.
pub(crate) async fn claim(
    tx: &mut Tx,
    integration: IntegrationId,
    id: ReleaseId,
) -> Result<Result<Release, String>> {
    let found = releases::claim(tx, id).await.map_err(store_error)?;
    let found = found.filter(|release| release.integration_id == integration);
    let Some(release) = found else {
        return Ok(Err(format!("the integration has no release {id}")));
    };
    let Some(removed) = release.artifact_removed_at else {
        return Ok(Ok(release));
    };
    let remedy = match &release.commit_hash {
        Some(commit) => format!("build commit {commit} again (POST /v2/sourcecontrol/build)"),
        None => {
            format!("send its archive again (POST /v2/integrations/{integration}/releases/upload)")
        }
    };
    Ok(Err(format!(
        "release {id} cannot be run any more: its artifact was removed at {removed}, when nothing had \
         used it for long; {remedy} and choose the release that this makes"
    )))
}

/// The release that a tenant would run now, if there is one.
pub(crate) async fn resolve(
    tx: &mut Tx,
    integration: &Integration,
    tenant: &Tenant,
) -> Result<Option<Release>> {
    let (id, channel) = (
        tenant.integration_release_id,
        tenant.integration_release_channel,
    );
    resolve_choice(tx, integration, id, channel).await
}

/// The release that a tenant's choice means now, if there is one.
pub(crate) async fn resolve_choice(
    tx: &mut Tx,
    integration: &Integration,
    id: Option<ReleaseId>,
    channel: Option<Channel>,
) -> Result<Option<Release>> {
    match id {
        Some(id) => releases::find(tx, id).await.map_err(store_error),
        None => resolve_channel(tx, integration, channel.unwrap_or(Channel::Default)).await,
    }
}

/// The release that a channel means now, if there is one.
pub(crate) async fn resolve_channel(
    tx: &mut Tx,
    integration: &Integration,
    channel: Channel,
) -> Result<Option<Release>> {
    let fixed = match channel {
        Channel::Default => integration.default_release_id,
        Channel::Latest => None,
    };
    match fixed {
        Some(id) => releases::find(tx, id).await.map_err(store_error),
        None => releases::find_latest(tx, integration.id)
            .await
            .map_err(store_error),
    }
}
