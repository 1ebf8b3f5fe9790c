//! What the driver, the links and the name service of one run have in common.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::stats::{Reason, Stats};
use super::{HostRule, Limits, Rules};
use crate::hosts::HostList;

/// Addresses that are remembered for the listed names of one run; the oldest gives way.
const LEARNED_ADDRESSES: usize = 1024;

/// Queries that may wait for each look-up that is under way.
const WAITING_PER_LOOKUP: usize = 8;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) rules: Rules,
    pub(super) limits: Limits,
    pub(super) stats: Stats,
    /// One permit for each open connection.
    pub(super) links: Arc<Semaphore>,
    /// One permit for each query that is being answered or waits.
    pub(super) queries: Arc<Semaphore>,
    /// One permit for each look-up under way.
    pub(super) lookups: Semaphore,
    learned: Mutex<VecDeque<IpAddr>>,
}

impl Shared {
    pub(super) fn new(rules: Rules, limits: Limits) -> Self {
        let waiting = limits.lookups.saturating_mul(WAITING_PER_LOOKUP);
        Self {
            links: Arc::new(Semaphore::new(limits.connections)),
            queries: Arc::new(Semaphore::new(waiting)),
            lookups: Semaphore::new(limits.lookups),
            stats: Stats::default(),
            learned: Mutex::default(),
            rules,
            limits,
        }
    }

    /// Judges a destination, which is in canonical form.
    pub(super) fn admit(&self, target: SocketAddr) -> Result<(), Reason> {
        self.rules
            .policy
            .check(target.ip())
            .map_err(|refused| Reason::Address(refused.why))?;
        match &self.rules.hosts {
            HostRule::Any => Ok(()),
            HostRule::Only(hosts) if self.is_listed(hosts, target.ip()) => Ok(()),
            HostRule::Only(_) => Err(Reason::NotListed),
        }
    }

    fn is_listed(&self, hosts: &HostList, address: IpAddr) -> bool {
        hosts.covers_address(address) || self.learned().contains(&address)
    }

    /// Remembers where a listed name leads, so that [`Shared::admit`] lets it through.
    pub(super) fn learn(&self, addresses: &[IpAddr]) {
        if matches!(self.rules.hosts, HostRule::Any) {
            return;
        }
        let mut learned = self.learned();
        for address in addresses.iter().map(IpAddr::to_canonical) {
            // asked for again: keep it longest
            learned.retain(|&known| known != address);
            if learned.len() == LEARNED_ADDRESSES {
                learned.pop_front();
            }
            learned.push_back(address);
        }
    }

    fn learned(&self) -> std::sync::MutexGuard<'_, VecDeque<IpAddr>> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
