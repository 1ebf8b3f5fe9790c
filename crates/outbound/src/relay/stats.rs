//! What a run's relay did, and what it refused.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::policy::AddressKind;

/// Different refusals that are remembered; repetitions are counted in their entry.
const REMEMBERED: usize = 32;

/// Figures of one run's relay since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelayStats {
    /// Connections that reached a third party.
    pub connections: u64,
    /// Bytes from the run to third parties.
    pub bytes_out: u64,
    /// Bytes from third parties to the run.
    pub bytes_in: u64,
    /// DNS queries that were read.
    pub queries: u64,
    /// DNS queries that were dropped because too many were waiting.
    pub queries_dropped: u64,
    /// Connections and names that the rules or a limit forbade.
    pub refused: u64,
    /// Connections that the rules allowed and the third party or the network did not take.
    pub failed: u64,
    /// The last different refusals and failures, oldest first; at most 32.
    pub recent: Vec<Refusal>,
}

/// A destination that a run could not reach, and why; its text is a line for the run's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the run asked for.
    pub target: Target,
    /// Why it did not get it.
    pub reason: Reason,
    /// How often.
    pub times: u64,
}

/// What a run asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A connection to an address.
    Address(SocketAddr),
    /// The addresses of a name, in lower case.
    Name(String),
}

/// Why a run did not get what it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The address, or every address of the name, is not a public one.
    Address(AddressKind),
    /// The run may reach listed hosts only, and this is not one of them.
    NotListed,
    /// The run has this many connections open already.
    TooManyConnections(usize),
    /// The third party did not answer in this time.
    TimedOut(Duration),
    /// The network or the third party refused.
    Unreachable(io::ErrorKind),
    /// The name service of the server failed.
    NameService,
}

impl Reason {
    /// Whether the rules or a limit forbade it, and not the world outside.
    fn is_refusal(self) -> bool {
        match self {
            Self::Address(_) | Self::NotListed | Self::TooManyConnections(_) => true,
            Self::TimedOut(_) | Self::Unreachable(_) | Self::NameService => false,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.reason.is_refusal() {
            "was refused"
        } else {
            "failed"
        };
        match &self.target {
            Target::Address(address) => {
                write!(f, "connection to {address} {verb}: {}", self.reason)
            }
            Target::Name(name) => write!(f, "look-up of {name} {verb}: {}", self.reason),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(kind) => {
                write!(f, "{kind}; the operator opens it with --outbound-allow")
            }
            Self::NotListed => f.write_str(
                "not a host of this integration's connectors; others need egress public, in the integration and in its manifest",
            ),
            Self::TooManyConnections(limit) => {
                write!(f, "the run has {limit} connections open; close some first")
            }
            Self::TimedOut(after) => write!(f, "no answer in {} s", after.as_secs_f32()),
            Self::Unreachable(kind) => write!(f, "{kind}"),
            Self::NameService => f.write_str("the server's name service failed"),
        }
    }
}

/// The figures while they change.
#[derive(Debug, Default)]
pub(super) struct Stats {
    pub(super) connections: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) queries: AtomicU64,
    pub(super) queries_dropped: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    recent: Mutex<VecDeque<Refusal>>,
}

/// Adds to a figure; the figures are independent of each other, so no order is needed.
pub(super) fn add(figure: &AtomicU64, amount: u64) {
    figure.fetch_add(amount, Ordering::Relaxed);
}

impl Stats {
    pub(super) fn note(&self, target: Target, reason: Reason) {
        add(
            if reason.is_refusal() {
                &self.refused
            } else {
                &self.failed
            },
            1,
        );
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let known = recent
            .iter_mut()
            .find(|known| known.target == target && known.reason == reason);
        if let Some(known) = known {
            known.times += 1;
            return;
        }
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(Refusal {
            target,
            reason,
            times: 1,
        });
    }

    pub(super) fn snapshot(&self) -> RelayStats {
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        RelayStats {
            connections: read(&self.connections),
            bytes_out: read(&self.bytes_out),
            bytes_in: read(&self.bytes_in),
            queries: read(&self.queries),
            queries_dropped: read(&self.queries_dropped),
            refused: read(&self.refused),
            failed: read(&self.failed),
            recent: recent.iter().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Target {
        Target::Address(SocketAddr::from(([10, 0, 0, last], 5432)))
    }

    #[test]
    fn repetitions_are_counted_and_the_oldest_gives_way() {
        let stats = Stats::default();
        for last in 0..40 {
            stats.note(address(last), Reason::NotListed);
            stats.note(address(last), Reason::NotListed);
        }
        let snapshot = stats.snapshot();
        assert_eq!(snapshot.refused, 80);
        assert_eq!(snapshot.recent.len(), REMEMBERED);
        assert_eq!(snapshot.recent[0].target, address(8));
        assert!(snapshot.recent.iter().all(|refusal| refusal.times == 2));
    }

    #[test]
    fn a_refusal_is_a_line_for_the_log() {
        let stats = Stats::default();
        stats.note(address(5), Reason::Address(AddressKind::Private));
        stats.note(address(6), Reason::NotListed);
        stats.note(Target::Name("db.test".to_owned()), Reason::NameService);
        let lines: Vec<_> = stats
            .snapshot()
            .recent
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            lines,
            [
                "connection to 10.0.0.5:5432 was refused: private address; \
                 the operator opens it with --outbound-allow",
                "connection to 10.0.0.6:5432 was refused: not a host of this integration's connectors; \
                 others need egress public, in the integration and in its manifest",
                "look-up of db.test failed: the server's name service failed",
            ]
        );
    }
}
