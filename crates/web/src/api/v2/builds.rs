//! Builds.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use marquetry_app::builds;
use marquetry_model::{BuildId, Error, FieldError, IntegrationId, NewBuild};
use marquetry_wire::v2::{Build, CreateBuild, CreatedBuild, ErrorDetail, ErrorMessage};
use serde::Deserialize;

use super::Answer;
use super::paths::BuildPath;
use crate::error::PlainError;
use crate::extract::{Caller, Checked, Json, Plain, Refused, Write, json_body, list_query};
use crate::once::once;
use crate::openapi::{InputRefusals, Refusals};
use crate::reply;
use crate::state::Web;

json_body!(CreateBuild as KnownOfBuild => judge);
list_query! {
    /// What the list of builds takes.
    BuildsQuery of marquetry_app::lists::BUILDS {
        /// Of one integration; 0: of all.
        #[param(default = 0)]
        integration_id: i64,
    }
}

/// What can be read of a wish for a build.
#[derive(Deserialize)]
struct KnownOfBuild {
    tag: Option<String>,
    branch: Option<String>,
}

async fn judge(known: KnownOfBuild, _: &Refused<'_>) -> Result<Vec<FieldError>, Error> {
    let KnownOfBuild { tag, branch } = known;
    Ok(builds::build_faults(tag.as_deref(), branch.as_deref()))
}

/// Asks for a build.
#[utoipa::path(post, path = "/v2/sourcecontrol/build", operation_id = "createBuild",
    request_body = CreateBuild,
    responses((status = 201, description = "The build", body = CreatedBuild),
        (status = 403, description = "No valid API key", body = ErrorDetail),
        (status = 422, description = "The input is wrong", body = ErrorMessage)))]
pub(crate) async fn create(
    Caller(ctx, _): Caller<Write>,
    Plain(input): Plain<(), (), Json<CreateBuild>>,
) -> Result<Response, PlainError> {
    let Json(body) = input.body;
    let wanted = NewBuild {
        integration_id: IntegrationId::new(body.integration_id),
        tag: Some(body.tag),
        branch: body.branch,
        latest: body.latest,
    };
    let created = |build| reply::json(StatusCode::CREATED, &CreatedBuild::from(&build));
    let act = |ctx| async move { Ok(created(builds::build_create(&ctx, wanted).await?)) };
    let again = |ctx, id| async move {
        let build = builds::build_get(&ctx, BuildId::new(id)).await?;
        Ok(created(build))
    };
    Ok(once(ctx, input.once, act, again).await?)
}

/// The builds, newest first.
#[utoipa::path(get, path = "/v2/builds", operation_id = "listBuilds", tag = "extension",
    params(BuildsQuery),
    responses((status = 200, description = "The builds", body = Vec<Build>), InputRefusals))]
pub(crate) async fn list(
    State(web): State<Web>,
    Caller(ctx, _): Caller,
    input: Checked<(), BuildsQuery>,
) -> Answer {
    let page = input.query.page(&web, &input.uri)?;
    let integration = input.query.integration_id.filter(|id| *id != 0);
    let integration = integration.map(IntegrationId::new);
    let found = builds::build_list(&ctx, integration, &page).await?;
    Ok(reply::list(
        &web,
        &input.uri,
        &page,
        &found.map(Build::from),
    ))
}

/// A build.
#[utoipa::path(get, path = "/v2/builds/{build_id}", operation_id = "getBuild",
    tag = "extension", params(BuildPath),
    responses((status = 200, description = "The build", body = Build), Refusals))]
pub(crate) async fn get(Caller(ctx, _): Caller, input: Checked<BuildPath>) -> Answer {
    let found = builds::build_get(&ctx, BuildId::new(input.path.build_id)).await?;
    Ok(reply::ok(&Build::from(found)))
}

/// Ends a waiting build, or asks a running one to stop.
#[utoipa::path(post, path = "/v2/builds/{build_id}/cancel", operation_id = "cancelBuild",
    tag = "extension", params(BuildPath),
    responses((status = 200, description = "The build", body = Build),
        (status = 409, description = "It is over", body = ErrorMessage), Refusals))]
pub(crate) async fn cancel(Caller(ctx, _): Caller<Write>, input: Checked<BuildPath>) -> Answer {
    let id = BuildId::new(input.path.build_id);
    let shown = |build| reply::ok(&Build::from(build));
    let act = |ctx| async move { Ok(shown(builds::build_cancel(&ctx, id).await?)) };
    let again = |ctx, _| async move { Ok(shown(builds::build_get(&ctx, id).await?)) };
    once(ctx, input.once, act, again).await
}
