//! One connection of a run: dialled from the server's network, then carried both ways.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::shared::Shared;
use super::stats::{Reason, Stats, Target, add};

/// Bytes that are carried at once in one direction; held only while there is something to carry.
const CHUNK: usize = 16 * 1024;

/// Closes a connection so that the other side sees an error at once and not an end of data.
pub(super) fn reset(stream: &TcpStream) {
    // fails only on a connection that the other side has torn down already
    let _ = stream.set_zero_linger();
}

/// Dials an admitted `target` and carries bytes until both sides are done.
pub(super) async fn serve(shared: &Shared, mut client: TcpStream, target: SocketAddr) {
    let mut upstream = match dial(target, shared.limits.connect_timeout).await {
        Ok(upstream) => upstream,
        Err(reason) => {
            shared.stats.note(Target::Address(target), reason);
            return reset(&client);
        }
    };
    add(&shared.stats.connections, 1);
    // both ends decide for themselves when to send; waiting here as well would only add to it
    let prepared = client
        .set_nodelay(true)
        .and_then(|()| upstream.set_nodelay(true));
    let carried = match prepared {
        Ok(()) => carry_both(&mut client, &mut upstream, shared).await,
        Err(error) => Err(error),
    };
    if carried.is_err() {
        // what broke on one side must not look like a proper end on the other
        reset(&client);
        reset(&upstream);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this crate is the one that may connect, and the address has been judged"
)]
async fn dial(target: SocketAddr, limit: Duration) -> Result<TcpStream, Reason> {
    match tokio::time::timeout(limit, TcpStream::connect(target)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Reason::Unreachable(error.kind())),
        Err(_) => Err(Reason::TimedOut(limit)),
    }
}

/// Carries both directions until each has ended, one has failed, or nothing moves any more.
async fn carry_both(
    client: &mut TcpStream,
    upstream: &mut TcpStream,
    shared: &Shared,
) -> io::Result<()> {
    let moved = AtomicU64::new(0);
    let (mut from_client, mut to_client) = client.split();
    let (mut from_upstream, mut to_upstream) = upstream.split();
    let Stats {
        bytes_out,
        bytes_in,
        ..
    } = &shared.stats;
    let out = carry(&mut from_client, &mut to_upstream, [bytes_out, &moved]);
    let back = carry(&mut from_upstream, &mut to_client, [bytes_in, &moved]);
    tokio::select! {
        both = async { tokio::try_join!(out, back) } => both.map(|_| ()),
        () = idle(&moved, shared.limits.idle_timeout) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Returns after a whole period of `limit` in which `moved` did not change.
async fn idle(moved: &AtomicU64, limit: Duration) {
    if limit.is_zero() {
        return pending().await;
    }
    let mut before = moved.load(Ordering::Relaxed);
    loop {
        tokio::time::sleep(limit).await;
        let now = moved.load(Ordering::Relaxed);
        if now == before {
            return;
        }
        before = now;
    }
}

/// Carries one direction to its end and passes the end on, the other direction staying open.
async fn carry(
    from: &mut ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    figures: [&AtomicU64; 2],
) -> io::Result<()> {
    loop {
        from.readable().await?;
        if !carry_available(from, to, figures).await? {
            return to.shutdown().await;
        }
    }
}

/// Carries what is there now; false at the end of the data. The buffer lives no longer than
/// this, so that an idle connection costs no memory.
async fn carry_available(
    from: &mut ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    figures: [&AtomicU64; 2],
) -> io::Result<bool> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match from.try_read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(length) => {
                to.write_all(&buffer[..length]).await?;
                for figure in figures {
                    add(figure, u64::try_from(length).expect("a chunk is small"));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        }
    }
}
