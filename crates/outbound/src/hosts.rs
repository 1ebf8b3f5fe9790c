//! The hosts that a run may reach when its egress is narrowed to named ones.

use std::net::IpAddr;

/// A list of host names, name patterns and addresses.
///
/// An entry is a name (`api.example.com`), every name below one (`*.example.com`, which does not
/// cover `example.com` itself) or an address (`192.0.2.7`, `2001:db8::1`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostList {
    names: Vec<String>,
    suffixes: Vec<String>,
    addresses: Vec<IpAddr>,
}

/// An entry that is neither a name, a pattern nor an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{entry}` is not a host: write a name, `*.` and a name, or an address, without scheme, port or path"
)]
pub struct HostError {
    /// The entry as it was written.
    pub entry: String,
}

impl HostList {
    /// Reads a list of entries; letter case and a dot at the end do not matter.
    ///
    /// # Errors
    /// [`HostError`] with the first entry that cannot be understood.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, HostError> {
        let mut list = Self::default();
        for entry in entries {
            list.insert(entry)?;
        }
        Ok(list)
    }

    fn insert(&mut self, entry: &str) -> Result<(), HostError> {
        if let Ok(address) = entry.parse::<IpAddr>() {
            self.addresses.push(address.to_canonical());
            return Ok(());
        }
        let wrong = || HostError {
            entry: entry.to_owned(),
        };
        if let Some(parent) = entry.strip_prefix("*.") {
            let parent = normal_name(parent).ok_or_else(wrong)?;
            self.suffixes.push(format!(".{parent}"));
        } else {
            self.names.push(normal_name(entry).ok_or_else(wrong)?);
        }
        Ok(())
    }

    /// Whether the list covers this name; `name` is in the form of [`normal_name`].
    #[must_use]
    pub fn covers_name(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
            || self.suffixes.iter().any(|suffix| name.ends_with(suffix))
    }

    /// Whether the list names this very address.
    #[must_use]
    pub fn covers_address(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address.to_canonical())
    }
}

/// The name in lower case without the last dot, or nothing when it is not a name that the
/// system's name service should ever see: labels of 1 to 63 letters, digits, `-` and `_`.
#[must_use]
pub fn normal_name(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let label_is_good = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    (name.len() <= 253 && name.split('.').all(label_is_good)).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_covers_names_patterns_and_addresses() {
        let list =
            HostList::parse(["API.example.com.", "*.shop.test", "::ffff:192.0.2.7"]).unwrap();
        assert!(list.covers_name("api.example.com"));
        assert!(!list.covers_name("example.com"));
        assert!(!list.covers_name("x.api.example.com"));
        assert!(list.covers_name("a.b.shop.test"));
        assert!(!list.covers_name("shop.test"));
        assert!(!list.covers_name("evilshop.test"));
        assert!(list.covers_address("192.0.2.7".parse().unwrap()));
        assert!(!list.covers_address("192.0.2.8".parse().unwrap()));
    }

    #[test]
    fn what_is_no_host_is_refused_with_its_text() {
        for entry in [
            "https://example.com",
            "example.com:443",
            "",
            "*",
            "a..b",
            "*.",
            "a b",
        ] {
            let error = HostList::parse([entry]).unwrap_err();
            assert_eq!(error.entry, entry);
        }
    }

    #[test]
    fn names_are_bounded() {
        assert_eq!(normal_name("A_b-1.Test.").as_deref(), Some("a_b-1.test"));
        assert_eq!(normal_name(&"a".repeat(64)), None);
        assert_eq!(normal_name(&["abc"; 64].join(".")), None);
        assert_eq!(normal_name("nul\0.test"), None);
    }
}
