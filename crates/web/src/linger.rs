//! Answers that arrive. Who is refused before all of the body was read is usually still sending it, and
//! many clients look at the answer only when they have sent everything: a connection that is closed
//! under them loses it. So the rest is read and dropped while the answer goes out, within bounds.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody as _};
use axum::extract::Request;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::Version;
use http::header::EXPECT;
use tokio::runtime::Handle;

/// How long the rest of a body may take, however little of it comes.
const LONGEST: Duration = Duration::from_secs(2);

/// The request with a body of which at most `most` bytes are read when nobody wants them.
pub(crate) fn lingering(request: Request, most: u64) -> Request {
    // HTTP/2 can end one request without its connection.
    if request.version() >= Version::HTTP_2 || request.body().is_end_stream() {
        return request;
    }
    // Who waits to be asked for the body has not begun to send it.
    let is_coming = !request.headers().contains_key(EXPECT);
    request.map(|body| {
        Body::from_stream(Lingering {
            body: body.into_data_stream(),
            is_coming,
            most,
        })
    })
}

/// A body whose rest is read when it is dropped.
struct Lingering {
    body: BodyDataStream,
    /// Whether there may be more of it on its way.
    is_coming: bool,
    most: u64,
}

impl Stream for Lingering {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.body.poll_next_unpin(context);
        // Behind a failure comes nothing either.
        self.is_coming = !matches!(next, Poll::Ready(None | Some(Err(_))));
        next
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if !self.is_coming {
            return;
        }
        let nothing = Body::empty().into_data_stream();
        let rest = read(mem::replace(&mut self.body, nothing), self.most);
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(tokio::time::timeout(LONGEST, rest));
        }
    }
}

async fn read(mut body: BodyDataStream, most: u64) {
    let mut left = most;
    while let Some(Ok(part)) = body.next().await {
        let Some(rest) = left.checked_sub(part.len() as u64) else {
            return;
        };
        left = rest;
    }
}
