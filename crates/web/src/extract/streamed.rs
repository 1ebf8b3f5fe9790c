//! The input of a handler whose body is too large to be held at once.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;

use super::checked::Checked;
use super::params::Params;
use crate::error::ApiError;
use crate::once::Once;
use crate::state::Web;

/// How long a body may say nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// Path and query, checked, and the body as it comes.
pub(crate) struct Streamed<P, Q = ()> {
    pub(crate) path: P,
    pub(crate) query: Q,
    /// Of the head alone; the body is to be added.
    pub(crate) once: Option<Once>,
    headers: HeaderMap,
    body: Body,
}

/// A body in parts, at most so many bytes of it.
pub(crate) struct Parts {
    stream: axum::body::BodyDataStream,
    left: u64,
    limit: u64,
}

impl<P: Params, Q: Params> FromRequest<Web> for Streamed<P, Q> {
    type Rejection = ApiError;

    async fn from_request(request: Request, web: &Web) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let head = Request::from_parts(parts, Body::empty());
        let head = Checked::<P, Q>::from_request(head, web).await?;
        Ok(Self {
            path: head.path,
            query: head.query,
            once: head.once,
            headers: head.headers,
            body,
        })
    }
}

impl<P, Q> Streamed<P, Q> {
    /// The body, unless it says itself that it is larger than `limit` bytes.
    pub(crate) fn parts(self, limit: u64) -> Result<Parts, ApiError> {
        let length = self.headers.get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > limit) {
            return Err(ApiError::UploadTooLarge(limit));
        }
        Ok(Parts {
            stream: self.body.into_data_stream(),
            left: limit,
            limit,
        })
    }
}

impl Parts {
    /// What comes next; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let next = tokio::time::timeout(SILENCE, self.stream.next()).await;
        let next = next.map_err(|_| ApiError::BodyTimeout)?;
        let Some(part) = next.transpose().map_err(|_| ApiError::BodyBroken)? else {
            return Ok(None);
        };
        let left = self.left.checked_sub(part.len() as u64);
        self.left = left.ok_or(ApiError::UploadTooLarge(self.limit))?;
        Ok(Some(part))
    }
}
