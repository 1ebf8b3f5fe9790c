//! Which addresses may be sent a credential.

use url::{Host, Url};

/// Whether an address is one of the entries: a name, `*.` and a name for all below it, an address, each with a
/// port or without. Without one, `https` at its own port is meant, or any scheme and port of an entry that is
/// an address or this machine: those are opened one by one by the operator.
///
/// An address with a user or password in it is none of any entry.
#[must_use]
pub fn may_go(entries: &[String], url: &Url) -> bool {
    let web = matches!(url.scheme(), "http" | "https");
    let plain = url.username().is_empty() && url.password().is_none();
    let (Some(host), Some(port)) = (
        url.host().map(|it| it.to_owned()),
        url.port_or_known_default(),
    ) else {
        return false;
    };
    let host = without_dot(host);
    let is_near = !matches!(&host, Host::Domain(name) if name != "localhost");
    let right_port = |wanted: Option<u16>| match wanted {
        Some(wanted) => wanted == port,
        None => is_near || (url.scheme() == "https" && port == 443),
    };
    web && plain
        && entries.iter().any(|entry| {
            split(entry).is_some_and(|(name, wanted)| right_port(wanted) && is_host(name, &host))
        })
}

fn is_host(entry: &str, host: &Host) -> bool {
    let Some(parent) = entry.strip_prefix("*.") else {
        return parse(entry).is_some_and(|entry| entry == *host);
    };
    let (Some(Host::Domain(parent)), Host::Domain(name)) = (parse(parent), host) else {
        return false;
    };
    name.strip_suffix(parent.as_str())
        .is_some_and(|before| before.len() > 1 && before.ends_with('.'))
}

/// The host of an entry in the form that URLs have: lower case, Punycode, the short form of IPv6.
fn parse(text: &str) -> Option<Host> {
    let is_v6 = text.contains(':');
    let host = if is_v6 {
        text.parse().ok().map(Host::Ipv6)
    } else {
        Host::parse(text).ok()
    };
    host.map(without_dot)
}

/// A dot at the end names the same host.
fn without_dot(host: Host) -> Host {
    match host {
        Host::Domain(name) => Host::Domain(name.strip_suffix('.').unwrap_or(&name).to_owned()),
        Host::Ipv4(_) | Host::Ipv6(_) => host,
    }
}

/// The host and the port of an entry; nothing where the port is none.
fn split(entry: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(rest) = entry.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        match after {
            "" => return Some((host, None)),
            _ => (host, after.strip_prefix(':')?),
        }
    } else {
        match entry.split_once(':') {
            // Several colons are an IPv6 address.
            Some((host, port)) if !port.contains(':') => (host, port),
            _ => return Some((entry, None)),
        }
    };
    Some((host, Some(port.parse().ok()?)))
}

/// Whether a text can be an entry.
pub(crate) fn is_entry(text: &str) -> bool {
    split(text).is_some_and(|(name, _)| {
        let name = name.strip_prefix("*.").unwrap_or(name);
        !name.contains('*') && parse(name).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes(entries: &[&str], url: &str) -> bool {
        let entries: Vec<String> = entries.iter().map(|&it| it.to_owned()).collect();
        may_go(&entries, &Url::parse(url).unwrap())
    }

    #[test]
    fn only_the_named_hosts_are_sent_a_credential() {
        let slack = ["slack.com", "*.slack-files.test"];
        for url in [
            "https://slack.com/api/x",
            "https://SLACK.com./x",
            "https://a.b.slack-files.test/",
        ] {
            assert!(goes(&slack, url), "{url}");
        }
        for url in [
            "https://evil.test/",
            "https://slack.com.evil.test/",
            "https://notslack.com/",
            "https://x.slack.com/",
            "https://slack-files.test/",
            "https://evilslack-files.test/",
            "https://slack.com:8443/",
            "https://user@evil.test/?slack.com",
        ] {
            assert!(!goes(&slack, url), "{url}");
        }
    }

    #[test]
    fn an_entry_may_name_a_port() {
        assert!(goes(&["127.0.0.1:9000"], "http://127.0.0.1:9000/"));
        assert!(!goes(&["127.0.0.1:9000"], "http://127.0.0.1:9001/"));
        assert!(goes(&["127.0.0.1"], "http://127.0.0.1:9001/"));
        assert!(goes(&["[::1]:80"], "http://[::1]/"));
        assert!(goes(&["::1"], "http://[::1]:5/"));
        assert!(goes(&["api.test:8443"], "https://api.test:8443/"));
        assert!(!goes(&["api.test:8443"], "https://api.test/"));
    }
}
