//! Tenants.

use axum::extract::State;
use marquetry_app::Ctx;
use marquetry_app::runs::{RunView, TriggerHead};
use marquetry_app::tenants::{self, TenantCreate, TenantListing, TenantPatch, TenantView};
use marquetry_app::triggers::trigger_payloads;
use marquetry_model::{
    ConnectionStatus, Error, FieldError, IntegrationId, ReleaseId, TenantId, TenantSource,
};
use marquetry_wire::v2::{
    ConfigsProblem, ConnectorStatus, CreateTenant, ReplaceTenant, Tenant, TenantAuthStatus,
    TenantStatus, UpdateTenant,
};

use super::Answer;
use super::paths::TenantPath;
use super::runs::{Payloads, render as render_run};
use crate::extract::{Caller, Checked, Json, Refused, Write, json_body, list_query};
use crate::once::once;
use crate::openapi::{InputRefusals, Refusals};
use crate::reply;
use crate::state::Web;

json_body!(CreateTenant as UpdateTenant => judge_new);
json_body!(UpdateTenant as UpdateTenant => judge_change);
json_body!(ReplaceTenant as UpdateTenant => judge_change);
list_query! {
    /// What the list of tenants takes.
    TenantsQuery of marquetry_app::lists::TENANTS {
        /// Of one integration; 0: of all.
        #[param(default = 0, nullable)]
        integration_id: i64,
        /// Of one user of the host product; empty: of all.
        #[param(default = "", nullable)]
        user_name: String,
        /// Whether to list archived ones instead.
        #[param(default = false, nullable)]
        archived: bool,
    }
}

async fn judge_new(known: UpdateTenant, asked: &Refused<'_>) -> Result<Vec<FieldError>, Error> {
    tenants::tenant_faults(&asked.ctx().await?, None, &patch(known, true)).await
}

async fn judge_change(known: UpdateTenant, asked: &Refused<'_>) -> Result<Vec<FieldError>, Error> {
    let id = asked.id("tenant_id").map(TenantId::new);
    tenants::tenant_faults(&asked.ctx().await?, id, &patch(known, false)).await
}

/// The tenants.
#[utoipa::path(get, path = "/v2/tenants", operation_id = "listTenants", params(TenantsQuery),
    responses((status = 200, description = "The tenants", body = Vec<Tenant>), Refusals))]
pub(crate) async fn list(
    State(web): State<Web>,
    Caller(ctx, _): Caller,
    input: Checked<(), TenantsQuery>,
) -> Answer {
    let query = input.query;
    let page = query.page(&web, &input.uri)?;
    let wanted = TenantListing {
        integration: query
            .integration_id
            .filter(|id| *id != 0)
            .map(IntegrationId::new),
        user_name: query.user_name.filter(|name| !name.is_empty()),
        archived: query.archived.unwrap_or(false),
    };
    let found = tenants::tenant_list(&ctx, wanted, &page).await?;
    let heads = found.items.iter().flat_map(heads);
    let payloads = trigger_payloads(&ctx, heads, false).await?;
    let found = found.map(|view| render(view, &payloads));
    Ok(reply::list(&web, &input.uri, &page, &found))
}

/// Makes a tenant, paused and not connected.
#[utoipa::path(post, path = "/v2/tenants", operation_id = "createTenant",
    request_body = CreateTenant,
    responses((status = 200, description = "The tenant", body = Tenant), InputRefusals))]
pub(crate) async fn create(
    Caller(ctx, _): Caller<Write>,
    input: Checked<(), (), Json<CreateTenant>>,
) -> Answer {
    let Json(body) = input.body;
    let wanted = TenantCreate {
        name: body.name,
        integration_id: IntegrationId::new(body.integration_id),
        user_name: body.user_name,
        source: TenantSource::Api,
        user_schedule: body.user_schedule,
        timezone: body.timezone,
        integration_release_id: body.integration_release_id.map(ReleaseId::new),
        integration_release_channel: body.integration_release_channel,
        configs: body.configs,
        paused: body.paused,
    };
    let act = |ctx| async move {
        let made = tenants::tenant_create(&ctx, wanted).await?;
        answer(&ctx, made).await
    };
    let again = |ctx, id| async move {
        let made = tenants::tenant_get(&ctx, TenantId::new(id)).await?;
        answer(&ctx, made).await
    };
    once(ctx, input.once, act, again).await
}

/// A tenant.
#[utoipa::path(get, path = "/v2/tenants/{tenant_id}", operation_id = "getTenant",
    tag = "extension", params(TenantPath),
    responses((status = 200, description = "The tenant", body = Tenant), Refusals))]
