//! Integrations.

use axum::extract::State;
use http::StatusCode;
use marquetry_app::integration_secrets::{CredentialInput, SecretsInput};
use marquetry_app::integrations::{self, IntegrationInput};
use marquetry_app::{Ctx, push_hooks};
use marquetry_model::{Error, FieldError, IntegrationId};
use marquetry_wire::v2::{
    ErrorMessage, Integration, IntegrationChange, IntegrationCreate, OneOrMany, PushHook,
};

use super::Answer;
use super::paths::IntegrationPath;
use crate::extract::{Caller, Checked, Json, Refused, Write, json_body, list_query, params};
use crate::once::{self, once};
use crate::openapi::{InputRefusals, Refusals};
use crate::reply;
use crate::state::Web;

json_body!(IntegrationCreate as IntegrationChange => judge_new);
json_body!(IntegrationChange as IntegrationChange => judge_change);
list_query! {
    /// What the list of integrations takes.
    IntegrationsQuery of marquetry_app::lists::INTEGRATIONS {
        /// Whether to list archived ones instead.
        #[param(default = false, nullable)]
        archived: bool,
    }
}

async fn judge_new(
    known: IntegrationChange,
    asked: &Refused<'_>,
) -> Result<Vec<FieldError>, Error> {
    let ctx = asked.ctx().await?;
    integrations::integration_faults(&ctx, None, input_of_change(known)).await
}

async fn judge_change(
    known: IntegrationChange,
    asked: &Refused<'_>,
) -> Result<Vec<FieldError>, Error> {
    let ctx = asked.ctx().await?;
    let id = asked.id("integration_id").map(IntegrationId::new);
    integrations::integration_faults(&ctx, id, input_of_change(known)).await
}

/// How an integration is archived.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ArchiveQuery {
    /// Whether its tenants are archived too.
    #[param(default = false)]
    cascade: Option<bool>,
}
params!(ArchiveQuery);

/// The integrations.
#[utoipa::path(get, path = "/v2/integrations", operation_id = "listIntegrations",
    params(IntegrationsQuery),
    responses((status = 200, description = "The integrations", body = Vec<Integration>), Refusals))]
pub(crate) async fn list(
    State(web): State<Web>,
    Caller(ctx, _): Caller,
    input: Checked<(), IntegrationsQuery>,
) -> Answer {
    let page = input.query.page(&web, &input.uri)?;
    let archived = input.query.archived.unwrap_or(false);
    let found = integrations::integration_list(&ctx, archived, &page).await?;
    let found = found.map(|one| shown(&web, &ctx, one));
    Ok(reply::list(&web, &input.uri, &page, &found))
}

/// Makes an integration.
#[utoipa::path(post, path = "/v2/integrations", operation_id = "createIntegration",
    tag = "extension", request_body = IntegrationCreate,
    responses((status = 201, description = "The integration", body = Integration),
        (status = 409, description = "The name is taken", body = ErrorMessage), InputRefusals))]
pub(crate) async fn create(
    State(web): State<Web>,
    Caller(ctx, _): Caller<Write>,
    input: Checked<(), (), Json<IntegrationCreate>>,
) -> Answer {
    let wanted = input_of_create(input.body.0);
    let created = |ctx: &Ctx, made| {
        let answer = reply::json(StatusCode::CREATED, &shown(&web, ctx, made));
        once::with_secret(answer)
    };
    let act = |ctx| async move {
        let made = integrations::integration_create(&ctx, wanted).await?;
        Ok(created(&ctx, made))
    };
    let again = |ctx, id| async move {
        let made = integrations::integration_get(&ctx, IntegrationId::new(id)).await?;
        Ok(created(&ctx, made))
    };
    once(ctx, input.once, act, again).await
}

/// An integration.
#[utoipa::path(get, path = "/v2/integrations/{integration_id}", operation_id = "getIntegration",
    params(IntegrationPath),
    responses((status = 200, description = "The integration", body = Integration), Refusals))]
pub(crate) async fn get(
    State(web): State<Web>,
    Caller(ctx, _): Caller,
    input: Checked<IntegrationPath>,
) -> Answer {
    let id = IntegrationId::new(input.path.integration_id);
    let found = integrations::integration_get(&ctx, id).await?;
    Ok(reply::ok(&shown(&web, &ctx, found)))
}

/// Changes what the body mentions.
#[utoipa::path(patch, path = "/v2/integrations/{integration_id}",
    operation_id = "updateIntegration", tag = "extension", params(IntegrationPath),
    request_body = IntegrationChange,
    responses((status = 200, description = "The integration", body = Integration),
        (status = 409, description = "The name is taken", body = ErrorMessage), Refusals))]
