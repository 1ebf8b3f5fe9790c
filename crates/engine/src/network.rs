//! What a run or build may reach, as the sandbox and the relay take it.

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use marquetry_manifest::Egress;
use marquetry_outbound::relay::{HostRule, Limits, Relay, RelayError, RelayHandle, Rules, Sockets};
use marquetry_outbound::{AddressPolicy, HostList};
use marquetry_sandbox::{EgressSockets, Network};

use crate::inner::Inner;
use crate::toolchain::mirrors;

/// The ports that code may connect to without asking.
const PORTS: [u16; 11] = [22, 25, 80, 443, 465, 587, 1433, 3306, 5432, 8080, 8443];

/// How far one run or build reaches.
pub(crate) struct Reach {
    pub(crate) network: Network,
    rules: Rules,
}

impl Reach {
    pub(crate) fn new(inner: &Inner, egress: Egress, ports: &[u16]) -> Self {
        let network = match egress {
            Egress::None => Network::None,
            Egress::Host => Network::Host,
            Egress::Public | Egress::Connectors => {
                let mut all = PORTS.to_vec();
                all.extend(ports.iter().filter(|port| !PORTS.contains(port)));
                Network::Relayed { ports: all }
            }
        };
        let hosts = match egress {
            // No connector declares hosts yet, so this reaches none.
            Egress::Connectors => HostRule::Only(HostList::default()),
            Egress::None | Egress::Host | Egress::Public => HostRule::Any,
        };
        let policy = Arc::clone(&inner.config.policy);
        let resolver = Arc::clone(&inner.config.resolver);
        Self {
            network,
            rules: Rules {
                policy,
                resolver,
                hosts,
            },
        }
    }

    /// The reach of a build: public addresses, the hosts that the operator opened, and the proxies
    /// and mirrors that the operator's variables name, at their ports.
    pub(crate) async fn of_build(inner: &Inner) -> Self {
        let settings = &inner.config.build;
        let (mirrors, mut ports): (Vec<String>, Vec<u16>) =
            mirrors(&settings.environment).into_iter().unzip();
        ports.sort_unstable();
        ports.dedup();
        let mut reach = Self::new(inner, Egress::Public, &ports);
        let mut opened: Vec<IpAddr> = Vec::new();
        for host in settings.allow_hosts.iter().chain(&mirrors) {
            match inner.config.resolver.resolve(host).await {
                Ok(addresses) => opened.extend(addresses),
                Err(error) => {
                    tracing::warn!(%host, %error, "an allowed host of builds has no address");
                }
            }
        }
        if !opened.is_empty() {
            let policy = AddressPolicy::clone(&reach.rules.policy);
            reach.rules.policy = Arc::new(policy.also(opened.into_iter().map(Into::into)));
        }
        reach
    }

    /// Serves the connections that arrive at a child's sockets, if it has any.
    pub(crate) fn relay(
        &self,
        sockets: Option<EgressSockets>,
    ) -> Result<Option<RelayHandle>, RelayError> {
        let Some(sockets) = sockets else {
            return Ok(None);
        };
        let sockets = Sockets {
            tcp: sockets.tcp.into_iter().map(OwnedFd::from).collect(),
            udp: sockets.udp.into_iter().map(OwnedFd::from).collect(),
        };
        Relay::start(sockets, self.rules.clone(), Limits::default()).map(Some)
    }
}
