//! The server under the router.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use hyper_util::rt::TokioTimer;

/// How long a client may take for the head of a request; the server's clock runs from the end of
/// the answer before, so it is also how long a connection may stand idle.
const HEADERS: Duration = Duration::from_secs(10);
/// How long requests in flight may take once the server shall end.
const DRAIN: Duration = Duration::from_secs(10);
/// How often a silent HTTP/2 connection is asked whether it is there.
const PING: Duration = Duration::from_secs(30);
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 250;

/// Serves until `shutdown` is ready, then lets requests in flight end, ten seconds at most.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let handle = Handle::new();
    let mut server = axum_server::from_tcp(listener)?
        .acceptor(NoDelayAcceptor::new())
        .handle(handle.clone())
        .first_request_timeout(HEADERS);
    let http = server.http_builder();
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .pipeline_flush(true);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(HEADERS)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(64 << 10);
    let serving = server.serve(router.into_make_service());
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended,
        () = shutdown => handle.graceful_shutdown(Some(DRAIN)),
    }
    serving.await
}