pub(crate) async fn update(
    State(web): State<Web>,
    Caller(ctx, _): Caller<Write>,
    input: Checked<IntegrationPath, (), Json<IntegrationChange>>,
) -> Answer {
    let id = IntegrationId::new(input.path.integration_id);
    let wanted = input_of_change(input.body.0);
    let changed = integrations::integration_update(&ctx, id, wanted).await?;
    Ok(reply::ok(&shown(&web, &ctx, changed)))
}

/// Archives it.
#[utoipa::path(delete, path = "/v2/integrations/{integration_id}",
    operation_id = "archiveIntegration", tag = "extension",
    params(IntegrationPath, ArchiveQuery),
    responses((status = 200, description = "The integration", body = Integration),
        (status = 409, description = "It has live tenants", body = ErrorMessage), Refusals))]
pub(crate) async fn archive(
    State(web): State<Web>,
    Caller(ctx, _): Caller<Write>,
    input: Checked<IntegrationPath, ArchiveQuery>,
) -> Answer {
    let id = IntegrationId::new(input.path.integration_id);
    let cascade = input.query.cascade.unwrap_or(false);
    let archived = integrations::integration_archive(&ctx, id, cascade).await?;
    Ok(reply::ok(&shown(&web, &ctx, archived)))
}

/// Makes another address and secret for its push hook; the former ones stop working at once.
#[utoipa::path(post, path = "/v2/integrations/{integration_id}/push-hook/rotate",
    operation_id = "rotatePushHook", tag = "extension", params(IntegrationPath),
    responses((status = 200, description = "The new ones", body = PushHook), Refusals))]
pub(crate) async fn rotate_push_hook(
    State(web): State<Web>,
    Caller(ctx, _): Caller<Write>,
    input: Checked<IntegrationPath>,
) -> Answer {
    let id = IntegrationId::new(input.path.integration_id);
    let answer = |ctx: &Ctx, changed| {
        let hook = push_hook(&web, ctx, &changed);
        once::with_secret(reply::ok(&hook))
    };
    let act = |ctx| async move {
        let changed = push_hooks::push_hook_rotate(&ctx, id).await?;
        Ok(answer(&ctx, changed))
    };
    let again = |ctx, id| async move {
        let found = integrations::integration_get(&ctx, IntegrationId::new(id)).await?;
        Ok(answer(&ctx, found))
    };
    once(ctx, input.once, act, again).await
}

/// An integration, with its push hook for who may change it.
pub(super) fn shown(
    web: &Web,
    ctx: &Ctx,
    integration: marquetry_model::Integration,
) -> Integration {
    let hook = push_hook(web, ctx, &integration);
    Integration {
        push_hook: hook,
        ..Integration::from(integration)
    }
}

fn push_hook(web: &Web, ctx: &Ctx, integration: &marquetry_model::Integration) -> Option<PushHook> {
    let hook = push_hooks::push_hook(ctx, integration)?;
    Some(PushHook {
        url: format!("{}{}", web.public_url(), hook.path),
        secret: hook.secret,
    })
}

/// The two bodies have the same fields, but for what must be there.
macro_rules! input {
    ($body:ident, $name:expr, $long_name:expr) => {{
        IntegrationInput {
            name: $name,
            long_name: $long_name,
            kind: $body.kind,
            repository_url: $body.repository_url,
            repository_tracking_branch: $body.repository_tracking_branch,
            repository_paths: $body.repository_path.map(|paths| match paths {
                OneOrMany::One(path) => vec![path],
                OneOrMany::Many(paths) => paths,
            }),
            connectors: $body.connectors.map(each_into),
            default_release_id: super::release(&$body.default_release_id),
            default_release_channel: $body.default_release_channel,
            default_schedule: $body.default_schedule,
            schedule_choices: $body.schedule_choices.map(each_into),
            schedule_randomization: $body.schedule_randomization,
            missed: $body.missed,
            debounce_ms: $body.debounce_ms,
            concurrency_limit: $body.concurrency_limit,
            timeout_seconds: $body.timeout_seconds,
            memory_mb: $body.memory_mb,
            retry: $body.retry,
            egress: $body.egress,
            egress_ports: $body.egress_ports,
            poll_seconds: $body.poll_seconds,
            local_run: $body.local_run,
            paused: $body.paused,
            target_url: $body.target_url,
            secrets: SecretsInput {
                repository_credential: $body.repository_credential.map(|given| CredentialInput {
                    username: given.username,
                    token: given.token,
                    ssh_private_key: given.ssh_private_key,
                }),
                build_env: $body.build_env,
            },
        }
    }};
}

fn input_of_create(body: IntegrationCreate) -> IntegrationInput {
    input!(body, Some(body.name), Some(body.long_name))
}

fn input_of_change(body: IntegrationChange) -> IntegrationInput {
    input!(body, body.name, body.long_name)
}

fn each_into<A: Into<B>, B>(all: Vec<A>) -> Vec<B> {
    all.into_iter().map(Into::into).collect()
}
