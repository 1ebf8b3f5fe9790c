//! The canonical request: the one spelling of a request that both sides can agree upon.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue};
use url::Url;

use super::super::SignError;
use super::super::encoding::{encoded, encoded_anew, pairs, sorted};
use super::{Request, keeps_path};

/// Headers that proxies and clients change or add, and the one that the signature goes into.
const NEVER_SIGNED: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "expect",
    "transfer-encoding",
    "user-agent",
    "x-amzn-trace-id",
];

/// The canonical request, and the names of the headers that it holds.
pub(super) fn request(
    request: &Request<'_>,
    added: &HeaderMap,
    body_hash: &str,
) -> Result<(String, String), SignError> {
    let headers = signed_headers(request, added)?;
    let names: Vec<&str> = headers.keys().copied().collect();
    let names = names.join(";");
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}"))
        .collect();
    let lines = lines.join("\n");
    let method = request.method.as_str();
    let path = path(request.url, request.service);
    let query = sorted(pairs(request.url.query().unwrap_or_default().as_bytes()));
    let text = format!("{method}\n{path}\n{query}\n{lines}\n\n{names}\n{body_hash}");
    Ok((text, names))
}

fn signed_headers<'a>(
    request: &Request<'a>,
    added: &'a HeaderMap,
) -> Result<BTreeMap<&'a str, String>, SignError> {
    let mut signed: BTreeMap<&str, String> = BTreeMap::new();
    for name in request.headers.keys().chain(added.keys()) {
        if NEVER_SIGNED.contains(&name.as_str()) {
            continue;
        }
        // what is added replaces what the request had
        let holder = if added.contains_key(name) {
            added
        } else {
            request.headers
        };
        let values: Vec<String> = holder
            .get_all(name)
            .iter()
            .map(one_spaced)
            .collect::<Result<_, _>>()?;
        signed.insert(name.as_str(), values.join(","));
    }
    let host = request.url.host_str().ok_or(SignError::NoHost)?;
    let port = request.url.port();
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    signed.insert("host", format!("{host}{port}"));
    Ok(signed)
}

/// The value without spaces around it, and with single ones inside.
fn one_spaced(value: &HeaderValue) -> Result<String, SignError> {
    let text = value.to_str().map_err(|_| SignError::Header {
        what: "a header to sign",
    })?;
    Ok(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
}

fn path(url: &Url, service: &str) -> String {
    let path = url.path();
    if keeps_path(service) {
        let segments: Vec<String> = path.split('/').map(encoded_anew).collect();
        return segments.join("/");
    }
    // the parser resolved `.` and `..`; empty segments remain
    let segments: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(encoded)
        .collect();
    let end = if path.ends_with('/') && !segments.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_keeps_its_path_and_others_encode_twice() {
        let url: Url = "https://a.test//photos/a%20b//%2f(1)/".parse().unwrap();
        assert_eq!(path(&url, "s3"), "//photos/a%20b//%2F%281%29/");
        assert_eq!(path(&url, "execute-api"), "/photos/a%2520b/%252f%281%29/");
        let root: Url = "https://a.test".parse().unwrap();
        assert_eq!(path(&root, "s3"), "/");
        assert_eq!(path(&root, "sts"), "/");
    }
}
