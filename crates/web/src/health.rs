//! Whether the server is there.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::error::ApiError;
use crate::reply;
use crate::state::Web;

/// The process answers.
#[utoipa::path(get, path = "/healthz", operation_id = "getHealth", tag = "extension",
    security(()), responses((status = 200, description = "It is alive", body = String)))]
pub(crate) async fn alive() -> Response {
    reply::answer(StatusCode::OK, "text/plain; charset=utf-8", "ok\n")
}

/// The server can do its work.
#[utoipa::path(get, path = "/readyz", operation_id = "getReadiness", tag = "extension",
    security(()), responses(
        (status = 200, description = "It is ready", body = String),
        (status = 503, description = "Not now", body = marquetry_wire::v2::ErrorMessage)))]
pub(crate) async fn ready(State(web): State<Web>) -> Result<Response, ApiError> {
    marquetry_app::health::ready(web.app()).await?;
    let kind = "text/plain; charset=utf-8";
    Ok(reply::answer(StatusCode::OK, kind, "ready\n"))
}
