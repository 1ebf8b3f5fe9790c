//! Whom a request is for, read from its address before anything else happens.

use std::net::IpAddr;

use url::{Host, Url};

use super::error::{HttpError, UrlReason};
use crate::hosts::{HostList, normal_name};

/// The host of a request.
pub(super) struct Target {
    /// Its name as lists and the name service know it, or its address.
    pub(super) name: String,
    /// The name, and the port where it is not the usual one: what errors show.
    pub(super) place: String,
    /// The address, when it stands in the place of a name.
    pub(super) literal: Option<IpAddr>,
    /// Whether the scheme is `http`.
    pub(super) plain: bool,
}

impl Target {
    pub(super) fn of(url: &Url) -> Result<Self, HttpError> {
        let plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(HttpError::Url(UrlReason::Scheme)),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(HttpError::Url(UrlReason::UserInfo));
        }
        // the parser has read every spelling of an address, `0x7f.1` among them
        let (name, literal) = match url.host() {
            None => return Err(HttpError::Url(UrlReason::NoHost)),
            Some(Host::Ipv4(address)) => (address.to_string(), Some(address.into())),
            Some(Host::Ipv6(address)) => (address.to_string(), Some(address.into())),
            Some(Host::Domain(name)) => {
                let name = normal_name(name).ok_or(HttpError::Url(UrlReason::HostName))?;
                let literal = name.parse().ok();
                (name, literal)
            }
        };
        let shown = url.host_str().unwrap_or(&name);
        let place = match url.port() {
            Some(port) => format!("{shown}:{port}"),
            None => shown.to_owned(),
        };
        Ok(Self {
            name,
            place,
            literal,
            plain,
        })
    }

    /// Refuses a host that is not in the list, when there is one.
    pub(super) fn is_in(&self, hosts: Option<&HostList>) -> Result<(), HttpError> {
        let covered = hosts.is_none_or(|hosts| match self.literal {
            Some(address) => hosts.covers_address(address),
            None => hosts.covers_name(&self.name),
        });
        if covered {
            return Ok(());
        }
        Err(HttpError::Host {
            host: self.name.clone(),
        })
    }
}
