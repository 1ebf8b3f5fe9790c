//! Logs of runs and builds.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use marquetry_app::Ctx;
use marquetry_app::logs::{self, LogCursor, LogOf};
use marquetry_model::{BuildId, Error, RunId};
use marquetry_wire::v2::LogEvent;
use serde::Deserialize;
use utoipa::IntoParams;

use super::paths::{BuildPath, RunPath};
use super::{Answer, sse};
use crate::extract::{Caller, Checked, params};
use crate::openapi::Refusals;
use crate::reply;
use crate::state::Web;

const TEXT: &str = "text/plain; charset=utf-8";

/// Whether to follow.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FollowQuery {
    /// Whether to stream what comes, as server-sent events.
    #[param(default = false)]
    follow: Option<bool>,
}

/// What makes a link valid.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SignatureQuery {
    /// Until when, in seconds since 1970.
    expires: Option<String>,
    /// The proof.
    signature: Option<String>,
}

params!(FollowQuery, SignatureQuery);

/// The log of a build so far.
#[utoipa::path(get, path = "/v2/builds/{build_id}/log", operation_id = "getBuildLog",
    tag = "extension", params(BuildPath, FollowQuery),
    responses((status = 200, description = "The log, or events of it", content(
        (String = "text/plain"), (LogEvent = "text/event-stream"))), Refusals))]
pub(crate) async fn build_log(
    Caller(ctx, _): Caller,
    input: Checked<BuildPath, FollowQuery>,
) -> Answer {
    let of = LogOf::Build(BuildId::new(input.path.build_id));
    logs::log_exists(&ctx, of).await?;
    if input.query.follow.unwrap_or(false) {
        return Ok(sse::follow(ctx, of, &input.headers).await?);
    }
    Ok(text(ctx, of))
}

/// Where the log of a run can be fetched without a key, for fifteen minutes.
#[utoipa::path(get, path = "/v2/runs/{run_id}/log", operation_id = "getRunLog", params(RunPath),
    responses((status = 302, description = "In the header Location"), Refusals))]
pub(crate) async fn run_log(
    State(web): State<Web>,
    Caller(ctx, _): Caller,
    input: Checked<RunPath>,
) -> Answer {
    let link = logs::log_link(&ctx, RunId::new(input.path.run_id)).await?;
    let link = format!("{}{link}", web.public_url());
    let link = HeaderValue::try_from(link).map_err(Error::internal)?;
    let mut response = reply::answer(StatusCode::FOUND, TEXT, Body::empty());
    response.headers_mut().insert(LOCATION, link);
    Ok(response)
}

/// The log of a run as it grows, as server-sent events.
#[utoipa::path(get, path = "/v2/runs/{run_id}/log/stream", operation_id = "streamRunLog",
    tag = "extension", params(RunPath),
    responses((status = 200, description = "Events: lines of the log, then `end`",
        body = LogEvent, content_type = "text/event-stream"), Refusals))]
pub(crate) async fn run_log_stream(Caller(ctx, _): Caller, input: Checked<RunPath>) -> Answer {
    let of = LogOf::Run(RunId::new(input.path.run_id));
    logs::log_exists(&ctx, of).await?;
    Ok(sse::follow(ctx, of, &input.headers).await?)
}

/// The log of a run so far, for who has the link.
#[utoipa::path(get, path = "/logs/{run_id}", operation_id = "getSignedRunLog",
    tag = "extension", security(()), params(RunPath, SignatureQuery),
    responses((status = 200, description = "The log", body = String,
            content_type = "text/plain"),
        Refusals))]
pub(crate) async fn signed_log(
    State(web): State<Web>,
    input: Checked<RunPath, SignatureQuery>,
) -> Answer {
    let id = RunId::new(input.path.run_id);
    let expires = input.query.expires.and_then(|text| text.parse().ok());
    let (Some(expires), Some(signature)) = (expires, input.query.signature) else {
        return Err(Error::Unauthenticated.into());
    };
    logs::log_link_check(web.app(), id, expires, &signature)?;
    let ctx = Ctx::system(web.app().clone());
    logs::log_exists(&ctx, LogOf::Run(id)).await?;
    Ok(text(ctx, LogOf::Run(id)))
}

/// All that the log holds now.
fn text(ctx: Ctx, of: LogOf) -> Response {
    let start = (ctx, LogCursor::default(), false);
    let parts = stream::try_unfold(start, move |(ctx, mut cursor, done)| async move {
        if done {
            return Ok(None);
        }
        let (bytes, complete) = logs::log_next(&ctx, of, &mut cursor).await?;
        if bytes.is_empty() {
            // Either its end, or all that a live one holds now.
            return Ok(None);
        }
        Ok::<_, Error>(Some((Bytes::from(bytes), (ctx, cursor, complete))))
    });
    reply::answer(StatusCode::OK, TEXT, Body::from_stream(parts))
}
