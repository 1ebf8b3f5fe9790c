//! Runs.

use std::collections::HashMap;

use axum::extract::State;
use marquetry_app::Ctx;
use marquetry_app::runs::{self, RunFilter, RunView};
use marquetry_app::triggers::trigger_payloads;
use marquetry_model::{
    Error, IntegrationId, Mode, Page, Phase, RunId, Source, TenantId, Timestamp, TriggerId,
};
use marquetry_wire::v2::{ErrorMessage, Run, RunStatus, RunTrigger, words};
use serde_json::value::RawValue;

use super::Answer;
use super::paths::{RunPath, TenantPath};
use crate::extract::{Caller, Checked, Sync, list_query};
use crate::once::once;
use crate::openapi::{InputRefusals, Refusals};
use crate::reply;
use crate::state::Web;

list_query! {
    /// What the list of runs takes.
    RunsQuery of marquetry_app::lists::RUNS {
        /// For one tenant; 0: for all.
        tenant_id: i64,
        /// Of one integration; 0: of all.
        integration_id: i64,
        /// In one phase.
        #[param(inline, value_type = Option<words::Phase>)]
        phase: Phase,
        /// In one mode.
        #[param(inline, value_type = Option<words::Mode>)]
        mode: Mode,
        /// With a trigger from this source.
        #[param(inline, value_type = Option<words::Source>)]
        source: Source,
        /// Made at this time or later.
        #[param(value_type = Option<String>, format = DateTime)]
        from: Timestamp,
        /// Made before this time.
        #[param(value_type = Option<String>, format = DateTime)]
        to: Timestamp,
    }
}
list_query! {
    /// What the list of a tenant's runs takes.
    TenantRunsQuery of marquetry_app::lists::RUNS {}
}

/// The runs, newest first.
#[utoipa::path(get, path = "/v2/runs", operation_id = "listRuns", tag = "extension",
    params(RunsQuery),
    responses((status = 200, description = "The runs", body = Vec<Run>), InputRefusals))]
pub(crate) async fn list(
    State(web): State<Web>,
    Caller(ctx, _): Caller,
    input: Checked<(), RunsQuery>,
) -> Answer {
    let query = input.query;
    let page = query.page(&web, &input.uri)?;
    let wanted = RunFilter {
        tenant: query.tenant_id.filter(|id| *id != 0).map(TenantId::new),
        integration: query
            .integration_id
            .filter(|id| *id != 0)
            .map(IntegrationId::new),
        phase: query.phase,
        mode: query.mode,
        source: query.source,
        from: query.from,
        to: query.to,
        up_to: None,
    };
    let found = runs::run_list(&ctx, &wanted, &page).await?;
    let found = render_page(&ctx, found).await?;
    Ok(reply::list(&web, &input.uri, &page, &found))
}

/// The runs of a tenant, newest first.
#[utoipa::path(get, path = "/v2/tenants/{tenant_id}/runs", operation_id = "listTenantRuns",
    params(TenantPath, TenantRunsQuery),
    responses((status = 200, description = "The runs", body = Vec<Run>), Refusals))]
pub(crate) async fn list_of_tenant(
    State(web): State<Web>,
    Caller(ctx, _): Caller,
    input: Checked<TenantPath, TenantRunsQuery>,
) -> Answer {
    let page = input.query.page(&web, &input.uri)?;
    let id = TenantId::new(input.path.tenant_id);
    let found = runs::run_list_of_tenant(&ctx, id, &page).await?;
    let found = render_page(&ctx, found).await?;
    Ok(reply::list(&web, &input.uri, &page, &found))
}

/// A run.
#[utoipa::path(get, path = "/v2/runs/{run_id}", operation_id = "getRun", tag = "extension",
    params(RunPath),
    responses((status = 200, description = "The run", body = Run), Refusals))]
pub(crate) async fn get(Caller(ctx, _): Caller, input: Checked<RunPath>) -> Answer {
    let found = runs::run_get(&ctx, RunId::new(input.path.run_id)).await?;
    Ok(reply::ok(&render_one(&ctx, found).await?))
}

/// Where a run is.
#[utoipa::path(get, path = "/v2/runs/{run_id}/status", operation_id = "getRunStatus",
    tag = "extension", params(RunPath),
    responses((status = 200, description = "Where it is", body = RunStatus), Refusals))]
pub(crate) async fn status(Caller(ctx, _): Caller, input: Checked<RunPath>) -> Answer {
    let found = runs::run_get(&ctx, RunId::new(input.path.run_id)).await?;
    Ok(reply::ok(&RunStatus::from(&found.run)))
}

/// The triggers that a run took, in order of arrival.
#[utoipa::path(get, path = "/v2/runs/{run_id}/triggers", operation_id = "listRunTriggers",
    tag = "extension", params(RunPath),
    responses((status = 200, description = "The triggers", body = Vec<RunTrigger>), Refusals))]
pub(crate) async fn triggers(Caller(ctx, _): Caller, input: Checked<RunPath>) -> Answer {
    let found = runs::run_get(&ctx, RunId::new(input.path.run_id)).await?;
    Ok(reply::ok(&render_one(&ctx, found).await?.triggers))
}

/// Ends a waiting run, or asks a running one to stop.
#[utoipa::path(post, path = "/v2/runs/{run_id}/cancel", operation_id = "cancelRun",
    tag = "extension", params(RunPath),
    responses((status = 200, description = "The run", body = Run),
        (status = 409, description = "It is over", body = ErrorMessage), Refusals))]
pub(crate) async fn cancel(Caller(ctx, _): Caller<Sync>, input: Checked<RunPath>) -> Answer {
    let id = RunId::new(input.path.run_id);
    let act = |ctx| async move {
        let run = runs::run_cancel(&ctx, id).await?;
        Ok(reply::ok(&render_one(&ctx, run).await?))
    };
    let again = |ctx, _| async move {
        let run = runs::run_get(&ctx, id).await?;
        Ok(reply::ok(&render_one(&ctx, run).await?))
    };
    once(ctx, input.once, act, again).await
}

async fn render_page(ctx: &Ctx, page: Page<RunView>) -> Result<Page<Run>, Error> {
    let heads = page.items.iter().flat_map(|view| &view.triggers);
    let payloads = trigger_payloads(ctx, heads, false).await?;
    Ok(page.map(|view| render(view, &payloads)))
}

async fn render_one(ctx: &Ctx, view: RunView) -> Result<Run, Error> {
    let payloads = trigger_payloads(ctx, &view.triggers, true).await?;
    Ok(render(view, &payloads))
}

/// Payloads of the triggers of an answer.
pub(super) type Payloads = HashMap<TriggerId, Vec<u8>>;

/// The JSON of a run. A payload that is not among `payloads` is shown as `{}`.
pub(super) fn render(view: RunView, payloads: &Payloads) -> Run {
    let triggers = view.triggers.into_iter().map(|trigger| RunTrigger {
        id: trigger.id.get(),
        created_date: trigger.created_at,
        mode: trigger.mode,
        source: trigger.source,
        payload: object(payloads.get(&trigger.id).map_or(&[], Vec::as_slice)),
    });
    let triggers = triggers.collect();
    Run::from((view.run, triggers))
}

/// A payload as it came. What is no JSON object is shown as an empty one; the run itself sees the
/// raw body.
fn object(bytes: &[u8]) -> Box<RawValue> {
    let found = serde_json::from_slice::<&RawValue>(bytes).ok();
    let found = found.filter(|value| value.get().starts_with('{'));
    found.map_or_else(empty, RawValue::to_owned)
}

fn empty() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("it is JSON")
}
