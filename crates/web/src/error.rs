//! The one place that knows which failure has which status and body.

use std::borrow::Cow;
use std::error::Error as _;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use marquetry_model::{Error, FieldError, Loc};
use marquetry_wire::v2::{
    ErrorDetail, ErrorMessage, HttpValidationError, LocPart, ValidationError,
};
use serde_json::{Map, json};

use crate::extract::fault;
use crate::throttle::Throttle;
use crate::{reply, sent};

/// Seconds after which a platform that is not available may be asked again.
const RETRY_UNAVAILABLE: u32 = 1;

/// Why a request was not served.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// A use case refused.
    App(Error),
    /// The input has not the declared shape.
    Shape(Vec<ValidationError>),
    /// The body is larger than allowed.
    TooLarge,
    /// The archive is larger than so many bytes.
    UploadTooLarge(u64),
    /// The body did not come in time.
    BodyTimeout,
    /// The connection broke in the body.
    BodyBroken,
    /// There is no such route.
    NoRoute,
    /// The route has other methods.
    Method,
    /// A browser without a key, which may ask its user.
    Prompt,
    /// A handler panicked.
    Panicked,
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self::App(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        render(self, Style::Detailed)
    }
}

/// The same, for the two routes whose 422 is one sentence.
#[derive(Debug)]
pub(crate) struct PlainError(pub(crate) ApiError);

