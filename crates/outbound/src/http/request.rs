//! What is sent, and what comes back. Neither shows its secrets in a log.

use std::fmt;
use std::time::Duration;

use ::http::{HeaderMap, Method, StatusCode};
use url::Url;
use zeroize::{Zeroize as _, Zeroizing};

use super::identity::Identity;
use crate::hosts::HostList;

/// How long a request may take where nobody says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How large an answer may be where nobody says otherwise: tokens and profiles are small.
const MOST_BYTES: usize = 1024 * 1024;

/// A request to a third party. Its body is wiped when it was sent or given up.
pub struct HttpRequest {
    /// Its method.
    pub method: Method,
    /// Its address, without user or password.
    pub url: Url,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; empty for none.
    pub body: Vec<u8>,
    /// The only hosts that may get it, because of the credentials that it carries. Without a list,
    /// the host of the address is trusted.
    pub hosts: Option<HostList>,
    /// The client's certificate for mutual TLS.
    pub identity: Option<Identity>,
    /// How long all of it may take, from the name service to the last byte of the answer.
    pub timeout: Duration,
    /// How many bytes the answer's body may have.
    pub most_bytes: usize,
}

impl HttpRequest {
    /// A request without headers and body to any host, of 30 seconds and with an answer of 1 MiB.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Vec::new(),
            hosts: None,
            identity: None,
            timeout: TIMEOUT,
            most_bytes: MOST_BYTES,
        }
    }

    pub(super) fn take_body(&mut self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(std::mem::take(&mut self.body))
    }
}

impl Drop for HttpRequest {
    fn drop(&mut self) {
        self.body.zeroize();
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

/// A third party's answer.
pub struct HttpAnswer {
    /// Its status, a redirect or a failure as well.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as it was sent.
    pub body: Vec<u8>,
}

impl fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAnswer")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
