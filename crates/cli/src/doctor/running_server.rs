//! Does a server answer where this configuration would listen?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Check;
use crate::client::{Client, ClientError};
use crate::config::ServerConfig;

const NAME: &str = "server";

pub(super) async fn check(config: &ServerConfig) -> Check {
    let url = format!("http://{}", reachable(config.listen));
    let client = match Client::new(&url, None) {
        Ok(client) => client,
        Err(error) => return Check::fail(NAME, error.to_string(), "check --listen"),
    };
    // Our description is public only with a key; our own refusal proves as much.
    match client.get("/v2/integrations", &[]).await {
        Err(ClientError::Unreachable { .. }) => Check::ok(
            NAME,
            format!("none runs at {url}; start it with: marquetry serve"),
        ),
        Ok(_) | Err(ClientError::Forbidden { .. } | ClientError::Busy { .. }) => {
            Check::ok(NAME, format!("answers at {url}"))
        }
        Err(error) => {
            let remedy = "another program may listen there: choose another address with --listen";
            Check::fail(NAME, format!("{url}: {error}"), remedy)
        }
    }
}

/// Where a server that listens on all addresses is reached from here.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, listen.port())
}
