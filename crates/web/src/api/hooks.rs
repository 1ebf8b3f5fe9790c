//! Hooks: what others call when something happened at their side.

use axum::extract::State;
use http::StatusCode;
use marquetry_app::push_hooks::{self, Notice};
use marquetry_wire::v2::{Build, ErrorDetail, ErrorMessage, HttpValidationError, PushTaken};

use super::v2::Answer;
use super::v2::paths::PushHookPath;
use crate::extract::{Checked, Raw};
use crate::openapi::AnyObject;
use crate::reply;
use crate::state::Web;

/// Takes a notice of a push from GitHub, GitLab, Bitbucket or Azure DevOps, and builds the tracking
/// branch when it moved.
///
/// The address lets the caller in; what GitHub, GitLab and Bitbucket send must be signed with the
/// hook's secret, or carry it, as well.
#[utoipa::path(post, path = "/hooks/git/{integration_id}/{token}", operation_id = "takePush",
    tag = "extension", security(()), params(PushHookPath), request_body = inline(AnyObject),
    responses((status = 200, description = "Nothing is built for this", body = PushTaken,
            example = json!({"message": "refs/heads/next is not the tracking branch", "build": null})),
        (status = 202, description = "A build will have what was pushed", body = PushTaken),
        (status = 403, description = "The signature is missing or wrong", body = ErrorDetail),
        (status = 404, description = "There is no such hook", body = ErrorMessage),
        (status = 422, description = "The body is not JSON", body = HttpValidationError)))]
pub(crate) async fn push(State(web): State<Web>, input: Checked<PushHookPath, (), Raw>) -> Answer {
    let PushHookPath {
        integration_id,
        token,
    } = &input.path;
    let headers = &input.headers;
    let notice = Notice {
        header: &|name| headers.get(name)?.to_str().ok(),
        body: &input.body.0,
    };
    let taken = push_hooks::push_take(web.app(), integration_id, token, &notice).await?;
    let status = if taken.build.is_some() {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    let answer = PushTaken {
        message: taken.message,
        build: taken.build.map(Build::from),
    };
    Ok(reply::json(status, &answer))
}
