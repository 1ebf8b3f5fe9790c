//! What a provider has seen.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::Incoming;
use serde_json::Value;
use url::form_urlencoded;

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path as it was sent, without the query.
    pub path: String,
    /// The query as it was sent, without the question mark.
    pub query: String,
    /// The headers in their order, with names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Received {
    /// Reads one to its end.
    pub(crate) async fn read(request: Request<Incoming>) -> hyper::Result<Self> {
        let (head, body) = request.into_parts();
        let headers = head.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        });
        Ok(Self {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: headers.collect(),
            body: body.collect().await?.to_bytes(),
        })
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The fields of the query.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        pairs(self.query.as_bytes())
    }

    /// The fields of a body that is a form.
    pub fn form(&self) -> Vec<(String, String)> {
        pairs(&self.body)
    }

    /// The first field of this name in the query.
    pub fn query_value(&self, name: &str) -> Option<String> {
        let mut pairs = self.query_pairs().into_iter();
        pairs.find(|(found, _)| found == name).map(|(_, v)| v)
    }

    /// Whether the body is of this type.
    pub(super) fn is_of(&self, content_type: &str) -> bool {
        let found = self.header("content-type").unwrap_or_default();
        let found = found.split(';').next().unwrap_or_default().trim();
        found.eq_ignore_ascii_case(content_type)
    }

    /// What stands behind this scheme in `Authorization`.
    pub(super) fn authorization(&self, scheme: &str) -> Option<&str> {
        let (found, rest) = self.header("authorization")?.split_once(' ')?;
        found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }

    /// The name and the secret of `Authorization: Basic`, as they stand there.
    pub(super) fn basic(&self) -> Option<(String, String)> {
        let plain = STANDARD.decode(self.authorization("basic")?).ok()?;
        let plain = String::from_utf8(plain).ok()?;
        let (name, secret) = plain.split_once(':')?;
        Some((name.to_owned(), secret.to_owned()))
    }
}

#[cfg(test)]
impl Received {
    /// One that a test makes up, to a path and a query.
    pub(super) fn sample(
        method: &str,
        (path, query): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.iter().map(owned).collect(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// What a provider has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Codes that went to a callback.
    pub codes: usize,
    /// Codes that came in a second time, which ends their family.
    pub codes_reused: usize,
    /// Access tokens that were issued.
    pub tokens: usize,
    /// Refreshes that were answered with tokens.
    pub refreshes: usize,
    /// Spent refresh tokens that came in again, which ends their family.
    pub refresh_tokens_reused: usize,
    /// Tokens that a client has revoked.
    pub revoked: usize,
    /// Requests for tokens that were refused.
    pub refused: usize,
}
