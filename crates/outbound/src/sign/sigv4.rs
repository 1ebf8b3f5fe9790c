//! AWS Signature Version 4: the headers that sign one request.

mod canonical;

use aws_lc_rs::{digest, hmac};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;
use zeroize::Zeroizing;

use super::SignError;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Who signs. There is no `Debug`, because there are secrets.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The access key's id, which is sent.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret_access_key: &'a str,
    /// The token of a temporary key.
    pub session_token: Option<&'a str>,
}

/// What is signed, and for whom.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The method of the request.
    pub method: &'a http::Method,
    /// Its address.
    pub url: &'a Url,
    /// Its headers: they are signed, but for those that are changed on the way. `host` is added.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a [u8],
    /// The region, as `eu-central-1`.
    pub region: &'a str,
    /// The service's signing name, as `s3` or `execute-api`.
    pub service: &'a str,
    /// The time of the request.
    pub now: jiff::Timestamp,
}

/// The headers to set on the request: `authorization`, `x-amz-date`, `x-amz-security-token` for a
/// temporary key, and `x-amz-content-sha256` for the services that ask for it (S3 among them).
///
/// # Errors
/// [`SignError::NoHost`], or [`SignError::Header`] for credentials that no header can carry.
pub fn headers(
    credentials: &Credentials<'_>,
    request: &Request<'_>,
) -> Result<HeaderMap, SignError> {
    let time = request.now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let body_hash = hex(digest::digest(&digest::SHA256, request.body).as_ref());
    let mut added = HeaderMap::new();
    added.insert(DATE, value("the time", &time)?);
    if wants_content_hash(request.service) {
        added.insert(CONTENT_HASH, value("the hash", &body_hash)?);
    }
    if let Some(token) = credentials.session_token {
        let mut token = value("the session token", token)?;
        token.set_sensitive(true);
        added.insert(SESSION_TOKEN, token);
    }
    let (canonical, signed) = canonical::request(request, &added, &body_hash)?;
    let (region, service) = (request.region, request.service);
    let day = &time[..8];
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let canonical_hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{canonical_hash}");
    let key = signing_key(credentials.secret_access_key, day, region, service);
    let signature = hex(hmac::sign(&key, to_sign.as_bytes()).as_ref());
    let authorization = format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
        credentials.access_key_id
    );
    let mut authorization = value("the access key, the region or the service", &authorization)?;
    authorization.set_sensitive(true);
    added.insert(AUTHORIZATION, authorization);
    Ok(added)
}

/// S3 and its relatives sign the path as it is; all others normalise it and encode it twice.
fn keeps_path(service: &str) -> bool {
    service == "s3" || service.starts_with("s3-") || service == "s3express"
}

fn wants_content_hash(service: &str) -> bool {
    // OpenSearch Serverless refuses requests without it
    keeps_path(service) || service == "aoss"
}

fn signing_key(secret: &str, day: &str, region: &str, service: &str) -> hmac::Key {
    let first = Zeroizing::new(format!("AWS4{secret}"));
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, first.as_bytes());
    for part in [day, region, service, "aws4_request"] {
        let derived = hmac::sign(&key, part.as_bytes());
        key = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
    }
    key
}

fn value(what: &'static str, text: &str) -> Result<HeaderValue, SignError> {
    HeaderValue::from_str(text).map_err(|_| SignError::Header { what })
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from(DIGITS[usize::from(half)]))
        .collect()
}

#[cfg(test)]
mod tests;
