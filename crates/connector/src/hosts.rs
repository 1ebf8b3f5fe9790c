//! Which addresses may be sent a credential.

use url::{Host, Url};

/// Whether an address is one of the entries: a name, `*.` and a name for all below it, an address, each with a
/// port or without. Without one, the scheme's own port is meant, or any of an entry that is an address of this
/// machine or a private network: those are opened one by one by the operator.
#[must_use]
pub fn may_go(entries: &[String], url: &Url) -> bool {
    let Some(host) = url.host() else {
        return false;
    };
    let (text, is_address) = match host {
        Host::Domain(name) => (name.trim_end_matches('.').to_lowercase(), false),
        Host::Ipv4(address) => (address.to_string(), true),
        Host::Ipv6(address) => (address.to_string(), true),
    };
    let port = url.port_or_known_default();
    entries.iter().any(|entry| {
        let (name, wanted) = split(entry);
        let right_host = match name.strip_prefix("*.") {
            Some(parent) if !is_address => text
                .strip_suffix(parent)
                .is_some_and(|before| before.len() > 1 && before.ends_with('.')),
            Some(_) => false,
            None => name == text,
        };
        let right_port = match wanted {
            Some(wanted) => Some(wanted) == port,
            None => is_address || text == "localhost" || url.port().is_none(),
        };
        right_host && right_port
    })
}

/// The host and the port of an entry.
fn split(entry: &str) -> (&str, Option<u16>) {
    if let Some(rest) = entry.strip_prefix('[') {
        let (host, after) = rest.split_once(']').unwrap_or((rest, ""));
        return (
            host,
            after.strip_prefix(':').and_then(|port| port.parse().ok()),
        );
    }
    match entry.split_once(':') {
        // Several colons are an IPv6 address.
        Some((host, port)) if !port.contains(':') => (host, port.parse().ok()),
        _ => (entry, None),
    }
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
