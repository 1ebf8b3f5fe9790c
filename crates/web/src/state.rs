//! What every handler can reach.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::HOST;
use marquetry_app::App;

/// What the operator chose for this door.
#[derive(Debug, Clone)]
pub struct WebConfig {
    /// Where clients reach the API, without a slash at the end; none: answers hold paths only.
    pub public_url: Option<String>,
    /// The largest body of a request, in bytes.
    pub body_bytes: usize,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            public_url: None,
            body_bytes: 6 << 20,
        }
    }
}

/// The state of the router. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Web(Arc<Inner>);

struct Inner {
    app: Arc<App>,
    public_url: String,
    body_bytes: usize,
    openapi: Bytes,
}

impl Web {
    pub(crate) fn new(app: Arc<App>, config: WebConfig, openapi: Bytes) -> Self {
        let mut public_url = config.public_url.unwrap_or_default();
        while public_url.ends_with('/') {
            public_url.pop();
        }
        Self(Arc::new(Inner {
            app,
            public_url,
            body_bytes: config.body_bytes,
            openapi,
        }))
    }

    pub(crate) fn app(&self) -> &Arc<App> {
        &self.0.app
    }

    /// Prefix of links to ourselves; empty when it is not known.
    pub(crate) fn public_url(&self) -> &str {
        &self.0.public_url
    }

    /// Where a browser reaches us: what the operator said, else what this client calls us. Who calls us by another
    /// name gets addresses of that name, and nobody else does.
    pub(crate) fn origin(&self, headers: &HeaderMap) -> String {
        if !self.0.public_url.is_empty() {
            return self.0.public_url.clone();
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        host.map_or_else(String::new, |host| format!("http://{host}"))
    }

    /// The largest body of a request, in bytes.
    pub(crate) fn body_bytes(&self) -> usize {
        self.0.body_bytes
    }

    /// The OpenAPI document, rendered once.
    pub(crate) fn openapi(&self) -> Bytes {
        self.0.openapi.clone()
    }
}
