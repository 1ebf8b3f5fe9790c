//! The API from outside: what the client commands and the demo speak.

mod answer;
mod connection;
mod error;
mod names;
mod pages;
mod sse;
mod stream;

use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode, redirect};
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

pub(crate) use answer::Answer;
pub(crate) use connection::ConnectionArgs;
pub(crate) use error::ClientError;
pub(crate) use names::{find_integration, find_tenant};
pub(crate) use pages::{PageArgs, list};
pub(crate) use stream::follow;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the longest wait that a route allows (60 s), and than the pause between two signs of
/// life of a followed log.
const SILENCE: Duration = Duration::from_secs(75);
/// How long one request may be worked on: something that is done to ten thousand tenants one after another.
const LONGEST_WORK: Duration = Duration::from_secs(3600);
/// How long sending an archive may take.
const LONGEST_UPLOAD: Duration = Duration::from_secs(3600);
/// No answer of the API but a log is larger, and a log has at most 50 MiB.
const LARGEST_ANSWER: usize = 96 << 20;

/// A server and the key to it.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    key: Option<String>,
}

impl Client {
    /// A client of the server at `base`.
    ///
    /// # Errors
    /// [`ClientError::BadUrl`] when `base` is no http or https URL, [`ClientError::BadKey`] when the
    /// key cannot be a header.
    pub(crate) fn new(base: &str, key: Option<String>) -> Result<Self, ClientError> {
        Self::with_silence(base, key, SILENCE)
    }

    /// The same for requests whose answer may be long in coming.
    pub(crate) fn patient(base: &str, key: Option<String>) -> Result<Self, ClientError> {
        Self::with_silence(base, key, LONGEST_WORK)
    }

    fn with_silence(
        base: &str,
        key: Option<String>,
        silence: Duration,
    ) -> Result<Self, ClientError> {
        let bad = || ClientError::BadUrl {
            url: base.to_owned(),
        };
        let mut url = Url::parse(base).map_err(|_| bad())?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(bad());
        }
        // Routes are joined to the path, and joining replaces what stands behind the last slash.
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(silence)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("marquetry/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&url) {
            // A proxy of the environment is for the world outside.
            builder = builder.no_proxy();
        }
        if let Some(key) = &key {
            let mut value = HeaderValue::from_str(key).map_err(|_| ClientError::BadKey)?;
            value.set_sensitive(true);
            let headers = HeaderMap::from_iter([(KEY_HEADER, value)]);
            builder = builder.default_headers(headers);
        }
        let http = builder.build().map_err(ClientError::Setup)?;
        Ok(Self {
            http,
            base: url,
            key,
        })
    }

    /// The server's URL, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The key, where there is one.
    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Reads.
    pub(crate) async fn get(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Answer, ClientError> {
        self.json(Method::GET, path, query, None).await
    }

    /// Makes or asks for something.
    pub(crate) async fn post(
        &self,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Answer, ClientError> {
        self.json(Method::POST, path, query, body).await
    }

    /// Asks for something with a body that is sent as it was written.
    pub(crate) async fn post_raw(
        &self,
        path: &str,
        query: &[(&str, String)],
        body: &RawValue,
    ) -> Result<Answer, ClientError> {
        let request = self.request(Method::POST, path)?.query(query);
        self.answer(request.json(body)).await
    }

    /// Changes something.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Answer, ClientError> {
        self.json(Method::PATCH, path, &[], Some(body)).await
    }

    /// Replaces something.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Answer, ClientError> {
        self.json(Method::PUT, path, &[], Some(body)).await
    }

    /// Archives or revokes something.
    pub(crate) async fn delete(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Answer, ClientError> {
        self.json(Method::DELETE, path, query, None).await
    }

    /// Sends a file.
    pub(crate) async fn upload(
        &self,
        path: &str,
        query: &[(&str, String)],
        file: std::fs::File,
    ) -> Result<Answer, ClientError> {
        let size = file.metadata().map_or(0, |found| found.len());
        let body = reqwest::Body::from(tokio::fs::File::from_std(file));
        // The silence of a server that takes a large file is no sign of trouble.
        let patient = Self::with_silence(self.base(), self.key.clone(), LONGEST_UPLOAD)?;
        let request = patient.request(Method::POST, path)?.query(query);
        let request = request.header(CONTENT_TYPE, "application/gzip");
        patient
            .answer(request.header(CONTENT_LENGTH, size).body(body))
            .await
    }

    /// A log as text. The server answers with a link of its own (signed, for 15 minutes), which is
    /// followed here without the key: it needs none, and may stand on another host.
    pub(crate) async fn text(&self, path: &str) -> Result<String, ClientError> {
        let response = self.send(self.request(Method::GET, path)?).await?;
        let response = match response.headers().get(LOCATION) {
            Some(to) if response.status().is_redirection() => {
                let to = to.to_str().unwrap_or_default();
                let link = response.url().join(to);
                let link = link.map_err(|_| ClientError::BadUrl { url: to.to_owned() })?;
                let bare = Self::new(self.base(), None)?;
                bare.send(bare.http.get(link)).await?
            }
            _ => response,
        };
        let status = response.status();
        let bytes = self.body(response).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if status.is_success() {
            Ok(text)
        } else {
            Err(ClientError::refused(status, &text, self.key.is_some()))
        }
    }

    async fn json(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Answer, ClientError> {
        let mut request = self.request(method, path)?.query(query);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Answer, ClientError> {
        let response = self.send(request).await?;
        let status = response.status();
        let bytes = self.body(response).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if !status.is_success() {
            return Err(ClientError::refused(status, &text, self.key.is_some()));
        }
        if status == StatusCode::NO_CONTENT || text.trim().is_empty() {
            return Ok(Answer {
                text: "null".to_owned(),
                value: Value::Null,
            });
        }
        Answer::read(text).map_err(|source| self.not_ours(source))
    }

    fn not_ours(&self, source: serde_json::Error) -> ClientError {
        let url = self.base().to_owned();
        ClientError::NotOurs { url, source }
    }

    fn request(&self, method: Method, path: &str) -> Result<reqwest::RequestBuilder, ClientError> {
        let url = self.base.join(path.trim_start_matches('/'));
        let url = url.map_err(|_| ClientError::BadUrl {
            url: path.to_owned(),
        })?;
        Ok(self.http.request(method, url))
    }

    async fn send(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, ClientError> {
        request.send().await.map_err(|source| self.broken(source))
    }

    async fn body(&self, mut response: reqwest::Response) -> Result<Vec<u8>, ClientError> {
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.broken(error))? {
            if bytes.len() + part.len() > LARGEST_ANSWER {
                return Err(ClientError::TooLarge);
            }
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }

    fn broken(&self, source: reqwest::Error) -> ClientError {
        let url = self.base().to_owned();
        if source.is_connect() {
            ClientError::Unreachable { url, source }
        } else {
            ClientError::Broken { url, source }
        }
    }
}

/// The header of the API key.
const KEY_HEADER: reqwest::header::HeaderName =
    reqwest::header::HeaderName::from_static("x-api-key");

/// Whether a URL means this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
