//! Which addresses foreign code and the platform's own clients may reach.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

/// Public addresses, and the networks that the operator opened by `--outbound-allow CIDR`.
///
/// Cheap to ask (no allocation, no look-up), and without state: share it in an `Arc`.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    opened: Vec<IpNet>,
}

/// An address that the policy does not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{address} is refused: {why}; the operator opens it with --outbound-allow")]
pub struct Refused {
    /// The address as it was asked for, before any unwrapping.
    pub address: IpAddr,
    /// What kind of address it is.
    pub why: AddressKind,
}

/// Why an address is not a public one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// `0.0.0.0/8` and `::`: "this host", which the kernel takes for loopback.
    Unspecified,
    /// `127.0.0.0/8` and `::1`.
    Loopback,
    /// RFC 1918, unique local and the old site-local addresses.
    Private,
    /// `100.64.0.0/10`, the provider's side of carrier-grade NAT; also used inside clouds.
    SharedNat,
    /// `169.254.0.0/16` and `fe80::/10`.
    LinkLocal,
    /// The addresses at which a cloud hands credentials to its machines.
    Metadata,
    /// Multicast of either family.
    Multicast,
    /// `255.255.255.255`.
    Broadcast,
    /// Networks for documentation only.
    Documentation,
    /// Networks for benchmarks of network devices.
    Benchmarking,
    /// `100::/64` and its like: whatever is sent there is thrown away.
    Discard,
    /// Addresses that the registries keep for protocols or for the future.
    Reserved,
    /// An IPv6 form that wraps an IPv4 address by a mechanism which nothing public needs.
    Translated,
}

impl AddressPolicy {
    /// Public addresses only.
    #[must_use]
    pub fn public_only() -> Self {
        Self::default()
    }

    /// Public addresses, and every address in `networks`, whatever its kind.
    ///
    /// A network that is written in the mapped form (`::ffff:10.0.0.0/104`) opens the IPv4
    /// network that it means, and an IPv4 network also opens the mapped form of its addresses.
    #[must_use]
    pub fn opening(networks: Vec<IpNet>) -> Self {
        Self {
            opened: networks.into_iter().map(unmapped_network).collect(),
        }
    }

    /// The same policy, with further networks opened.
    #[must_use]
    pub fn also(mut self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        self.opened
            .extend(networks.into_iter().map(unmapped_network));
        self
    }

    /// Lets `ip` through or says why not.
    ///
    /// # Errors
    /// [`Refused`] when the address is neither public nor in a network that the operator opened.
    pub fn check(&self, ip: IpAddr) -> Result<(), Refused> {
        let meant = ip.to_canonical();
        match kind_of(meant) {
            None => Ok(()),
            Some(_) if self.opened.iter().any(|network| network.contains(&meant)) => Ok(()),
            Some(why) => Err(Refused { address: ip, why }),
        }
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified address",
            Self::Loopback => "loopback address",
            Self::Private => "private address",
            Self::SharedNat => "shared address behind a provider's NAT",
            Self::LinkLocal => "link-local address",
            Self::Metadata => "cloud metadata address",
            Self::Multicast => "multicast address",
            Self::Broadcast => "broadcast address",
            Self::Documentation => "documentation address",
            Self::Benchmarking => "benchmarking address",
            Self::Discard => "discard address",
            Self::Reserved => "reserved address",
            Self::Translated => "IPv4 address wrapped in IPv6",
        })
    }
}

/// `::ffff:a.b.c.d/96+n` as the IPv4 network that it means, anything else as it is.
fn unmapped_network(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else {
        return network;
    };
    let Some(v4) = v6.network().to_ipv4_mapped() else {
        return network;
    };
    v6.prefix_len()
        .checked_sub(96)
        .and_then(|length| Ipv4Net::new(v4, length).ok())
        .map_or(network, IpNet::V4)
}

/// What kind of address this is; nothing for a public one.
fn kind_of(ip: IpAddr) -> Option<AddressKind> {
    match ip {
        IpAddr::V4(v4) => kind_of_v4(v4),
        IpAddr::V6(v6) => kind_of_v6(v6),
    }
}

fn kind_of_v4(ip: Ipv4Addr) -> Option<AddressKind> {
    use AddressKind as Kind;
    Some(match ip.octets() {
        // the second is Azure's host agent, inside a public network; the third is Alibaba's
        [169, 254, 169, 254] | [168, 63, 129, 16] | [100, 100, 100, 200] => Kind::Metadata,
        [0, ..] => Kind::Unspecified,
        [127, ..] => Kind::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Kind::Private,
        [100, 64..=127, ..] => Kind::SharedNat,
        [169, 254, ..] => Kind::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Kind::Documentation,
        [198, 18..=19, ..] => Kind::Benchmarking,
        [224..=239, ..] => Kind::Multicast,
        [255, 255, 255, 255] => Kind::Broadcast,
        // protocol assignments, the relays of 6to4, and what was class E
        [192, 0, 0, _] | [192, 88, 99, _] | [240..=255, ..] => Kind::Reserved,
        _ => return None,
    })
}

/// The special networks first, and then only global unicast (`2000::/3`): a network that the
/// registries have not handed out yet is not public.
fn kind_of_v6(ip: Ipv6Addr) -> Option<AddressKind> {
    use AddressKind as Kind;
    if let Some(v4) = ip.to_ipv4_mapped() {
        return kind_of_v4(v4);
    }
    Some(match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Kind::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Loopback,
        // NAT64's well-known network is how an IPv6-only host reaches the public IPv4 internet
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => return kind_of_v4(v4_from(high, low)),
        // v4-compatible, NAT64 at a network's own choice, Teredo and 6to4
        [0, 0, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] | [0x2002, ..] => {
            Kind::Translated
        }
        [0x100, 0, 0, 0 | 1, ..] => Kind::Discard,
        [0x2001, 2, 0, ..] => Kind::Benchmarking,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => Kind::Documentation,
        // protocol assignments, ORCHID among them
        [0x2001, 0..=0x01ff, ..] => Kind::Reserved,
        [0x2000..=0x3fff, ..] => return None,
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => {
            Kind::Metadata
        }
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Kind::Private,
        [0xfe80..=0xfebf, ..] => Kind::LinkLocal,
        [0xff00..=0xffff, ..] => Kind::Multicast,
        _ => Kind::Reserved,
    })
}

fn v4_from(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}
