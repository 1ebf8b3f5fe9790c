//! The address of a repository that somebody else serves.
//!
//! Git, curl and ssh each have a reader of addresses of their own, and what they read differently
//! decides who gets a credential. So what is taken is what all of them read alike, and they are given the
//! address that is written anew from what was read.

use std::net::Ipv6Addr;

use url::Url;

/// What is read from an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remote {
    scheme: Scheme,
    /// Of ssh alone.
    user: Option<String>,
    /// In lower case; one of IPv6 in brackets.
    host: String,
    port: u16,
    path: String,
    /// Written as `user@host:path`, in which a path may be relative.
    short: bool,
}

/// Why an address is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    Protocol,
    Credentials,
    Malformed(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Https,
    Ssh,
}

const HOST: Unread = Unread::Malformed(
    "the host must be a name of ASCII letters, digits, `-`, `_` and `.`, or an address (one of IPv6 in brackets)",
);
const USER: Unread =
    Unread::Malformed("the user must be of ASCII letters, digits, `-`, `_`, `.`, `+` and `@`");

impl Remote {
    pub(super) fn read(address: &str) -> Result<Self, Unread> {
        let Some((scheme, rest)) = address.split_once("://") else {
            return Self::read_short(address);
        };
        let scheme = Scheme::read(scheme).ok_or(Unread::Protocol)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        // To ssh they are part of the path, to curl not; and what stands behind them is mostly a token.
        if path.contains(['?', '#']) {
            return Err(Unread::Malformed("`?` and `#` must not stand in it"));
        }
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let user = match (scheme, user) {
            (_, None) => None,
            (Scheme::Https, Some(_)) => return Err(Unread::Credentials),
            (Scheme::Ssh, Some(user)) if user.contains(':') => return Err(Unread::Credentials),
            (Scheme::Ssh, Some(user)) => Some(read_user(user)?),
        };
        let (host, port) = read_place(place)?;
        // It knows the many ways to write an address of IPv4, and of steps up in a path.
        let url = Url::parse(&format!("{}://{host}{path}", scheme.name()));
        let url = url.map_err(|_| HOST)?;
        Ok(Self {
            scheme,
            user,
            host: url.host_str().ok_or(HOST)?.to_owned(),
            port: port.unwrap_or(scheme.port()),
            path: url.path().to_owned(),
            short: false,
        })
    }

    /// `git@host:path`, which Git reads as ssh.
    fn read_short(address: &str) -> Result<Self, Unread> {
        let (place, path) = address.split_once(':').ok_or(Unread::Protocol)?;
        let (user, host) = place.rsplit_once('@').ok_or(Unread::Protocol)?;
        if host.starts_with('[') {
            return Err(Unread::Malformed(
                "an address of IPv6 must be written as ssh://user@[address]/path",
            ));
        }
        if path.is_empty() || path.starts_with('-') {
            return Err(Unread::Malformed(
                "a path must follow the host and not begin with `-`",
            ));
        }
        Ok(Self {
            scheme: Scheme::Ssh,
            user: Some(read_user(user)?),
            host: read_name(host)?,
            port: Scheme::Ssh.port(),
            path: path.to_owned(),
            short: true,
        })
    }

    /// As Git is given it.
    pub(super) fn address(&self) -> String {
        let Self {
            scheme, host, path, ..
        } = self;
        let user = self.user.iter().map(|user| format!("{user}@"));
        let user: String = user.collect();
        if self.short {
            return format!("{user}{host}:{path}");
        }
        let port = if self.port == scheme.port() {
            String::new()
        } else {
            format!(":{}", self.port)
        };
        format!("{}://{user}{host}{port}{path}", scheme.name())
    }

    /// Who answers there: protocol, host and port.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}:{}", self.scheme.name(), self.host, self.port)
    }
}

impl Scheme {
    fn read(text: &str) -> Option<Self> {
        let all = [Self::Https, Self::Ssh];
        all.into_iter()
            .find(|scheme| scheme.name().eq_ignore_ascii_case(text))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Ssh => "ssh",
        }
    }

    /// The one that need not be written.
    fn port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Ssh => 22,
        }
    }
}

/// `host`, `host:port`, and with brackets.
fn read_place(text: &str) -> Result<(String, Option<u16>), Unread> {
    if let Some(rest) = text.strip_prefix('[') {
        let (inside, port) = rest.split_once(']').ok_or(HOST)?;
        let address: Ipv6Addr = inside.parse().map_err(|_| HOST)?;
        return match port.strip_prefix(':') {
            Some(port) => Ok((format!("[{address}]"), read_port(port)?)),
            None if port.is_empty() => Ok((format!("[{address}]"), None)),
            None => Err(HOST),
        };
    }
    match text.split_once(':') {
        Some((host, port)) => Ok((read_name(host)?, read_port(port)?)),
        None => Ok((read_name(text)?, None)),
    }
}

fn read_name(text: &str) -> Result<String, Unread> {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    // What begins with `-` would be an option of ssh.
    if text.is_empty() || text.len() > 253 || text.starts_with('-') || !text.bytes().all(known) {
        return Err(HOST);
    }
    Ok(text.to_ascii_lowercase())
}

/// None where nothing follows the colon.
fn read_port(text: &str) -> Result<Option<u16>, Unread> {
    let wrong = Unread::Malformed("the port must be a number from 1 to 65535");
    if text.is_empty() {
        return Ok(None);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong);
    }
    match text.parse() {
        Ok(0) | Err(_) => Err(wrong),
        Ok(port) => Ok(Some(port)),
    }
}

/// Who logs in. Some hosts take an address of mail.
fn read_user(text: &str) -> Result<String, Unread> {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-_.+@".contains(&b);
    let first = text.as_bytes().first();
    if first.is_some_and(u8::is_ascii_alphanumeric) && text.bytes().all(known) {
        Ok(text.to_owned())
    } else {
        Err(USER)
    }
}
