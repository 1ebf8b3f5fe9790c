//! The whole input of a handler, with all its faults at once.

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use http::{HeaderMap, Method, Uri};

use super::body::{BodyInput, collect};
use super::params::{Params, read_path, read_query};
use crate::error::{ApiError, PlainError};
use crate::once::Once;
use crate::state::Web;

/// Path, query and body of a request. What is not needed is `()`.
pub(crate) struct Checked<P = (), Q = (), B = ()> {
    pub(crate) path: P,
    pub(crate) query: Q,
    pub(crate) body: B,
    pub(crate) headers: HeaderMap,
    pub(crate) uri: Uri,
    /// The key of a request that may be repeated.
    pub(crate) once: Option<Once>,
}

impl<P: Params, Q: Params, B: BodyInput> FromRequest<Web> for Checked<P, Q, B> {
    type Rejection = ApiError;

    async fn from_request(request: Request, web: &Web) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        // A path that is no UTF-8 names nothing.
        let found = if P::fields().is_empty() {
            None
        } else {
            let found = RawPathParams::from_request_parts(&mut parts, web).await;
            Some(found.map_err(|_| ApiError::NoRoute)?)
        };
        let bytes = if B::READS {
            collect(&parts.headers, body, web.body_bytes()).await?
        } else {
            bytes::Bytes::new()
        };
        let mut faults = Vec::new();
        let asked = [
            parts.method.as_str().as_bytes(),
            parts
                .uri
                .path_and_query()
                .map_or("", |path| path.as_str())
                .as_bytes(),
            bytes.as_ref(),
        ];
        let once = match parts.method {
            Method::POST => Once::read(&parts.headers, asked, &mut faults),
            _ => None,
        };
        let path = read_path(found.as_ref(), &mut faults);
        let query = read_query(parts.uri.query(), &mut faults);
        let body = B::read(bytes, &mut faults);
        match (path, query, body) {
            (Some(path), Some(query), Some(body)) if faults.is_empty() => Ok(Self {
                path,
                query,
                body,
                headers: parts.headers,
                uri: parts.uri,
                once,
            }),
            _ => Err(ApiError::Shape(faults)),
        }
    }
}

/// The same, on the two routes whose 422 is one sentence.
pub(crate) struct Plain<P = (), Q = (), B = ()>(pub(crate) Checked<P, Q, B>);

impl<P: Params, Q: Params, B: BodyInput> FromRequest<Web> for Plain<P, Q, B> {
    type Rejection = PlainError;

    async fn from_request(request: Request, web: &Web) -> Result<Self, PlainError> {
        Ok(Self(Checked::from_request(request, web).await?))
    }
}
