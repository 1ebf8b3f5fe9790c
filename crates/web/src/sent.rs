//! What a request sent, for who refuses it: `input` of a fault repeats what stands at its place.
//!
//! A use case names the place and knows nothing of the request, so the request is kept aside while it
//! is served, as bytes: they are looked through again only when there is a fault.

use std::cell::RefCell;

use axum::extract::RawPathParams;
use bytes::Bytes;
use http::Uri;
use marquetry_wire::v2::LocPart;
use serde_json::Value;
use tokio::task::futures::TaskLocalFuture;

use crate::extract::{Fields, path_values, query_values};

/// A request, as far as a fault can name a place in it.
pub(crate) struct Sent {
    pub(crate) path: Option<RawPathParams>,
    pub(crate) uri: Uri,
    /// The parameters of the query that are known.
    pub(crate) query: &'static Fields,
    /// The body as JSON; empty where no fault lies in it.
    pub(crate) body: Bytes,
}

tokio::task_local! {
    static SENT: RefCell<Option<Sent>>;
}

/// Serving a request.
pub(crate) type Remembering<F> = TaskLocalFuture<RefCell<Option<Sent>>, F>;

/// Serves a request, which is known to its refusals from [`remember`] on.
pub(crate) fn remembering<F: Future>(serving: F) -> Remembering<F> {
    SENT.scope(RefCell::default(), serving)
}

/// Keeps what the request that is being served has sent.
pub(crate) fn remember(sent: Sent) {
    // Outside of a request nobody asks.
    let _ = SENT.try_with(|kept| kept.replace(Some(sent)));
}

/// What was sent at a place; of a body the innermost thing around it that is there, as in pydantic.
pub(crate) fn at(loc: &[LocPart]) -> Option<Value> {
    let found = SENT.try_with(|sent| sent.borrow().as_ref()?.at(loc));
    found.ok().flatten()
}

impl Sent {
    fn at(&self, loc: &[LocPart]) -> Option<Value> {
        let (LocPart::Name(part), below) = loc.split_first()? else {
            return None;
        };
        let name = |below: &[LocPart]| match below {
            [LocPart::Name(name), ..] => Some(name.clone()),
            _ => None,
        };
        match part.as_str() {
            "path" => path_values(self.path.as_ref()).remove(&name(below)?),
            "query" => query_values(self.query, self.uri.query()).remove(&name(below)?),
            "body" => Some(within(serde_json::from_slice(&self.body).ok()?, below)),
            _ => None,
        }
    }
}

fn within(mut value: Value, below: &[LocPart]) -> Value {
    for part in below {
        let inner = match part {
            LocPart::Name(name) => value.get_mut(name.as_str()),
            LocPart::Index(index) => usize::try_from(*index).ok().and_then(|n| value.get_mut(n)),
        };
        let Some(inner) = inner else { break };
        value = inner.take();
    }
    value
}
