//! The platform's own requests to third parties: token endpoints, checks of a connection.
//!
//! They carry credentials, so they go by TLS, to the hosts that are named for them, and nowhere
//! else: no proxy of the environment, no redirect, no cookie. Every address is judged at the moment
//! of connecting, so a connection that is kept and used again was judged as well.

mod error;
mod identity;
mod judge;
mod request;
mod target;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderMap;
use ::http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use bytes::Bytes;
use rustls::RootCertStore;

use crate::policy::AddressPolicy;
use crate::resolver::Resolver;
use judge::Judge;
use target::Target;

pub use error::{HttpError, UrlReason};
pub use identity::{Identity, IdentityError};
pub use request::{HttpAnswer, HttpRequest};

/// How long connecting to one host may take, its TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection without a request is kept. Shorter than what servers keep it for, so that
/// a request seldom meets a connection that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// What only the client may set: how the message is framed, and whom it is for.
const OWN_HEADERS: [::http::HeaderName; 8] = [
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Sends requests. One for the whole process; clones share their connections.
#[derive(Clone)]
pub struct HttpClient {
    judge: Judge,
    roots: Arc<RootCertStore>,
    secure: reqwest::Client,
    /// Its connections may not lead to public addresses, so it shares none with `secure`.
    plain: reqwest::Client,
}

impl HttpClient {
    /// A client that trusts the certificate authorities of the system, or those in the file that
    /// `SSL_CERT_FILE` names.
    ///
    /// # Errors
    /// [`HttpError::Setup`] when the TLS library or the HTTP library refuses its settings.
    pub fn new(policy: AddressPolicy, resolver: Arc<Resolver>) -> Result<Self, HttpError> {
        let roots = Arc::new(tls::system_roots());
        let judge = Judge::new(policy, resolver);
        let secure = connections(judge.clone(), tls::config(&roots, None)?)?;
        let plain = connections(judge.for_plain_http(), tls::config(&roots, None)?)?;
        Ok(Self {
            judge,
            roots,
            secure,
            plain,
        })
    }

    /// Sends the request and reads the whole answer, whatever its status; a redirect is an answer.
    ///
    /// Of the request's headers, those that frame the message or name its host are left out: the
    /// client writes them itself.
    ///
    /// # Errors
    /// [`HttpError`], which says who has to do what about it.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpAnswer, HttpError> {
        let target = Target::of(&request.url)?;
        target.is_in(request.hosts.as_ref())?;
        let connections = self.connections_for(&target, request.identity.as_ref())?;
        let after = request.timeout;
        let exchange = exchange(connections, request, &target);
        tokio::time::timeout(after, exchange)
            .await
            .unwrap_or_else(|_| {
                let host = target.place.clone();
                Err(HttpError::TimedOut { host, after })
            })
    }

    /// The connections that this request may use; an address in the place of a name is judged
    /// here, because it never comes to the resolver.
    fn connections_for(
        &self,
        target: &Target,
        identity: Option<&Identity>,
    ) -> Result<reqwest::Client, HttpError> {
        let judge = if target.plain {
            self.judge.for_plain_http()
        } else {
            self.judge.clone()
        };
        if let Some(address) = target.literal {
            let verdict = judge.address(address);
            verdict.map_err(|verdict| verdict.about(&target.name))?;
        }
        match (target.plain, identity) {
            (true, Some(_)) => Err(IdentityError::PlainHttp.into()),
            (true, None) => Ok(self.plain.clone()),
            (false, None) => Ok(self.secure.clone()),
            // connections with an identity are never shared with requests that have another one
            (false, Some(identity)) => {
                connections(judge, tls::config(&self.roots, Some(identity))?)
            }
        }
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

fn connections(judge: Judge, tls: rustls::ClientConfig) -> Result<reqwest::Client, HttpError> {
    reqwest::Client::builder()
        .https_only(!judge.is_for_plain_http())
        .dns_resolver(judge)
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        // whoever calls knows whether a request may be sent twice
        .retry(reqwest::retry::never())
        .referer(false)
        // a small answer must not become a large one after the bound was checked
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .user_agent(concat!("marquetry/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(HttpError::Setup)
}

async fn exchange(
    connections: reqwest::Client,
    mut request: HttpRequest,
    target: &Target,
) -> Result<HttpAnswer, HttpError> {
    let failed = |error| HttpError::of(error, target);
    let most = request.most_bytes;
    let too_large = || HttpError::TooLarge {
        host: target.place.clone(),
        most,
    };
    let mut response = connections
        .request(request.method.clone(), request.url.clone())
        .headers(sent_headers(std::mem::take(&mut request.headers)))
        .body(Bytes::from_owner(request.take_body()))
        .send()
        .await
        .map_err(failed)?;
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |announced| announced > most) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        if part.len() > most - body.len() {
            return Err(too_large());
        }
        body.extend_from_slice(&part);
    }
    Ok(HttpAnswer {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body,
    })
}

fn sent_headers(mut headers: HeaderMap) -> HeaderMap {
    for name in OWN_HEADERS {
        headers.remove(name);
    }
    headers
}
