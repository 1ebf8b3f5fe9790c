//! What stands around every route.

use std::task::{Context, Poll};

use axum::extract::Request;
use tower::{Layer, Service};

use crate::linger::lingering;
use crate::sent::{self, Remembering};

/// Reads what a refusal left unread, and lets the refusal repeat what was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around {
    /// As many bytes of a body are read when nobody wants them.
    pub(crate) most_unread: u64,
}

impl<S> Layer<S> for Around {
    type Service = Surrounded<S>;

    fn layer(&self, inner: S) -> Surrounded<S> {
        Surrounded {
            inner,
            around: *self,
        }
    }
}

/// A service with that around it.
#[derive(Debug, Clone)]
pub(crate) struct Surrounded<S> {
    inner: S,
    around: Around,
}

impl<S: Service<Request>> Service<Request> for Surrounded<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Remembering<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let request = lingering(request, self.around.most_unread);
        sent::remembering(self.inner.call(request))
    }
}
