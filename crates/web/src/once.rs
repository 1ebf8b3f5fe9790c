//! Requests with an `Idempotency-Key`: done once, answered as often as they come.

use std::future::Future;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt as _;
use marquetry_app::Ctx;
use marquetry_app::idempotency::{self, Attempt, Begun, Done, LONGEST};
use marquetry_model::Error;
use marquetry_wire::v2::{LocPart, ValidationError};

use crate::error::ApiError;
use crate::extract::fault;
use crate::reply;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The key of a request, and the hash of what the request asks for.
#[derive(Debug)]
pub(crate) struct Once {
    key: String,
    fingerprint: [u8; 32],
}

impl Once {
    /// Reads the header, if there is one.
    pub(crate) fn read(
        headers: &HeaderMap,
        asked: [&[u8]; 3],
        faults: &mut Vec<ValidationError>,
    ) -> Option<Self> {
        let value = headers.get(KEY)?;
        let key = value.to_str().unwrap_or_default();
        if key.is_empty() || key.len() > LONGEST {
            let name = |text: &str| LocPart::Name(text.to_owned());
            let loc = vec![name("header"), name(KEY.as_str())];
            let why = format!("Value error, must have 1 to {LONGEST} visible ASCII characters");
            faults.push(fault(loc, "value_error", why, None));
            return None;
        }
        Some(Self {
            key: key.to_owned(),
            fingerprint: idempotency::fingerprint(&asked),
        })
    }

    /// The same of a request whose body was not at hand when its head was read.
    pub(crate) fn with_body(self, body: &[u8]) -> Self {
        let fingerprint = idempotency::fingerprint(&[&self.fingerprint, body]);
        Self {
            fingerprint,
            ..self
        }
    }
}

/// What an answer shows that the store shall not keep as it is.
#[derive(Debug, Clone, Copy)]
enum Secret {
    /// It is kept sealed.
    Sealed,
    /// It is not kept at all.
    ShownOnce,
}

/// An answer with a secret, which is kept for a repetition, but sealed.
pub(crate) fn with_secret(mut response: Response) -> Response {
    response.extensions_mut().insert(Secret::Sealed);
    response
}

/// An answer with a secret that no repetition may show again.
pub(crate) fn shown_once(mut response: Response) -> Response {
    response.extensions_mut().insert(Secret::ShownOnce);
    response
}

/// Does `act`, unless it was done before under the same key: then the answer comes again, from
/// what was kept or, when the server ended before it was kept, by `again` from the id of what
/// was done.
pub(crate) async fn once<A, B>(
    ctx: Ctx,
    once: Option<Once>,
    act: impl FnOnce(Ctx) -> A,
    again: impl FnOnce(Ctx, i64) -> B,
) -> Result<Response, ApiError>
where
    A: Future<Output = Result<Response, ApiError>>,
    B: Future<Output = Result<Response, ApiError>>,
{
    let Some(once) = once else {
        return act(ctx).await;
    };
    let attempt = match idempotency::begin(&ctx, &once.key, once.fingerprint).await? {
        Begun::Done(done) => return replay(&ctx, done, again).await,
        Begun::New(attempt) => attempt,
    };
    match act(attempt.ctx.clone()).await {
        Ok(response) => keep(&attempt, response).await,
        // Another node may have been faster: what failed here may have failed because of that.
        Err(error) => match attempt.done().await? {
            Some(done) => replay(&ctx, done, again).await,
            None => Err(error),
        },
    }
}

/// Works on when the caller goes away: it finds the answer under its key when it comes back.
pub(crate) async fn to_the_end(
    work: impl Future<Output = Result<Response, ApiError>> + Send + 'static,
) -> Result<Response, ApiError> {
    match tokio::spawn(work).await {
        Ok(answer) => answer,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cancelled) => Err(Error::internal(cancelled).into()),
        },
    }
}

async fn keep(attempt: &Attempt, response: Response) -> Result<Response, ApiError> {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.map_err(Error::internal)?.to_bytes();
    let secret = parts.extensions.get::<Secret>();
    let is_kept = !matches!(secret, Some(Secret::ShownOnce));
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let status = parts.status.as_u16();
    if is_kept && let Err(error) = attempt.answered(status, text, secret.is_some()).await {
        // It is done; a repetition makes the answer anew.
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "an answer was not kept for its Idempotency-Key"
        );
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

async fn replay<B>(
    ctx: &Ctx,
    done: Done,
    again: impl FnOnce(Ctx, i64) -> B,
) -> Result<Response, ApiError>
where
    B: Future<Output = Result<Response, ApiError>>,
{
    let kept = done.answer.and_then(|(status, body)| {
        let status = StatusCode::from_u16(status).ok()?;
        Some(reply::answer(status, "application/json", Bytes::from(body)))
    });
    let mut response = match kept {
        Some(response) => response,
        // The caller may see what they made, whatever else they may read.
        None => again(Ctx::system(ctx.app.clone()), done.effect_id).await?,
    };
    let replayed = HeaderValue::from_static("true");
    response.headers_mut().insert(REPLAYED, replayed);
    Ok(response)
}
