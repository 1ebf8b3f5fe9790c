//! A running child.

use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::keep::Handles;
use crate::output::Output;
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
    asks: mpsc::UnboundedSender<Ask>,
    ended: watch::Receiver<Option<Ended>>,
    /// What a server that takes it back needs; none without a sandbox.
    pub(crate) handles: Option<Arc<Handles>>,
}

/// What the task that follows a child is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// To tell it this.
    Tell(Order),
    /// To let it live on without us.
    Leave,
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

impl Child {
    pub(crate) fn new(
        stdout: Output,
        stderr: Output,
        egress: Option<EgressSockets>,
        asks: mpsc::UnboundedSender<Ask>,
        ended: watch::Receiver<Option<Ended>>,
    ) -> Self {
        Self {
            stdout,
            stderr,
            egress,
            asks,
            ended,
            handles: None,
        }
    }

    /// A child that another server can take back.
    pub(crate) fn with(mut self, handles: Arc<Handles>) -> Self {
        self.handles = Some(handles);
        self
    }

    /// Lets go of it: it lives on until its lease ends, or another server takes it back.
    pub(crate) async fn leave(&self) {
        self.let_go();
        // What follows it would end it, if it went away with the runtime.
        self.asks.closed().await;
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

    /// Lets it live on, without waiting for that.
    pub(crate) fn let_go(&self) {
        let _ = self.asks.send(Ask::Leave);
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
        let _ = self.asks.send(Ask::Tell(order));
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
