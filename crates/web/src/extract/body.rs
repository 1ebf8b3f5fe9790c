//! Bodies of requests.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use marquetry_app::json::lost_numbers;
use marquetry_model::{Error, FieldError};
use marquetry_wire::v2::{LocPart, ValidationError};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::json_stream::{self, Kind};
use super::judge::Refused;
use super::shape::{self, Fields};
use crate::error::{ApiError, refusal};

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(60);
/// The longest body of a sync, in bytes, that is sent back when it is no object.
const SHORT: usize = 16 << 10;

/// What a handler can take from a body.
pub(crate) trait BodyInput: Sized + Send {
    /// Whether there is anything to read.
    const READS: bool = true;
    /// Whether a use case may name a place in it.
    const HAS_PLACES: bool = false;
    /// What is known of it before all of the request is.
    type Read: Send;

    /// Reads it and notes every fault of its shape.
    fn read(bytes: Bytes, faults: &mut Vec<ValidationError>) -> Option<Self::Read>;

    /// What the handler takes; only what its type alone knows is still a fault.
    fn finish(read: Self::Read, faults: &mut Vec<ValidationError>) -> Option<Self>;

    /// What the rules say of its fields, in a request that is refused for something else.
    fn judge(
        _read: Self::Read,
        _refused: &Refused<'_>,
    ) -> impl Future<Output = Result<Vec<FieldError>, Error>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Where a field stands among the others.
    fn place(_field: &str) -> usize {
        0
    }
}

impl BodyInput for () {
    const READS: bool = false;
    type Read = ();

    fn read(_: Bytes, _: &mut Vec<ValidationError>) -> Option<()> {
        Some(())
    }

    fn finish((): (), _: &mut Vec<ValidationError>) -> Option<()> {
        Some(())
    }
}

/// A shape of a body: a struct whose schema is also what checks it.
pub(crate) trait JsonBody: DeserializeOwned + Send {
    /// What is known of each of its fields.
    fn fields() -> &'static Fields;

    /// What the rules say of the fields that `fit`, in a request that is refused for something else.
    fn judge(
        _fit: Map<String, Value>,
        _refused: &Refused<'_>,
    ) -> impl Future<Output = Result<Vec<FieldError>, Error>> + Send {
        async { Ok(Vec::new()) }
    }
}

/// Makes a struct that derives `Deserialize` and `ToSchema` usable as `Json`. Where its fields have
/// rules, another type holds what can be read of them (all may be missing), and a function says which
/// rules are broken.
macro_rules! json_body {
    ($name:ty) => {
        impl $crate::extract::JsonBody for $name {
            $crate::extract::json_body!(@fields $name);
        }
    };
    ($name:ty as $part:ty => $judge:path) => {
        impl $crate::extract::JsonBody for $name {
            $crate::extract::json_body!(@fields $name);

            async fn judge(
                fit: serde_json::Map<String, serde_json::Value>,
                refused: &$crate::extract::Refused<'_>,
            ) -> Result<Vec<marquetry_model::FieldError>, marquetry_model::Error> {
                match $crate::extract::as_far::<$part>(fit) {
                    Some(part) => $judge(part, refused).await,
                    None => Ok(Vec::new()),
                }
            }
        }
    };
    (@fields $name:ty) => {
        fn fields() -> &'static $crate::extract::Fields {
            static FIELDS: std::sync::LazyLock<$crate::extract::Fields> =
                std::sync::LazyLock::new($crate::extract::Fields::of_body::<$name>);
            &FIELDS
        }
    };
}

pub(crate) use json_body;

/// Bodies of which the fields that fit are known, and are judged by their shape's rules.
macro_rules! as_fields {
    ($shape:ty) => {
        const HAS_PLACES: bool = true;
        /// The fields that fit.
        type Read = Map<String, Value>;

        fn judge(
            fit: Self::Read,
            refused: &Refused<'_>,
        ) -> impl Future<Output = Result<Vec<FieldError>, Error>> + Send {
            <$shape>::judge(fit, refused)
        }

        fn place(field: &str) -> usize {
            <$shape>::fields().place(field)
        }
    };
}

/// A body that must be there and have the shape.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: JsonBody> BodyInput for Json<T> {
    as_fields!(T);

    fn read(bytes: Bytes, faults: &mut Vec<ValidationError>) -> Option<Map<String, Value>> {
        if is_blank(&bytes) {
            let input = Some(Value::Null);
            let fault = shape::fault(vec![name("body")], "missing", "Field required", input);
            faults.push(fault);
            return None;
        }
        let value = parse(&bytes, |place| T::fields().keeps(place), faults)?;
        T::fields().of_value(value, &mut vec![name("body")], faults)
    }

    fn finish(fit: Map<String, Value>, faults: &mut Vec<ValidationError>) -> Option<Self> {
        shape::finish(Value::Object(fit), vec![name("body")], faults).map(Json)
    }
}

/// Bodies that are taken as they were read.
macro_rules! as_read {
    () => {
        type Read = Self;

        fn finish(read: Self, _: &mut Vec<ValidationError>) -> Option<Self> {
            Some(read)
        }
    };
}

/// A body that has the shape, and may be absent or `null` as every field of it may.
pub(crate) struct JsonOrNothing<T>(pub(crate) T);

impl<T: JsonBody> BodyInput for JsonOrNothing<T> {
    as_fields!(T);

