//! Parameters of path and query.

use std::sync::LazyLock;

use axum::extract::RawPathParams;
use marquetry_model::FieldError;
use marquetry_wire::v2::{LocPart, ValidationError};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::judge::Refused;
use super::shape::{Fields, finish};

/// Parameters: a struct whose description is also what checks them.
pub(crate) trait Params: DeserializeOwned + Send {
    /// What is known of each.
    fn fields() -> &'static Fields;

    /// What the rules say of those that `fit`, in a request that is refused for something else.
    fn judge(_fit: Map<String, Value>, _refused: &Refused<'_>) -> Vec<FieldError> {
        Vec::new()
    }
}

/// Makes structs that derive `Deserialize` and `IntoParams` usable in `Checked`. Where they have
/// rules, all of their fields may be missing, and a function says which are broken.
macro_rules! params {
    ($($name:ty),+) => {$(
        impl $crate::extract::Params for $name {
            $crate::extract::params!(@fields $name);
        }
    )+};
    ($name:ty => $judge:expr) => {
        impl $crate::extract::Params for $name {
            $crate::extract::params!(@fields $name);

            fn judge(
                fit: serde_json::Map<String, serde_json::Value>,
                refused: &$crate::extract::Refused<'_>,
            ) -> Vec<marquetry_model::FieldError> {
                $crate::extract::as_far(fit).map_or_else(Vec::new, |known: Self| {
                    $judge(&known, refused)
                })
            }
        }
    };
    (@fields $name:ty) => {
        fn fields() -> &'static $crate::extract::Fields {
            static FIELDS: std::sync::LazyLock<$crate::extract::Fields> =
                std::sync::LazyLock::new($crate::extract::Fields::of_params::<$name>);
            &FIELDS
        }
    };
}

pub(crate) use params;

impl Params for () {
    fn fields() -> &'static Fields {
        static NONE: LazyLock<Fields> = LazyLock::new(Fields::default);
        &NONE
    }
}

/// The parameters of a part that fit, as the handler takes them; only what its type alone knows is
/// still a fault.
pub(crate) fn finish_params<P: Params>(
    part: &str,
    fit: Map<String, Value>,
    faults: &mut Vec<ValidationError>,
) -> Option<P> {
    let nothing = P::fields().is_empty();
    let value = if nothing { Value::Null } else { fit.into() };
    finish(value, vec![LocPart::Name(part.to_owned())], faults)
}

/// What the path holds, by name.
pub(crate) fn path_values(found: Option<&RawPathParams>) -> Map<String, Value> {
    let pairs = found.into_iter().flatten();
    let pairs = pairs.map(|(name, value)| (name.to_owned(), Value::from(value)));
    pairs.collect()
}

/// What the query holds of what is known; of a parameter that is given twice, the last counts.
pub(crate) fn query_values(known: &Fields, query: Option<&str>) -> Map<String, Value> {
    let mut found = Map::new();
    if known.is_empty() {
        return found;
    }
    for pair in query.unwrap_or_default().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name);
        if known.knows(&name) {
            found.insert(name, Value::from(decode(value)));
        }
    }
    found
}

/// `application/x-www-form-urlencoded`; what is no UTF-8 becomes U+FFFD.
fn decode(text: &str) -> String {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (*first, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            (byte, _) => bytes.push(byte),
        }
    }
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn percent_and_plus() {
        assert_eq!(decode("a+b%20c%2Fd"), "a b c/d");
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(decode("%ff"), "\u{fffd}");
    }
}
