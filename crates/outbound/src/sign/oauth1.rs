//! OAuth 1.0a (RFC 5849): the `Authorization` header of one request.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use url::Url;
use zeroize::Zeroizing;

use super::SignError;
use super::encoding::{encoded, pairs, sorted};

/// How the request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// What most providers ask for.
    HmacSha1,
    /// What newer ones ask for; not in the RFC.
    HmacSha256,
    /// The secrets themselves: only TLS protects them.
    Plaintext,
}

/// Who signs. There is no `Debug`, because there are secrets.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// `oauth_consumer_key`, the client's name.
    pub consumer_key: &'a str,
    /// The client's secret.
    pub consumer_secret: &'a str,
    /// The token and its secret; none for the first request of the flow, and for clients that act
    /// for themselves.
    pub token: Option<(&'a str, &'a str)>,
}

/// What is signed.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The method of the request.
    pub method: &'a http::Method,
    /// Its address; what its query says is signed.
    pub url: &'a Url,
    /// The body if it is `application/x-www-form-urlencoded`, and only then.
    pub form: Option<&'a [u8]>,
    /// The realm, which some providers use for the account; it is not signed.
    pub realm: Option<&'a str>,
    /// Further parameters of the protocol, as `oauth_callback` and `oauth_verifier`.
    pub extra: &'a [(&'a str, &'a str)],
    /// A value that the client never used before at this time.
    pub nonce: &'a str,
    /// The time of the request.
    pub now: jiff::Timestamp,
}

impl Method {
    /// The name as providers and the header write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "HMAC-SHA1",
            Self::HmacSha256 => "HMAC-SHA256",
            Self::Plaintext => "PLAINTEXT",
        }
    }
}

/// The value of the `Authorization` header for this request, marked as sensitive.
///
/// # Errors
/// [`SignError::NoHost`], or [`SignError::Header`] for a realm with control characters.
pub fn authorization(
    method: Method,
    credentials: &Credentials<'_>,
    request: &Request<'_>,
) -> Result<HeaderValue, SignError> {
    let timestamp = request.now.as_second().to_string();
    let mut protocol = vec![
        ("oauth_consumer_key", credentials.consumer_key),
        ("oauth_nonce", request.nonce),
        ("oauth_signature_method", method.name()),
        ("oauth_timestamp", &timestamp),
        ("oauth_version", "1.0"),
    ];
    protocol.extend(credentials.token.map(|(token, _)| ("oauth_token", token)));
    protocol.extend_from_slice(request.extra);
    let signature = signature(method, credentials, request, &protocol)?;
    protocol.push(("oauth_signature", &signature));
    header(request.realm, &protocol)
}

fn header(realm: Option<&str>, protocol: &[(&str, &str)]) -> Result<HeaderValue, SignError> {
    let realm = realm.map(|realm| {
        let quoted = realm.replace('\\', r"\\").replace('"', r#"\""#);
        format!("realm=\"{quoted}\"")
    });
    let parameters = protocol
        .iter()
        .map(|(name, value)| format!("{}=\"{}\"", encoded(name), encoded(value)));
    let all: Vec<String> = realm.into_iter().chain(parameters).collect();
    let text = Zeroizing::new(format!("OAuth {}", all.join(", ")));
    let mut value =
        HeaderValue::from_str(&text).map_err(|_| SignError::Header { what: "the realm" })?;
    value.set_sensitive(true);
    Ok(value)
}

fn signature(
    method: Method,
    credentials: &Credentials<'_>,
    request: &Request<'_>,
    protocol: &[(&str, &str)],
) -> Result<Zeroizing<String>, SignError> {
    let token_secret = credentials.token.map_or("", |(_, secret)| secret);
    let key = Zeroizing::new(format!(
        "{}&{}",
        encoded(credentials.consumer_secret),
        encoded(token_secret)
    ));
    let algorithm = match method {
        Method::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Method::HmacSha256 => hmac::HMAC_SHA256,
        Method::Plaintext => return Ok(key),
    };
    let base = base_string(request, protocol)?;
    let tag = hmac::sign(&hmac::Key::new(algorithm, key.as_bytes()), base.as_bytes());
    Ok(Zeroizing::new(STANDARD.encode(tag)))
}

/// Section 3.4.1: the method, the address without its query, and all parameters in their order.
fn base_string(request: &Request<'_>, protocol: &[(&str, &str)]) -> Result<String, SignError> {
    let url = request.url;
    let host = url.host_str().ok_or(SignError::NoHost)?;
    // the parser left out the usual port and wrote scheme and host in lower case
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let address = format!("{}://{host}{port}{}", url.scheme(), url.path());
    let mut parameters = pairs(url.query().unwrap_or_default().as_bytes());
    parameters.extend(pairs(request.form.unwrap_or_default()));
    parameters.extend(
        protocol
            .iter()
            .map(|(name, value)| (encoded(name), encoded(value))),
    );
    Ok(format!(
        "{}&{}&{}",
        encoded(request.method.as_str().to_ascii_uppercase()),
        encoded(address),
        encoded(sorted(parameters))
    ))
}

#[cfg(test)]
mod tests;