pub(crate) async fn get(Caller(ctx, _): Caller, input: Checked<TenantPath>) -> Answer {
    let found = tenants::tenant_get(&ctx, TenantId::new(input.path.tenant_id)).await?;
    answer(&ctx, found).await
}

/// Changes what the body mentions; settings are merged.
#[utoipa::path(patch, path = "/v2/tenants/{tenant_id}", operation_id = "updateTenant",
    params(TenantPath), request_body = UpdateTenant,
    responses((status = 200, description = "The tenant", body = Tenant), Refusals))]
pub(crate) async fn update(
    Caller(ctx, _): Caller<Write>,
    input: Checked<TenantPath, (), Json<UpdateTenant>>,
) -> Answer {
    change(&ctx, input.path, input.body.0, false).await
}

/// Changes what the body mentions; settings are replaced.
#[utoipa::path(put, path = "/v2/tenants/{tenant_id}", operation_id = "replaceTenantConfigs",
    tag = "extension", params(TenantPath), request_body = ReplaceTenant,
    responses((status = 200, description = "The tenant", body = Tenant), Refusals))]
pub(crate) async fn replace(
    Caller(ctx, _): Caller<Write>,
    input: Checked<TenantPath, (), Json<ReplaceTenant>>,
) -> Answer {
    change(&ctx, input.path, input.body.0.into(), true).await
}

/// Archives it.
#[utoipa::path(delete, path = "/v2/tenants/{tenant_id}", operation_id = "archiveTenant",
    params(TenantPath),
    responses((status = 200, description = "The tenant", body = Tenant), Refusals))]
pub(crate) async fn archive(Caller(ctx, _): Caller<Write>, input: Checked<TenantPath>) -> Answer {
    let archived = tenants::tenant_archive(&ctx, TenantId::new(input.path.tenant_id)).await?;
    answer(&ctx, archived).await
}

async fn change(ctx: &Ctx, path: TenantPath, body: UpdateTenant, replace: bool) -> Answer {
    let id = TenantId::new(path.tenant_id);
    let changed = tenants::tenant_update(ctx, id, patch(body, replace)).await?;
    answer(ctx, changed).await
}

fn patch(body: UpdateTenant, replace: bool) -> TenantPatch {
    TenantPatch {
        name: body.name,
        user_name: body.user_name,
        replace_configs: replace && body.configs.is_some(),
        configs: body.configs,
        user_schedule: body.user_schedule,
        timezone: body.timezone,
        paused: body.paused,
        integration_release_id: super::release(&body.integration_release_id),
        integration_release_channel: body.integration_release_channel,
    }
}

async fn answer(ctx: &Ctx, view: TenantView) -> Answer {
    let payloads = trigger_payloads(ctx, heads(&view), false).await?;
    Ok(reply::ok(&render(view, &payloads)))
}

/// The triggers of all runs that a tenant's status shows.
fn heads(view: &TenantView) -> impl Iterator<Item = &TriggerHead> {
    [&view.last_run, &view.current_run, &view.last_successful_run]
        .into_iter()
        .flatten()
        .flat_map(|run| &run.triggers)
}

fn render(view: TenantView, payloads: &Payloads) -> Tenant {
    let tenant = view.tenant;
    let problems = view.configs_problems.into_iter();
    let problems = problems.map(|problem| ConfigsProblem {
        name: problem.name,
        message: problem.message,
    });
    let run = |view: Option<RunView>| view.map(|view| render_run(view, payloads));
    let status = TenantStatus {
        last_run: run(view.last_run),
        current_run: run(view.current_run),
        last_successful_run: run(view.last_successful_run),
        dynamic_configs: tenant.dynamic_configs,
        auth: TenantAuthStatus {
            connected: view
                .connectors
                .iter()
                .all(|it| it.status == ConnectionStatus::Connected),
            connectors: view
                .connectors
                .into_iter()
                .map(|it| ConnectorStatus {
                    name: it.name,
                    status: it.status.to_string(),
                    last_change: it.changed_at,
                })
                .collect(),
        },
    };
    Tenant {
        id: tenant.id.get(),
        name: tenant.name,
        archived: tenant.archived_at.is_some(),
        integration_id: tenant.integration_id.get(),
        configs: tenant.configs,
        created_date: tenant.created_at,
        modified_date: tenant.modified_at,
        paused: tenant.paused,
        user_schedule: tenant.user_schedule,
        schedule: tenant.schedule,
        source: tenant.source,
        integration_release_id: tenant.integration_release_id.map(Into::into),
        integration_release_channel: tenant.integration_release_channel,
        status,
        user_name: tenant.user_name,
        timezone: tenant.timezone,
        configs_problems: problems.collect(),
    }
}
