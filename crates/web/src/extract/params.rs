//! Parameters of path and query.

use std::sync::LazyLock;

use axum::extract::RawPathParams;
use marquetry_wire::v2::ValidationError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::shape::Fields;

/// Parameters: a struct whose description is also what checks them.
pub(crate) trait Params: DeserializeOwned + Send {
    /// What is known of each.
    fn fields() -> &'static Fields;
}

/// Makes structs that derive `Deserialize` and `IntoParams` usable in `Checked`.
macro_rules! params {
    ($($name:ty),+) => {$(
        impl $crate::extract::Params for $name {
            fn fields() -> &'static $crate::extract::Fields {
                static FIELDS: std::sync::LazyLock<$crate::extract::Fields> =
                    std::sync::LazyLock::new($crate::extract::Fields::of_params::<$name>);
                &FIELDS
            }
        }
    )+};
}

pub(crate) use params;

impl Params for () {
    fn fields() -> &'static Fields {
        static NONE: LazyLock<Fields> = LazyLock::new(Fields::default);
        &NONE
    }
}

/// Reads the parameters of the path.
pub(crate) fn read_path<P: Params>(
    found: Option<&RawPathParams>,
    faults: &mut Vec<ValidationError>,
) -> Option<P> {
    let pairs = found.into_iter().flatten();
    let pairs = pairs.map(|(name, value)| (name.to_owned(), Value::from(value)));
    P::fields().read("path", pairs.collect(), faults)
}

/// Reads the parameters of the query; of one that is given twice, the last counts.
pub(crate) fn read_query<Q: Params>(
    query: Option<&str>,
    faults: &mut Vec<ValidationError>,
) -> Option<Q> {
    let fields = Q::fields();
    let mut found = Map::new();
    if !fields.is_empty() {
        for pair in query.unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name);
            if fields.knows(&name) {
                found.insert(name, Value::from(decode(value)));
            }
        }
    }
    fields.read("query", found, faults)
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
