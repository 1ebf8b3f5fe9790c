//! Triggers: asking for runs, and what became of them.

use std::time::Duration;

use axum::response::Response;
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderMap, StatusCode};
use marquetry_app::Ctx;
use marquetry_app::triggers::{self, LONGEST_WAIT, TriggerInput};
use marquetry_model::{Error, IntegrationId, Mode, Source, TenantId, TriggerId};
use marquetry_wire::v2::{
    ErrorDetail, ErrorMessage, Trigger, TriggerDetails, TriggerStatus, words,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;

use super::Answer;
use super::paths::{IntegrationPath, TenantPath, TriggerPath};
use crate::error::PlainError;
use crate::extract::{Caller, Checked, Payload, Plain, Sync, params};
use crate::once::once;
use crate::openapi::{AnyObject, Refusals};
use crate::reply;

/// How the run shall behave.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SyncQuery {
    /// `init` fills the options of the settings form.
    #[param(inline, value_type = words::V2RunMode)]
    mode: Mode,
}

/// How the run shall behave, and for whom it is.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UserSyncQuery {
    /// `init` fills the options of the settings form.
    #[param(inline, value_type = words::V2RunMode)]
    mode: Mode,
    /// The user of the host product.
    user_name: String,
}

/// Whether to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatusQuery {
    /// Seconds to wait for the end of the run; over 60 means 60.
    #[param(minimum = 0)]
    wait: Option<f64>,
}

params!(SyncQuery, UserSyncQuery, StatusQuery);

/// Asks for a run of a tenant.
#[utoipa::path(post, path = "/v2/tenants/{tenant_id}/sync", operation_id = "syncTenant",
    params(TenantPath, SyncQuery), request_body = Option<AnyObject>,
    responses((status = 202, description = "Accepted", body = Trigger), Refusals))]
pub(crate) async fn sync(
    Caller(ctx, _): Caller<Sync>,
    input: Checked<TenantPath, SyncQuery, Payload>,
) -> Answer {
    let id = TenantId::new(input.path.tenant_id);
    let act = |ctx| async move {
        let made = accept(&ctx, id, input.query.mode, input.body, &input.headers).await?;
        Ok(accepted(made))
    };
    let again = |_, made| async move { Ok(accepted(TriggerId::new(made))) };
    once(ctx, input.once, act, again).await
}

/// The same under the name of an older document.
#[utoipa::path(post, path = "/v2/tenants/{tenant_id}/run", operation_id = "runTenant",
    tag = "extension", params(TenantPath, SyncQuery), request_body = Option<AnyObject>,
    responses((status = 202, description = "Accepted", body = Trigger), Refusals))]
pub(crate) async fn run(
    caller: Caller<Sync>,
    input: Checked<TenantPath, SyncQuery, Payload>,
) -> Answer {
    sync(caller, input).await
}

/// Asks for a run of the tenant that a user of the host product has of an integration.
#[utoipa::path(post, path = "/v2/integrations/{integration_id}/sync",
    operation_id = "syncByIntegration", params(IntegrationPath, UserSyncQuery),
    request_body = Option<AnyObject>,
    responses((status = 202, description = "Accepted", body = Trigger),
        (status = 403, description = "No valid API key", body = ErrorDetail),
        (status = 404, description = "Not found", body = ErrorMessage),
        (status = 422, description = "The input is wrong", body = ErrorMessage)))]
pub(crate) async fn sync_by_integration(
    Caller(ctx, _): Caller<Sync>,
    Plain(input): Plain<IntegrationPath, UserSyncQuery, Payload>,
) -> Result<Response, PlainError> {
    let integration = IntegrationId::new(input.path.integration_id);
    let act = |ctx| async move {
        let user = &input.query.user_name;
        let id = triggers::tenant_of_user(&ctx, integration, user).await?;
        let made = accept(&ctx, id, input.query.mode, input.body, &input.headers).await?;
        Ok(accepted(made))
    };
    let again = |_, made| async move { Ok(accepted(TriggerId::new(made))) };
    Ok(once(ctx, input.once, act, again).await?)
}

