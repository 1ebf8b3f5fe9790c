//! Reruns, and state that is set by hand.

use axum::response::Response;
use http::StatusCode;
use marquetry_app::reruns::{Choice, RerunInput, output_fault, rerun_faults, run_rerun, state_set};
use marquetry_model::{Error, FieldError, RunId, TenantId, TriggerId};
use marquetry_wire::v2::{
    ErrorMessage, Origin, OriginOrObject, Output, RerunRun, SetTenantState, TenantState, Trigger,
};
use serde::Deserialize;

use super::Answer;
use super::paths::{RunPath, TenantPath};
use crate::extract::{Caller, Checked, Json, JsonOrNothing, Refused, Sync, Write, json_body};
use crate::once::once;
use crate::openapi::Refusals;
use crate::reply;

json_body!(RerunRun as RerunRun => judge_rerun);
json_body!(SetTenantState as KnownOfState => judge_state);

async fn judge_rerun(known: RerunRun, _: &Refused<'_>) -> Result<Vec<FieldError>, Error> {
    Ok(rerun_faults(&wanted(known)))
}

/// What can be read of a state.
#[derive(Deserialize)]
struct KnownOfState {
    std_out: Option<Output>,
}

async fn judge_state(known: KnownOfState, _: &Refused<'_>) -> Result<Vec<FieldError>, Error> {
    let text = known.std_out.map(Output::into_text);
    Ok(text.as_deref().and_then(output_fault).into_iter().collect())
}

/// Asks for a past run once more; settings by hand, and a state by hand that is saved, also take the scope `write`.
#[utoipa::path(post, path = "/v2/runs/{run_id}/rerun", operation_id = "rerunRun",
    tag = "extension", params(RunPath), request_body = Option<RerunRun>,
    responses((status = 202, description = "Accepted", body = Trigger),
        (status = 409, description = "It is not over, or the body of a webhook that it took is kept no longer", body = ErrorMessage), Refusals))]
pub(crate) async fn rerun(
    Caller(ctx, _): Caller<Sync>,
    input: Checked<RunPath, (), JsonOrNothing<RerunRun>>,
) -> Answer {
    let wanted = wanted(input.body.0);
    let id = RunId::new(input.path.run_id);
    let act = |ctx| async move { Ok(accepted(run_rerun(&ctx, id, wanted).await?)) };
    let again = |_, made| async move { Ok(accepted(TriggerId::new(made))) };
    once(ctx, input.once, act, again).await
}

fn wanted(body: RerunRun) -> RerunInput {
    RerunInput {
        configs: choice(body.configs),
        std_out: choice(body.std_out),
        is_saved: body.save,
        has_original_release: body.release == Some(Origin::Original),
    }
}

fn choice(asked: Option<OriginOrObject>) -> Choice {
    match asked {
        None | Some(OriginOrObject::Origin(Origin::Original)) => Choice::Original,
        Some(OriginOrObject::Origin(Origin::Current)) => Choice::Current,
        Some(OriginOrObject::Object(own)) => Choice::Custom(own),
    }
}

fn accepted(trigger: TriggerId) -> Response {
    let trigger_id = trigger.to_string();
    reply::json(StatusCode::ACCEPTED, &Trigger { trigger_id })
}

/// Sets what the next run sees as the last successful output, until another run succeeds.
#[utoipa::path(put, path = "/v2/tenants/{tenant_id}/state", operation_id = "setTenantState",
    tag = "extension", params(TenantPath), request_body = SetTenantState,
    responses((status = 200, description = "What it will see", body = TenantState), Refusals))]
pub(crate) async fn set_state(
    Caller(ctx, _): Caller<Write>,
    input: Checked<TenantPath, (), Json<SetTenantState>>,
) -> Answer {
    let Json(body) = input.body;
    let id = TenantId::new(input.path.tenant_id);
    let std_out = body.std_out.map(Output::into_text);
    state_set(&ctx, id, std_out.clone()).await?;
    Ok(reply::ok(&TenantState { std_out }))
}
