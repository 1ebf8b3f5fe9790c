//! Bodies of requests.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use marquetry_wire::v2::{LocPart, ValidationError};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::shape::{self, Shape};
use crate::error::ApiError;

/// The largest body, in bytes.
pub(crate) const BODY_LIMIT: usize = 6 << 20;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(60);

/// What a handler can take from a body.
pub(crate) trait BodyInput: Sized + Send {
    /// Whether there is anything to read.
    const READS: bool = true;

    /// Reads it and notes every fault.
    fn read(bytes: Bytes, faults: &mut Vec<ValidationError>) -> Option<Self>;
}

impl BodyInput for () {
    const READS: bool = false;

    fn read(_: Bytes, _: &mut Vec<ValidationError>) -> Option<Self> {
        Some(())
    }
}

/// A shape of a body: a struct whose schema is also what checks it.
pub(crate) trait JsonBody: DeserializeOwned + Send {
    /// Its schema.
    fn shape() -> &'static Shape;
}

/// A body that must be there and have the shape.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: JsonBody> BodyInput for Json<T> {
    fn read(bytes: Bytes, faults: &mut Vec<ValidationError>) -> Option<Self> {
        if is_blank(&bytes) {
            let input = Some(Value::Null);
            let fault = shape::fault(vec![name("body")], "missing", "Field required", input);
            faults.push(fault);
            return None;
        }
        let value = parse(&bytes, faults)?;
        let mut loc = vec![name("body")];
        let value = T::shape().check(value, &mut loc, faults)?;
        shape::finish(value, loc, faults).map(Json)
    }
}

/// The body of a sync, as it came: a JSON object, or none when it is absent or `null`.
pub(crate) struct Payload(pub(crate) Option<Bytes>);

impl BodyInput for Payload {
    fn read(bytes: Bytes, faults: &mut Vec<ValidationError>) -> Option<Self> {
        if is_blank(&bytes) {
            return Some(Self(None));
        }
        match parse(&bytes, faults)? {
            Value::Null => Some(Self(None)),
            Value::Object(_) => Some(Self(Some(bytes))),
            other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                let text = "Input should be a valid dictionary";
                let fault = shape::fault(vec![name("body")], "dict_type", text, Some(other));
                faults.push(fault);
                None
            }
        }
    }
}

/// The whole body, unless it is too large or too slow.
pub(crate) async fn collect(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    if let Some(length) = headers.get(CONTENT_LENGTH) {
        let length = length.to_str().ok().and_then(|text| text.parse().ok());
        match length {
            Some(0) => return Ok(Bytes::new()),
            Some(length) if length > BODY_LIMIT => return Err(ApiError::TooLarge),
            _ => {}
        }
    }
    let whole = Limited::new(body, BODY_LIMIT).collect();
    match tokio::time::timeout(BODY_TIME, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::TooLarge),
        Ok(Err(_)) => Err(ApiError::BodyBroken),
        Err(_) => Err(ApiError::BodyTimeout),
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

fn parse(bytes: &[u8], faults: &mut Vec<ValidationError>) -> Option<Value> {
    match serde_json::from_slice(bytes) {
        Ok(value) => Some(value),
        Err(error) => {
            faults.push(not_json(bytes, &error));
            None
        }
    }
}

fn not_json(bytes: &[u8], error: &serde_json::Error) -> ValidationError {
    let before: usize = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let place = i64::try_from(before + error.column().saturating_sub(1)).unwrap_or(i64::MAX);
    // The parser ends its sentence with the place, which stands in `loc`.
    let text = error.to_string();
    let text = text
        .split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned();
    ValidationError {
        ctx: Some(Map::from_iter([("error".to_owned(), text.into())])),
        ..shape::fault(
            vec![name("body"), LocPart::Index(place)],
            "json_invalid",
            "JSON decode error",
            Some(json!({})),
        )
    }
}

fn name(text: &str) -> LocPart {
    LocPart::Name(text.to_owned())
}
