//! The whole input of a handler, with all its faults at once.

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use marquetry_wire::v2::{LocPart, ValidationError};
use serde_json::{Map, Value};

use super::body::{BodyInput, collect};
use super::judge::Refused;
use super::params::{Params, finish_params, path_values, query_values};
use crate::error::{ApiError, PlainError, refusal};
use crate::once::Once;
use crate::sent::{self, Sent};
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
            Bytes::new()
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
        let path = P::fields().of_texts("path", path_values(found.as_ref()), &mut faults);
        let query = query_values(Q::fields(), parts.uri.query());
        let query = Q::fields().of_texts("query", query, &mut faults);
        sent::remember(Sent {
            path: found,
            uri: parts.uri.clone(),
            query: Q::fields(),
            body: if B::HAS_PLACES {
                bytes.clone()
            } else {
                Bytes::new()
            },
        });
        let body = B::read(bytes, &mut faults);
        if !faults.is_empty() {
            let refused = Refused {
                web,
                headers: &parts.headers,
                uri: &parts.uri,
                path,
            };
            faults.extend(judged::<Q, B>(query, body, &refused).await?);
            faults.sort_by_key(place::<P, Q, B>);
            return Err(ApiError::Shape(faults));
        }
        let path = finish_params("path", path, &mut faults);
        let query = finish_params("query", query, &mut faults);
        let body = body.and_then(|body| B::finish(body, &mut faults));
        match (path, query, body) {
            (Some(path), Some(query), Some(body)) => Ok(Self {
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

/// What the rules say of the fields that fit, in a request with others that do not.
async fn judged<Q: Params, B: BodyInput>(
    query: Map<String, Value>,
    body: Option<B::Read>,
    refused: &Refused<'_>,
) -> Result<Vec<ValidationError>, ApiError> {
    let mut found = Q::judge(query, refused);
    if let Some(body) = body {
        found.extend(B::judge(body, refused).await?);
    }
    Ok(found.into_iter().map(refusal).collect())
}

/// The order of faults: path, query, headers, body, each with its fields in the order of the document.
fn place<P: Params, Q: Params, B: BodyInput>(fault: &ValidationError) -> (usize, usize) {
    let field = match fault.loc.get(1) {
        Some(LocPart::Name(name)) => name.as_str(),
        _ => "",
    };
    match fault.loc.first() {
        Some(LocPart::Name(part)) if part == "path" => (0, P::fields().place(field)),
        Some(LocPart::Name(part)) if part == "query" => (1, Q::fields().place(field)),
        Some(LocPart::Name(part)) if part == "header" => (2, 0),
        _ => (3, B::place(field)),
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
