//! Percent-encoding as OAuth 1.0 (RFC 5849, section 3.6) and AWS want it: both encode every byte
//! but the unreserved ones, with upper-case digits.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

const ALL_BUT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Encodes every byte that is not unreserved, the slash among them.
pub(super) fn encoded(value: impl AsRef<[u8]>) -> String {
    percent_encode(value.as_ref(), ALL_BUT_UNRESERVED).to_string()
}

/// Decodes once and encodes again, so that it no longer matters how the value was written.
pub(super) fn encoded_anew(value: &str) -> String {
    encoded(percent_decode(value.as_bytes()).collect::<Vec<u8>>())
}

/// The pairs of a query or of a form's body, encoded anew. A plus sign is a space there.
pub(super) fn pairs(form: &[u8]) -> Vec<(String, String)> {
    let anew = |part: &[u8]| {
        let spaced: Vec<u8> = part
            .iter()
            .map(|&byte| if byte == b'+' { b' ' } else { byte })
            .collect();
        encoded(percent_decode(&spaced).collect::<Vec<u8>>())
    };
    form.split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |&byte| byte == b'=');
            let mut next = || halves.next().unwrap_or_default();
            (anew(next()), anew(next()))
        })
        .collect()
}

/// Sorted by name and then by value, as `name=value` with `&` between.
pub(super) fn sorted(mut pairs: Vec<(String, String)>) -> String {
    pairs.sort();
    let written: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    written.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_bytes_stay() {
        assert_eq!(encoded("aZ09-._~"), "aZ09-._~");
        assert_eq!(
            encoded("/ +*'()!=&ä"),
            "%2F%20%2B%2A%27%28%29%21%3D%26%C3%A4"
        );
        assert_eq!(encoded([0xff]), "%FF");
    }

    #[test]
    fn pairs_are_decoded_before_they_are_encoded() {
        let read = pairs(b"b5=%3D%253D&a3=a&c%40=&a2=r%20b&c2&a3=2+q&&x=1=2");
        assert_eq!(
            sorted(read),
            "a2=r%20b&a3=2%20q&a3=a&b5=%3D%253D&c%40=&c2=&x=1%3D2"
        );
        assert_eq!(sorted(pairs(b"")), "");
    }
}
