//! A small name service for one run: addresses that the rules allow, and nothing else.
//!
//! Its answers are comfort and not security: each connection is judged again by its address.

mod message;
mod reply;
mod stream;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::HostRule;
use super::shared::Shared;
use super::stats::{Reason, Target};
use crate::resolver::ResolveError;
use message::{Kind, Query, Rejection};
use reply::Code;

pub(super) use stream::serve_stream;

/// The port of DNS over either transport.
pub(super) const PORT: u16 = 53;

/// How a query came in, which bounds its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

/// The answer to a packet; none for what is not a query.
pub(super) async fn answer(
    shared: &Shared,
    packet: &[u8],
    transport: Transport,
) -> Option<Vec<u8>> {
    let query = match message::parse(packet) {
        Ok(query) => query,
        Err(Rejection::Silent) => return None,
        Err(Rejection::Answered { header, code }) => return Some(reply::rejection(header, code)),
    };
    let (code, addresses) = decide(shared, &query).await;
    Some(reply::reply(&query, code, &addresses, transport))
}

async fn decide(shared: &Shared, query: &Query<'_>) -> (Code, Vec<IpAddr>) {
    if query.has_unknown_edns_version() {
        return (Code::BadVersion, Vec::new());
    }
    let Some(kind) = query.kind else {
        return (Code::NoError, Vec::new());
    };
    let Some(name) = &query.name else {
        return (Code::NameError, Vec::new());
    };
    match addresses_of(shared, name).await {
        // a name without addresses of the wanted family exists all the same
        Ok(mut addresses) => {
            addresses.retain(|address| kind.is_of(*address));
            (Code::NoError, addresses)
        }
        Err(code) => (code, Vec::new()),
    }
}

async fn addresses_of(shared: &Shared, name: &str) -> Result<Vec<IpAddr>, Code> {
    if name == "localhost" || name.ends_with(".localhost") {
        // the run's own loopback, which this server has no part in
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let refuse = |reason| shared.stats.note(Target::Name(name.to_owned()), reason);
    if let HostRule::Only(hosts) = &shared.rules.hosts
        && !hosts.covers_name(name)
    {
        refuse(Reason::NotListed);
        return Err(Code::NameError);
    }
    let _turn = shared
        .lookups
        .acquire()
        .await
        .expect("the semaphore of a run's look-ups is never closed");
    match shared.rules.resolver.resolve(name).await {
        Ok(addresses) => allowed(shared, &addresses).map_err(|reason| {
            refuse(reason);
            Code::NameError
        }),
        Err(ResolveError::NotFound) => Err(Code::NameError),
        Err(error) => {
            tracing::debug!(%error, "a run's look-up failed");
            refuse(Reason::NameService);
            Err(Code::ServerFailure)
        }
    }
}

/// Those addresses that the policy lets through; the reason of the first other one if none is.
fn allowed(shared: &Shared, addresses: &[IpAddr]) -> Result<Vec<IpAddr>, Reason> {
    let mut good = Vec::with_capacity(addresses.len());
    let mut bad = None;
    for &address in addresses {
        match shared.rules.policy.check(address) {
            Ok(()) => good.push(address),
            Err(refused) => bad = bad.or(Some(Reason::Address(refused.why))),
        }
    }
    match bad {
        Some(reason) if good.is_empty() => Err(reason),
        _ => {
            shared.learn(&good);
            Ok(good)
        }
    }
}

impl Kind {
    fn is_of(self, address: IpAddr) -> bool {
        match self {
            Self::A => address.is_ipv4(),
            Self::Aaaa => address.is_ipv6(),
        }
    }
}
