//! The address policy where names become addresses: the HTTP library connects to what the judge
//! gave it, and to nothing else.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::error::HttpError;
use crate::hosts::normal_name;
use crate::policy::{AddressPolicy, Refused};
use crate::resolver::{ResolveError, Resolver};

/// Resolves names and judges their addresses; also judges addresses that stand in their place.
#[derive(Clone)]
pub(super) struct Judge {
    policy: Arc<AddressPolicy>,
    resolver: Arc<Resolver>,
    plain_http: bool,
}

/// Why there is no address to connect to. It travels through the HTTP library's errors.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Verdict {
    #[error(transparent)]
    Refused(Refused),
    #[error("plain http to a public address")]
    PlainHttp,
    #[error(transparent)]
    Resolve(Arc<ResolveError>),
}

impl Judge {
    pub(super) fn new(policy: AddressPolicy, resolver: Arc<Resolver>) -> Self {
        Self {
            policy: Arc::new(policy),
            resolver,
            plain_http: false,
        }
    }

    /// The same judge for requests without TLS, which may not leave the operator's networks.
    pub(super) fn for_plain_http(&self) -> Self {
        Self {
            plain_http: true,
            ..self.clone()
        }
    }

    pub(super) fn is_for_plain_http(&self) -> bool {
        self.plain_http
    }

    pub(super) fn address(&self, address: IpAddr) -> Result<(), Verdict> {
        self.policy.check(address).map_err(Verdict::Refused)?;
        // only the policy that opens nothing can tell a public address from an opened one
        let public = AddressPolicy::public_only().check(address).is_ok();
        if self.plain_http && public {
            return Err(Verdict::PlainHttp);
        }
        Ok(())
    }

    /// The addresses of a name. One that is refused refuses them all: a third party has no reason
    /// to mix private addresses in, and which of them is used would be left to chance.
    async fn name(&self, name: &str) -> Result<Vec<IpAddr>, Verdict> {
        let not_found = || Verdict::Resolve(Arc::new(ResolveError::NotFound));
        let name = normal_name(name).ok_or_else(not_found)?;
        let addresses = self
            .resolver
            .resolve(&name)
            .await
            .map_err(|error| Verdict::Resolve(Arc::new(error)))?;
        if addresses.is_empty() {
            return Err(not_found());
        }
        for &address in &addresses {
            self.address(address)?;
        }
        Ok(addresses)
    }
}

impl Resolve for Judge {
    fn resolve(&self, name: Name) -> Resolving {
        let judge = self.clone();
        Box::pin(async move {
            let addresses = judge.name(name.as_str()).await?;
            // port 0 stands for the port of the request
            let addresses = addresses
                .into_iter()
                .map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

impl Verdict {
    /// The error of a request to `host`.
    pub(super) fn about(self, host: &str) -> HttpError {
        let host = host.to_owned();
        match self {
            Self::Refused(refused) => HttpError::Refused { host, refused },
            Self::PlainHttp => HttpError::PlainHttp { host },
            Self::Resolve(why) => HttpError::Resolve { host, why },
        }
    }
}
