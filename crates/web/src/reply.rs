//! Answers with the headers that every one of them has.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LINK, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use marquetry_model::{Page, PageRequest};
use serde::Serialize;

use crate::extract::cursor;
use crate::state::Web;

const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

/// An answer that no cache may keep and no browser may guess the type of.
pub(crate) fn answer(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(value).expect("wire shapes have string keys");
    answer(status, "application/json", Bytes::from(bytes))
}

/// JSON with 200.
pub(crate) fn ok(value: &impl Serialize) -> Response {
    json(StatusCode::OK, value)
}

/// A page of a list: a bare array; where to go on and the total are headers.
pub(crate) fn list<T: Serialize>(
    web: &Web,
    uri: &Uri,
    request: &PageRequest,
    page: &Page<T>,
) -> Response {
    let mut response = ok(&page.items);
    if let Some(total) = page.total {
        response.headers_mut().insert(TOTAL, total.into());
    }
    if let Some(position) = &page.next {
        let cursor = cursor::write(web, uri.path(), request.sort.as_ref(), position);
        let next = next_page(web, uri, &cursor);
        if let Ok(value) = HeaderValue::try_from(next) {
            response.headers_mut().insert(LINK, value);
        }
    }
    response
}

/// The same request, further on.
fn next_page(web: &Web, uri: &Uri, cursor: &str) -> String {
    let mut link = format!("<{}{}?", web.public_url(), uri.path());
    for pair in uri.query().unwrap_or_default().split('&') {
        let name = pair.split('=').next().unwrap_or_default();
        // '<' and '>' never stand in a URI that parsed, so the header cannot be broken out of.
        if !pair.is_empty() && name != "cursor" && name != "skip" {
            link.push_str(pair);
            link.push('&');
        }
    }
    link.push_str("cursor=");
    link.push_str(cursor);
    link.push_str(">; rel=\"next\"");
    link
}
