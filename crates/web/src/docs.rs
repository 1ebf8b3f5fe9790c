//! The OpenAPI document and a page that shows it, both without the internet.

use std::sync::LazyLock;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::error::ApiError;
use crate::extract::browser_caller;
use crate::reply;
use crate::state::Web;

/// The page loads nothing from elsewhere; Swagger UI sets styles from its script and draws its
/// icons as `data:`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = include_str!("../assets/swagger-ui/index.html");
const START: &str = include_str!("../assets/swagger-ui/init.js");
const SCRIPT: &[u8] = include_bytes!("../assets/swagger-ui/swagger-ui-bundle.js.gz");
const STYLE: &[u8] = include_bytes!("../assets/swagger-ui/swagger-ui.css.gz");

/// This document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "getOpenApi", tag = "extension",
    responses(
        (status = 200, description = "OpenAPI 3.1", body = crate::openapi::AnyObject),
        (status = 403, description = "No valid API key", body = marquetry_wire::v2::ErrorDetail)))]
pub(crate) async fn document(
    State(web): State<Web>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    browser_caller(&web, &headers).await?;
    let kind = "application/json";
    Ok(reply::answer(StatusCode::OK, kind, web.openapi()))
}

/// What an editor knows a manifest by, without a key: it says nothing of this installation.
#[utoipa::path(get, path = "/schemas/pandium.json", operation_id = "getManifestSchema",
    tag = "extension", security(()),
    responses((status = 200, description = "A JSON Schema",
        body = inline(crate::openapi::AnyObject), content_type = "application/schema+json")))]
pub(crate) async fn manifest_schema() -> Response {
    static SCHEMA: LazyLock<Bytes> =
        LazyLock::new(|| Bytes::from(marquetry_app::manifest_schema().to_string()));
    reply::answer(StatusCode::OK, "application/schema+json", SCHEMA.clone())
}

/// What an editor knows a connector's definition by, without a key.
#[utoipa::path(get, path = "/schemas/connector.json", operation_id = "getConnectorSchema",
    tag = "extension", security(()),
    responses((status = 200, description = "A JSON Schema",
        body = inline(crate::openapi::AnyObject), content_type = "application/schema+json")))]
pub(crate) async fn connector_schema() -> Response {
    let schema = marquetry_app::connectors::SCHEMA.as_bytes();
    reply::answer(StatusCode::OK, "application/schema+json", schema)
}

/// The page.
pub(crate) async fn page(State(web): State<Web>, headers: HeaderMap) -> Result<Response, ApiError> {
    browser_caller(&web, &headers).await?;
    Ok(guarded("text/html; charset=utf-8", PAGE.as_bytes()))
}

/// What the page is made of.
pub(crate) async fn file(
    State(web): State<Web>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    browser_caller(&web, &headers).await?;
    // A path that is no UTF-8 names nothing.
    let Path(name) = name.map_err(|_| ApiError::NoRoute)?;
    let (kind, bytes, packed) = match name.as_str() {
        "init.js" => ("text/javascript; charset=utf-8", START.as_bytes(), false),
        "swagger-ui-bundle.js" => ("text/javascript; charset=utf-8", SCRIPT, true),
        "swagger-ui.css" => ("text/css; charset=utf-8", STYLE, true),
        _ => return Err(ApiError::NoRoute),
    };
    let mut response = guarded(kind, bytes);
    if packed {
        let coding = HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, coding);
    }
    Ok(response)
}

fn guarded(kind: &'static str, bytes: &'static [u8]) -> Response {
    let mut response = reply::answer(StatusCode::OK, kind, bytes);
    let policy = HeaderValue::from_static(POLICY);
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    response
}
