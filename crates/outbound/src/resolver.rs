//! From names to addresses: the system's name service, or a table in tests.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind, SockType};
use tokio::sync::Semaphore;

/// Look-ups that may run at once in the whole process. Each holds a thread of tokio's blocking
/// pool (512) for as long as the name server takes, and files need that pool as well.
const CONCURRENT_LOOKUPS: usize = 128;

/// How long a look-up may wait for its turn and then for its answer.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(15);

/// Turns names into addresses. One for the whole process, shared in an `Arc`.
#[derive(Debug)]
pub struct Resolver {
    source: Source,
}

#[derive(Debug)]
enum Source {
    System { turns: Arc<Semaphore> },
    Table(HashMap<String, Vec<IpAddr>>),
}

/// Why a name has no addresses.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The name does not exist, or has no addresses.
    #[error("the name does not exist")]
    NotFound,
    /// The name service did not answer in time; asking again may help.
    #[error("the name service did not answer in {} s", LOOKUP_TIMEOUT.as_secs())]
    TimedOut,
    /// The name service failed; asking again may help.
    #[error("the name service failed; see the name servers of this host")]
    Failed(#[source] std::io::Error),
}

impl Resolver {
    /// The name service of this host, with its `/etc/hosts` and search list.
    #[must_use]
    pub fn system() -> Self {
        let turns = Arc::new(Semaphore::new(CONCURRENT_LOOKUPS));
        Self {
            source: Source::System { turns },
        }
    }

    /// A fixed table of lower-case names, for tests and closed networks; nothing else exists.
    #[must_use]
    pub fn table(names: HashMap<String, Vec<IpAddr>>) -> Self {
        Self {
            source: Source::Table(names),
        }
    }

    /// All addresses of `name`, both families, in the order of preference, without duplicates.
    ///
    /// Addresses of a family that this host has no route to are left out as long as others are
    /// there: behind a relay a client cannot fall back to the other family by itself, because
    /// its own connection always succeeds.
    ///
    /// # Errors
    /// [`ResolveError`]; a name with no address at all is [`ResolveError::NotFound`].
    pub async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        match &self.source {
            Source::Table(names) => names.get(name).cloned().ok_or(ResolveError::NotFound),
            Source::System { turns } => {
                let lookup = system_lookup(name.to_owned(), Arc::clone(turns));
                tokio::time::timeout(LOOKUP_TIMEOUT, lookup)
                    .await
                    .unwrap_or(Err(ResolveError::TimedOut))
            }
        }
    }
}

async fn system_lookup(name: String, turns: Arc<Semaphore>) -> Result<Vec<IpAddr>, ResolveError> {
    let turn = turns
        .acquire_owned()
        .await
        .expect("the semaphore of the resolver is never closed");
    let answer = tokio::task::spawn_blocking(move || {
        // held by the thread, not by the caller: who gives up waiting does not free the thread
        let _turn = turn;
        addresses_of(&name)
    });
    answer
        .await
        .unwrap_or_else(|join| Err(ResolveError::Failed(join.into())))
}

/// Asks the system; blocks for as long as its name servers take.
fn addresses_of(name: &str) -> Result<Vec<IpAddr>, ResolveError> {
    let hints = AddrInfoHints {
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    let mut addresses = Vec::new();
    for entry in dns_lookup::getaddrinfo(Some(name), None, Some(hints)).map_err(lookup_error)? {
        // an entry that cannot be read is of a family that nobody here speaks
        let Ok(entry) = entry else { continue };
        let address = entry.sockaddr.ip().to_canonical();
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    keep_routable(&mut addresses);
    if addresses.is_empty() {
        return Err(ResolveError::NotFound);
    }
    Ok(addresses)
}

fn lookup_error(error: LookupError) -> ResolveError {
    match error.kind() {
        LookupErrorKind::NoName | LookupErrorKind::NoData => ResolveError::NotFound,
        LookupErrorKind::Again
        | LookupErrorKind::Badflags
        | LookupErrorKind::Fail
        | LookupErrorKind::Family
        | LookupErrorKind::Socktype
        | LookupErrorKind::Service
        | LookupErrorKind::Memory
        | LookupErrorKind::System
        | LookupErrorKind::Unknown
        | LookupErrorKind::IO => ResolveError::Failed(error.into()),
    }
}

/// Leaves out what this host has no route to, unless nothing would remain.
fn keep_routable(addresses: &mut Vec<IpAddr>) {
    if addresses.iter().any(|&address| has_route(address)) {
        addresses.retain(|&address| has_route(address));
    }
}

/// Connecting a datagram socket sends nothing; it only looks the route up.
fn has_route(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind(SocketAddr::new(any, 0))
        .and_then(|socket| socket.connect(SocketAddr::new(address, 443)))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_knows_localhost() {
        let addresses = Resolver::system().resolve("localhost").await.unwrap();
        assert!(addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
    }

    #[test]
    fn a_family_without_route_gives_way_to_the_other() {
        // documentation addresses have a route wherever there is a default route, so the one
        // address that never has one is used: a broadcast that the socket may not send to
        let unroutable: IpAddr = "255.255.255.255".parse().unwrap();
        let routable: IpAddr = "127.0.0.1".parse().unwrap();
        let mut both = vec![unroutable, routable];
        keep_routable(&mut both);
        assert_eq!(both, [routable]);
        let mut only = vec![unroutable];
        keep_routable(&mut only);
        assert_eq!(only, [unroutable]);
    }

    #[tokio::test]
    async fn a_table_knows_its_names_only() {
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let resolver = Resolver::table(HashMap::from([("a.test".to_owned(), vec![address])]));
        assert_eq!(resolver.resolve("a.test").await.unwrap(), [address]);
        let error = resolver.resolve("b.test").await.unwrap_err();
        assert!(matches!(error, ResolveError::NotFound));
    }
}
