//! The way out of a sandboxed run: its connections arrive here, are judged, and go on from the
//! server's own network.
//!
//! A run lives in a network namespace of its own, in which every address is local. The sandbox
//! binds listening sockets there and hands them over; what the run connects to is then the local
//! address of the accepted connection. No proxy settings, no packet filter, any language.
//!
//! Because the relay accepts before it dials, the run's `connect` always succeeds on these ports,
//! and a refusal is a reset right after it. [`RelayHandle::stats`] keeps the reasons, so that the
//! run's log can name them.

mod dns;
mod driver;
mod links;
mod shared;
mod stats;
mod udp;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::hosts::HostList;
use crate::policy::AddressPolicy;
use crate::resolver::Resolver;
use driver::Driver;
use shared::Shared;

pub use stats::{Reason, Refusal, RelayStats, Target};

/// The sockets that were bound in the run's network namespace.
#[derive(Debug, Default)]
pub struct Sockets {
    /// Listening TCP sockets of either family. What arrives for port 53 is taken for DNS.
    pub tcp: Vec<OwnedFd>,
    /// Bound UDP sockets; every packet that arrives on them is taken for a DNS query.
    pub udp: Vec<OwnedFd>,
}

/// What a run may reach.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Judges every address, whatever the name that led to it.
    pub policy: Arc<AddressPolicy>,
    /// Answers the run's DNS queries.
    pub resolver: Arc<Resolver>,
    /// A narrower choice than the policy's, by host.
    pub hosts: HostRule,
}

/// Which hosts a run may reach among the addresses that the policy lets through.
#[derive(Debug, Clone, Default)]
pub enum HostRule {
    /// All of them.
    #[default]
    Any,
    /// Only these. A name is enforced through its addresses: those that this run's own DNS
    /// queries for listed names brought up may be connected to, so another site at the very same
    /// address is reachable too.
    Only(HostList),
}

/// Bounds on one run.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open connections; one more is reset.
    pub connections: usize,
    /// DNS look-ups at once; up to eight times as many queries wait, more are dropped.
    pub lookups: usize,
    /// How long the third party may take to accept a connection.
    pub connect_timeout: Duration,
    /// A connection without a byte in either direction for this long is reset.
    pub idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            lookups: 32,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_hours(2),
        }
    }
}

/// The relay cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// A socket is not what it should be, or this process has too many open files.
    #[error("the run's sockets cannot be watched; see the limit of open files (ulimit -n)")]
    Setup(#[source] io::Error),
}

/// Starts relays; see [`Relay::start`].
#[derive(Debug)]
pub struct Relay;

impl Relay {
    /// Serves the run's connections and name queries until the handle is dropped.
    ///
    /// Takes microseconds: all sockets stand behind one descriptor in the runtime. Must be
    /// called inside a tokio runtime.
    ///
    /// # Errors
    /// [`RelayError::Setup`] when a descriptor is not a socket of its kind, or none is left.
    pub fn start(
        sockets: Sockets,
        rules: Rules,
        limits: Limits,
    ) -> Result<RelayHandle, RelayError> {
        let shared = Arc::new(Shared::new(rules, limits));
        let driver = Driver::new(sockets, Arc::clone(&shared)).map_err(RelayError::Setup)?;
        let (stop, stopped) = oneshot::channel();
        Ok(RelayHandle {
            task: tokio::spawn(driver.run(stopped)),
            stop: Some(stop),
            shared,
        })
    }
}

/// A running relay. Dropping it closes every connection and ends every task of this run.
#[derive(Debug)]
pub struct RelayHandle {
    task: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
    shared: Arc<Shared>,
}

impl RelayHandle {
    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> RelayStats {
        self.shared.stats.snapshot()
    }

    /// Ends the relay like dropping it, waits until everything is closed, and gives the final
    /// figures.
    pub async fn close(mut self) -> RelayStats {
        // nobody listening any more means that the driver is gone already
        let _ = self.stop.take().map(|stop| stop.send(()));
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "the relay of a run ended badly");
        }
        self.stats()
    }
}

impl Drop for RelayHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}