/// The phase of the run that took the trigger.
#[utoipa::path(get, path = "/v2/runs/triggers/{trigger_id}/status",
    operation_id = "getTriggerStatus", params(TriggerPath, StatusQuery),
    responses((status = 200, description = "The phase", body = TriggerStatus), Refusals))]
pub(crate) async fn status(
    Caller(ctx, _): Caller,
    input: Checked<TriggerPath, StatusQuery>,
) -> Answer {
    let id = parse(&input.path.trigger_id)?;
    // Checked to be finite and not negative; the upper bound is the clamp.
    let wait = input.query.wait.filter(|seconds| *seconds > 0.0);
    let wait = wait.map(|seconds| Duration::from_secs_f64(seconds.min(LONGEST_WAIT.as_secs_f64())));
    let status = triggers::trigger_status(&ctx, id, wait).await?;
    Ok(reply::ok(&TriggerStatus { status }))
}

/// Cancels a trigger that no run has taken.
#[utoipa::path(post, path = "/v2/runs/triggers/{trigger_id}/cancel",
    operation_id = "cancelTrigger", tag = "extension", params(TriggerPath),
    responses((status = 200, description = "The trigger", body = TriggerDetails),
        (status = 409, description = "A run has it", body = ErrorMessage), Refusals))]
pub(crate) async fn cancel(Caller(ctx, _): Caller<Sync>, input: Checked<TriggerPath>) -> Answer {
    let id = parse(&input.path.trigger_id)?;
    let shown = |trigger| reply::ok(&TriggerDetails::from(trigger));
    let act = |ctx| async move { Ok(shown(triggers::trigger_cancel(&ctx, id).await?)) };
    let again = |ctx, _| async move { Ok(shown(triggers::trigger_get(&ctx, id).await?)) };
    once(ctx, input.once, act, again).await
}

/// The id is declared as a text: what is no number, as we write it, is unknown.
fn parse(text: &str) -> Result<TriggerId, Error> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let id = if digits { text.parse().ok() } else { None };
    id.ok_or_else(|| Error::not_found(TriggerId::KIND, super::short(text)))
}

async fn accept(
    ctx: &Ctx,
    id: TenantId,
    mode: Mode,
    Payload(payload): Payload,
    headers: &HeaderMap,
) -> Result<TriggerId, Error> {
    let input = TriggerInput {
        source: Source::Api,
        mode,
        headers: Some(headers_json(headers)),
        payload: payload.map(Into::into),
    };
    triggers::trigger_accept(ctx, id, input).await
}

fn accepted(trigger: TriggerId) -> Response {
    let trigger_id = trigger.to_string();
    reply::json(StatusCode::ACCEPTED, &Trigger { trigger_id })
}

/// Names and values of the headers that are kept of a request, in bytes.
const HEADERS: usize = 16 << 10;

/// The headers that a run may see: none of those that open something, and of the others those
/// that come before the limit.
fn headers_json(headers: &HeaderMap) -> String {
    let mut object = Map::with_capacity(headers.keys_len());
    let mut left = HEADERS;
    for name in headers.keys() {
        if name == "x-api-key"
            || name == AUTHORIZATION
            || name == PROXY_AUTHORIZATION
            || name == COOKIE
        {
            continue;
        }
        let values = headers.get_all(name).iter();
        let size = name.as_str().len() + values.map(|value| value.len() + 2).sum::<usize>();
        if size > left {
            // A small one behind it may still fit.
            continue;
        }
        left -= size;
        let mut text = String::new();
        for value in headers.get_all(name) {
            if !text.is_empty() {
                text.push_str(", ");
            }
            // NUL cannot stand in a header; what is no UTF-8 becomes U+FFFD.
            text.push_str(&String::from_utf8_lossy(value.as_bytes()));
        }
        object.insert(name.as_str().to_owned(), Value::from(text));
    }
    Value::Object(object).to_string()
}