impl<E: Into<ApiError>> From<E> for PlainError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PlainError {
    fn into_response(self) -> Response {
        render(self.0, Style::Plain)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// 422 lists every fault.
    Detailed,
    /// 422 is one sentence.
    Plain,
}

fn render(error: ApiError, style: Style) -> Response {
    match error {
        ApiError::App(error) => render_app(error, style),
        ApiError::Shape(faults) => invalid(faults, style),
        ApiError::TooLarge => {
            let text = "the request body is larger than 6 MiB; send less";
            message(StatusCode::PAYLOAD_TOO_LARGE, text)
        }
        ApiError::UploadTooLarge(limit) => {
            let text = format!(
                "the archive is larger than {} MiB; leave out what a build does not need, or raise limits.upload_mb",
                limit >> 20
            );
            message(StatusCode::PAYLOAD_TOO_LARGE, text)
        }
        ApiError::BodyTimeout => {
            let text = "the request body did not arrive in time; send it again";
            message(StatusCode::REQUEST_TIMEOUT, text)
        }
        ApiError::BodyBroken => {
            let text = "the request body could not be read to its end";
            message(StatusCode::BAD_REQUEST, text)
        }
        ApiError::NoRoute => message(StatusCode::NOT_FOUND, "there is no such route"),
        ApiError::Method => {
            let text = "this route does not take this method; the header Allow names its methods";
            message(StatusCode::METHOD_NOT_ALLOWED, text)
        }
        ApiError::Prompt => {
            let mut response = unauthorized(StatusCode::UNAUTHORIZED);
            let ask = HeaderValue::from_static("Basic realm=\"API key as password\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, ask);
            response
        }
        ApiError::Panicked => message(
            StatusCode::INTERNAL_SERVER_ERROR,
            "an internal error occurred; the server's log has the cause",
        ),
    }
}

fn render_app(error: Error, style: Style) -> Response {
    match error {
        Error::NotFound { .. } => message(StatusCode::NOT_FOUND, error.to_string()),
        Error::Conflict { .. } => message(StatusCode::CONFLICT, error.to_string()),
        Error::Invalid(faults) => invalid(faults.into_iter().map(refusal).collect(), style),
        Error::Unauthenticated | Error::Forbidden => unauthorized(StatusCode::FORBIDDEN),
        Error::RateLimited { retry_after_s, .. } => later(
            StatusCode::TOO_MANY_REQUESTS,
            error.to_string(),
            retry_after_s,
        ),
        Error::Unavailable { .. } => {
            // While the database is away every request is one of these.
            static TOLD: Throttle = Throttle::new(Duration::from_secs(1));
            if let Some(silent) = TOLD.pass(Instant::now()) {
                let cause = chain(&error);
                tracing::error!(cause, silent, "the platform is not available");
            }
            let text = error.to_string();
            later(StatusCode::SERVICE_UNAVAILABLE, text, RETRY_UNAVAILABLE)
        }
        Error::Internal(_) => {
            tracing::error!(cause = chain(&error), "a request failed");
            message(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        }
    }
}

fn message(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Response {
    let message = message.into().into_owned();
    reply::json(status, &ErrorMessage { message })
}

fn unauthorized(status: StatusCode) -> Response {
    let detail = "Not authorized".to_owned();
    reply::json(status, &ErrorDetail { detail })
}

fn later(status: StatusCode, text: String, seconds: u32) -> Response {
    let mut response = message(status, text);
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

fn invalid(faults: Vec<ValidationError>, style: Style) -> Response {
    const STATUS: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
    match style {
        Style::Detailed => reply::json(STATUS, &HttpValidationError { detail: faults }),
        Style::Plain => message(STATUS, sentence(&faults)),
    }
}

/// `tag: Field required; integration_id: Input should be a valid integer`.
fn sentence(faults: &[ValidationError]) -> String {
    let mut text = String::new();
    for fault in faults {
        if !text.is_empty() {
            text.push_str("; ");
        }
        if fault.kind == "json_invalid" {
            text.push_str("the body is not JSON");
            continue;
        }
        let mut place = String::new();
        // What a path names, the sentence names itself.
        let named = matches!(fault.loc.first(), Some(LocPart::Name(name)) if name == "path");
        let business = fault.kind == "value_error";
        for part in fault.loc.iter().skip(if named && business { 2 } else { 1 }) {
            let dot = if place.is_empty() { "" } else { "." };
            match part {
                LocPart::Name(name) => write!(place, "{dot}{name}"),
                LocPart::Index(index) => write!(place, "{dot}{index}"),
            }
            .expect("writing to a string does not fail");
        }
        if !place.is_empty() {
            text.push_str(&place);
            text.push_str(": ");
        }
        text.push_str(
            fault
                .msg
                .strip_prefix("Value error, ")
                .unwrap_or(&fault.msg),
        );
    }
    text
}

/// A refusal of a use case, in pydantic's words for a refusal by a validator, with what was sent.
pub(crate) fn refusal(error: FieldError) -> ValidationError {
    let ours = error.kind == "value_error";
    let mark = if ours { "Value error, " } else { "" };
    let loc: Vec<LocPart> = error.loc.into_iter().map(place).collect();
    let input = sent::at(&loc);
    let message = format!("{mark}{}", error.message);
    ValidationError {
        ctx: match error.context {
            None if ours => Some(Map::from_iter([("error".to_owned(), json!({}))])),
            context => context,
        },
        ..fault(loc, error.kind, message, input)
    }
}

fn place(loc: Loc) -> LocPart {
    match loc {
        Loc::Name(name) => LocPart::Name(name.into_owned()),
        Loc::Index(index) => LocPart::Index(i64::try_from(index).unwrap_or(i64::MAX)),
    }
}

/// The error and what it came from, for the log.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        write!(text, ": {next}").expect("writing to a string does not fail");
        cause = next.source();
    }
    text
}

/// What a panic becomes.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the layer hands it over by value"
)]
pub(crate) fn panicked(cause: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = cause
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    tracing::error!(cause = text.unwrap_or("unknown"), "a handler panicked");
    ApiError::Panicked.into_response()
}

/// A route that does not exist.
pub(crate) async fn no_route() -> ApiError {
    ApiError::NoRoute
}

/// A method that the route does not take; the router adds `Allow`.
pub(crate) async fn no_method() -> ApiError {
    ApiError::Method
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use serde_json::Value;

    use super::*;

    /// Status, the only field of the body, and `Retry-After`.
    async fn shown(response: Response) -> (u16, String, Option<String>) {
        let status = response.status().as_u16();
        let retry = response.headers().get(RETRY_AFTER);
        let retry = retry.map(|value| value.to_str().unwrap().to_owned());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        let fields: Vec<&str> = body
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        (status, fields.join(","), retry)
    }

    #[tokio::test]
    async fn the_table() {
        let invalid = || Error::invalid("name", "must not be empty");
        let table = [
            (Error::not_found("run", 7).into(), 404, "message", None),
            (Error::conflict("x", "x").into(), 409, "message", None),
            (invalid().into(), 422, "detail", None),
            (Error::Unauthenticated.into(), 403, "detail", None),
            (Error::Forbidden.into(), 403, "detail", None),
            (
                Error::RateLimited {
                    retry_after_s: 10,
                    message: String::new(),
                }
                .into(),
                429,
                "message",
                Some("10"),
            ),
            (
                Error::Unavailable {
                    message: String::new(),
                    cause: None,
                }
                .into(),
                503,
                "message",
                Some("1"),
            ),
            (Error::internal("secret cause").into(), 500, "message", None),
            (ApiError::Shape(Vec::new()), 422, "detail", None),
            (ApiError::TooLarge, 413, "message", None),
            (ApiError::UploadTooLarge(1 << 20), 413, "message", None),
            (ApiError::BodyTimeout, 408, "message", None),
            (ApiError::BodyBroken, 400, "message", None),
            (ApiError::NoRoute, 404, "message", None),
            (ApiError::Method, 405, "message", None),
            (ApiError::Prompt, 401, "detail", None),
            (ApiError::Panicked, 500, "message", None),
        ];
        for (error, status, field, retry) in table {
            let name = format!("{error:?}");
            let found = shown(error.into_response()).await;
            let wanted = (status, field.to_owned(), retry.map(str::to_owned));
            assert_eq!(found, wanted, "{name}");
        }
        let plain = PlainError::from(invalid()).into_response();
        assert_eq!(shown(plain).await.1, "message");
    }

    #[tokio::test]
    async fn causes_stay_inside() {
        for error in [
            Error::internal("secret cause"),
            Error::Unavailable {
                message: "try again".into(),
                cause: Some("secret cause".into()),
            },
        ] {
            let logged = chain(&error);
            assert!(logged.ends_with(": secret cause"), "{logged}");
            let response = ApiError::from(error).into_response();
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            assert!(!text.contains("secret"), "{text}");
        }
        let response = panicked(Box::new("secret cause"));
        assert_eq!(response.status(), 500);
    }
}