    fn read(bytes: Bytes, faults: &mut Vec<ValidationError>) -> Option<Map<String, Value>> {
        let bytes = match bytes.trim_ascii() {
            b"" | b"null" => Bytes::from_static(b"{}"),
            _ => bytes,
        };
        Json::<T>::read(bytes, faults)
    }

    fn finish(fit: Map<String, Value>, faults: &mut Vec<ValidationError>) -> Option<Self> {
        Json::finish(fit, faults).map(|Json(body)| Self(body))
    }
}

/// A body that is some object.
pub(crate) struct JsonObject(pub(crate) Map<String, Value>);

impl BodyInput for JsonObject {
    const HAS_PLACES: bool = true;
    as_read!();

    fn read(bytes: Bytes, faults: &mut Vec<ValidationError>) -> Option<Self> {
        let body = || vec![name("body")];
        if is_blank(&bytes) {
            let input = Some(Value::Null);
            faults.push(shape::fault(body(), "missing", "Field required", input));
            return None;
        }
        let value = parse(&bytes, |place| !place.is_empty(), faults)?;
        if let Value::Object(fields) = value {
            return Some(Self(fields));
        }
        let text = "Input should be a valid dictionary";
        let input = Some(value).filter(|_| bytes.len() <= SHORT);
        faults.push(shape::fault(body(), "dict_type", text, input));
        None
    }
}

/// The body of a sync, as it came: a JSON object, or none when it is absent or `null`.
pub(crate) struct Payload(pub(crate) Option<Bytes>);

impl BodyInput for Payload {
    as_read!();

    fn read(bytes: Bytes, faults: &mut Vec<ValidationError>) -> Option<Self> {
        if is_blank(&bytes) {
            return Some(Self(None));
        }
        match json_stream::kind(&bytes) {
            Ok(Kind::Null) => Some(Self(None)),
            Ok(Kind::Object) => Some(Self(Some(bytes))),
            Ok(Kind::Other) => {
                let text = "Input should be a valid dictionary";
                // A longer one would not be sent back anyway.
                let short = bytes.len() <= SHORT;
                let input = short.then(|| serde_json::from_slice(&bytes).ok()).flatten();
                faults.push(shape::fault(vec![name("body")], "dict_type", text, input));
                None
            }
            Err(error) => {
                faults.push(not_json(&bytes, &error));
                None
            }
        }
    }
}

/// The body as it came: what is signed must not be read first.
pub(crate) struct Raw(pub(crate) Bytes);

impl BodyInput for Raw {
    as_read!();

    fn read(bytes: Bytes, _: &mut Vec<ValidationError>) -> Option<Self> {
        Some(Self(bytes))
    }
}

/// The whole body, unless it is too large or too slow.
pub(crate) async fn collect(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<Bytes, ApiError> {
    if let Some(length) = headers.get(CONTENT_LENGTH) {
        let length = length.to_str().ok().and_then(|text| text.parse().ok());
        match length {
            Some(0) => return Ok(Bytes::new()),
            Some(length) if length > limit => return Err(ApiError::TooLarge),
            _ => {}
        }
    }
    let whole = Limited::new(body, limit).collect();
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

/// Reads a body. A number that would not be kept as it was sent is a fault where `keeps` says that
/// the value is kept; elsewhere its field has its own words for it.
fn parse(
    bytes: &[u8],
    keeps: impl Fn(&[LocPart]) -> bool,
    faults: &mut Vec<ValidationError>,
) -> Option<Value> {
    let lost = lost_numbers(bytes).into_iter().map(refusal);
    let mut lost = lost.filter(|fault| keeps(&fault.loc[1..])).peekable();
    let is_lost = lost.peek().is_some();
    faults.extend(lost);
    match serde_json::from_slice(bytes) {
        Ok(value) => Some(value),
        Err(error) => {
            // It cannot be read for a number that is named already.
            if !is_lost {
                faults.push(not_json(bytes, &error));
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The most memory that this process ever had, in KiB.
    fn peak() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let size = line.unwrap().split_whitespace().nth(1).unwrap();
        size.parse().unwrap()
    }

    #[test]
    fn a_large_payload_costs_no_more_than_its_bytes() {
        let items = "[],".repeat(((6 << 20) - 16) / 3);
        let body = Bytes::from(format!("{{\"a\":[{items}0]}}"));
        let before = peak();
        let mut faults = Vec::new();
        let read = Payload::read(body.clone(), &mut faults).unwrap();
        assert!(faults.is_empty());
        let kept = read.0.unwrap();
        assert_eq!(kept.as_ptr(), body.as_ptr(), "kept, not copied");
        let grown = peak() - before;
        assert!(grown < 32 << 10, "{grown} KiB more");
    }

    #[test]
    fn what_is_no_object_is_sent_back_when_it_is_short() {
        for (body, input) in [
            (
                "[1, {\"a\": null}]".to_owned(),
                Some(json!([1, {"a": null}])),
            ),
            ("\"a\"".to_owned(), Some(json!("a"))),
            (format!("[{}0]", "0,".repeat(SHORT)), None),
        ] {
            let mut faults = Vec::new();
            assert!(Payload::read(body.into(), &mut faults).is_none());
            let [fault] = &faults[..] else {
                panic!("{faults:?}")
            };
            assert_eq!((fault.kind, &fault.input), ("dict_type", &input));
        }
    }
}
