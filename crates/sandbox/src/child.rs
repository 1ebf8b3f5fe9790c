//! A running child.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::pipe::{PipeFlags, fcntl_setpipe_size};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{mpsc, watch};

use crate::spec::{Cause, Ended, Status, Usage};
use crate::wire::Order;

/// A running child. Dropping it kills the child.
#[derive(Debug)]
pub struct Child {
    /// Its standard output. The end of it comes when the child has ended.
    pub stdout: Output,
    /// Its standard error.
    pub stderr: Output,
    /// Where its connections arrive, for [`crate::Network::Relayed`].
    pub egress: Option<EgressSockets>,
    orders: mpsc::UnboundedSender<Order>,
    ended: watch::Receiver<Option<Ended>>,
}

/// Sockets in the child's network, already listening and non-blocking. `local_addr` of an accepted
/// connection is the destination that the child asked for.
#[derive(Debug)]
pub struct EgressSockets {
    /// One listener per port, 53 among them, for IPv4 and IPv6.
    pub tcp: Vec<TcpListener>,
    /// Port 53 of IPv4 and, where the host has it, of IPv6. Each tells the destination of a
    /// datagram by `IP_PKTINFO` or `IPV6_PKTINFO`, and takes it as the source of an answer.
    pub udp: Vec<UdpSocket>,
}

/// One output stream of a child.
#[derive(Debug)]
pub struct Output(Receiver);

/// What the pipe of a standard output holds, in bytes, where the kernel gives it: more than the
/// last line that a run may print. Some runtimes (Node) drop at `exit` what a full pipe did not
/// take at once.
const STDOUT: usize = 256 << 10;

impl Output {
    /// The pipes of standard output and standard error: our ends, and the child's.
    pub(crate) fn pipes() -> io::Result<[(Self, OwnedFd); 2]> {
        let stdout = Self::pipe()?;
        // A user who has many pipes may get no larger one.
        let _ = fcntl_setpipe_size(&stdout.1, STDOUT);
        Ok([stdout, Self::pipe()?])
    }

    fn pipe() -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        Ok((Self(Receiver::from_owned_fd(reader)?), writer))
    }
}

impl AsyncRead for Output {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Child {
    pub(crate) fn new(
        stdout: Output,
        stderr: Output,
        egress: Option<EgressSockets>,
        orders: mpsc::UnboundedSender<Order>,
        ended: watch::Receiver<Option<Ended>>,
    ) -> Self {
        Self {
            stdout,
            stderr,
            egress,
            orders,
            ended,
        }
    }

    /// Lets the lease end this long from now instead of when it would have. No effect on a child
    /// that has ended.
    #[expect(
        clippy::unused_async,
        reason = "part of the agreed interface; a sandbox elsewhere has to wait"
    )]
    pub async fn extend_lease(&self, lease: Duration) {
        let ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        self.order(Order::Lease(ms));
    }

    /// Asks all processes of the child to end (SIGTERM).
    pub fn terminate(&self) {
        self.order(Order::Terminate);
    }

    /// Ends all processes of the child at once.
    pub fn kill(&self) {
        self.order(Order::Kill);
    }

    /// Waits until the child and everything it started is gone. Cancel-safe; may be called again.
    pub async fn wait(&mut self) -> Ended {
        self.end().await
    }

    /// Like [`Self::wait`], as a future that leaves the child free to be read from meanwhile.
    pub fn end(&self) -> impl Future<Output = Ended> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            match ended.wait_for(Option::is_some).await {
                Ok(ended) => ended.clone().unwrap_or_else(lost),
                Err(_) => lost(),
            }
        }
    }

    fn order(&self, order: Order) {
        // The other end is dropped when the child has ended; there is nothing to order then.
        let _ = self.orders.send(order);
    }
}

/// For a child whose watching task is gone, with the runtime.
pub(crate) fn lost() -> Ended {
    Ended {
        status: Status::Signalled(libc::SIGKILL),
        cause: Cause::Lost,
        usage: Usage::default(),
    }
}
