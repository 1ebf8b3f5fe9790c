//! Where a repository may lie, and what its address means.

mod remote;

use std::path::{Component, Path, PathBuf};

use self::remote::{Remote, Unread};

/// Where the code is fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Over the network, as Git understands it (`https://…`, `ssh://…`, `git@host:path`).
    Remote(String),
    /// A folder of this machine.
    Local(PathBuf),
}

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another protocol.
    #[error("must begin with https:// or ssh:// (or git@host:path), or be a local path below {}", .0.display())]
    Protocol(PathBuf),
    /// Outside of the folder that the operator opened.
    #[error("a local repository must lie below {} (the operator's --local-repositories)", .0.display())]
    Outside(PathBuf),
    /// Credentials would end in lists and logs.
    #[error("must not hold a password or token; give it as repository_credential")]
    Credentials,
    /// Not an address.
    #[error("is not a valid address: {0}")]
    Malformed(&'static str),
}

/// Reads an address. `root` is the folder below which local ones may lie; links are followed, so
/// that one inside cannot point outside.
pub fn locate(address: &str, root: &Path) -> Result<Location, AddressError> {
    if let Some(path) = local_path(address) {
        plain(address).map_err(AddressError::Malformed)?;
        return local(Path::new(path), root);
    }
    match remote(address) {
        Ok(remote) => Ok(Location::Remote(remote.address())),
        Err(Unread::Protocol) => Err(AddressError::Protocol(root.to_owned())),
        Err(Unread::Credentials) => Err(AddressError::Credentials),
        Err(Unread::Malformed(why)) => Err(AddressError::Malformed(why)),
    }
}

/// Who answers at an address: protocol, host and port. A credential is for one of them; none for
/// what is no address.
pub fn origin(address: &str) -> Option<String> {
    if local_path(address).is_some() {
        return Some("file://".to_owned());
    }
    remote(address).ok().map(|remote| remote.origin())
}

fn local_path(address: &str) -> Option<&str> {
    let path = address.strip_prefix("file://").unwrap_or(address);
    path.starts_with('/').then_some(path)
}

fn remote(address: &str) -> Result<Remote, Unread> {
    plain(address).map_err(Unread::Malformed)?;
    Remote::read(address)
}

/// What some read as another letter, or as the beginning of an option.
fn plain(address: &str) -> Result<(), &'static str> {
    let wrong = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if address.contains(wrong) || address.starts_with('-') {
        return Err("control characters, spaces, `\\` or a leading `-`");
    }
    Ok(())
}
fn local(path: &Path, root: &Path) -> Result<Location, AddressError> {
    let outside = || AddressError::Outside(root.to_owned());
    if path.components().any(|c| matches!(c, Component::ParentDir)) {
        return Err(outside());
    }
    let root = root.canonicalize().map_err(|_| outside())?;
    // A repository may be made after the integration; what exists must lie inside already.
    let existing = path
        .ancestors()
        .find_map(|p| Some((p, p.canonicalize().ok()?)));
    let (ancestor, real) = existing.ok_or_else(outside)?;
    let rest = path.strip_prefix(ancestor).map_err(|_| outside())?;
    let whole = real.join(rest);
    if whole.starts_with(&root) && whole != root {
        Ok(Location::Local(whole))
    } else {
        Err(outside())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols() {
        let root = tempfile::tempdir().unwrap();
        let locate = |address: &str| locate(address, root.path());
        for good in [
            "https://github.com/a/b.git",
            "https://git.example:8443/a/b%20c",
            "https://[2001:db8::1]:8443/a",
            "ssh://git@host/a/b",
            "ssh://git@host:2222/a/b",
            "ssh://me@example.com@source.example:2022/p/a",
            "git@github.com:a/b.git",
            "git@host:/srv/a?b",
        ] {
            assert_eq!(
                locate(good),
                Ok(Location::Remote(good.to_owned())),
                "{good}"
            );
        }
        for bad in [
            "http://github.com/a/b",
            "git://host/a",
            "ext::sh -c id",
            "ext::id@x:y",
            "--upload-pack=id",
            "a/b",
            "",
            "ftp://x/y",
            "file://host/a",
            "git@host:",
        ] {
            assert!(locate(bad).is_err(), "{bad}");
        }
        for secret in [
            "https://user:token@host/a",
            "https://token@host/a",
            "https://@host/a",
            "https://user%3Atoken@host/a",
            "ssh://user:password@host/a",
        ] {
            assert_eq!(locate(secret), Err(AddressError::Credentials), "{secret}");
        }
    }

    #[test]
    fn what_others_would_read_differently_is_refused() {
        for address in [
            "https://good.example\\@evil.example/x",
            "https://good.example\\.evil.example/x",
            "https:\\\\good.example/x",
            "https:/good.example/x",
            "https:good.example/x",
            "https:///good.example/x",
            "https://good.example#@evil.example/x",
            "https://good.example?@evil.example/x",
            "https://good.example/x?token=y",
            "https://good.example/x#y",
            "https://good.example%2fx@evil.example/y",
            "https://good%2eexample/x",
            "https://good.example:443:80/x",
            "https://good.example:x/y",
            "https://good.example:0/y",
            "https://good.example:65536/y",
            "https://good.example:+443/y",
            "https://g\u{f6}\u{f6}d.example/x",
            "https://good\u{3002}example/x",
            "https://good.example\u{ff0f}@evil.example/x",
            "https://good.exa\u{ad}mple/x",
            "https://good.example\t/x",
            "https://good.example\u{a0}/x",
            "https://good.example\0/x",
            "https://*.example/x",
            "https://[::1/x",
            "https://[::1]x/y",
            "https://[fe80::1%25eth0]/x",
            "https://[good.example]/x",
            "https://1.2.3.4.5/x",
            "https://!good.example/x",
            "ssh://-oProxyCommand=id/x",
            "ssh://-oProxyCommand=id@good.example/x",
            "ssh://git@-oProxyCommand=id/x",
            "ssh://git%40evil.example%2Fx@good.example/y",
            "ssh://git@good.example%2f@evil.example/y",
            "ssh://[git@::1]:22/x",
            "ssh://[good.example:22]/x",
            "-oProxyCommand=id@good.example:x",
            "git@-oProxyCommand=id:x",
            "git@good.example:-x",
            "git@[good.example:22]:x",
            "git@[::1]:x",
            "git@good.example\\evil:x",
            "@good.example:x",
            "git@:x",
        ] {
            let found = locate(address, Path::new("/"));
            assert!(found.is_err(), "{address}: {found:?}");
            assert_eq!(origin(address), None, "{address}");
        }
    }

    #[test]
    fn what_means_the_same_is_written_alike() {
        for (address, written) in [
            ("HTTPS://Git.Example:443/A/B", "https://git.example/A/B"),
            ("https://git.example:/a", "https://git.example/a"),
            ("https://git.example:0443/a", "https://git.example/a"),
            ("https://git.example/a/../b/./c", "https://git.example/b/c"),
            ("https://git.example/\u{e4}", "https://git.example/%C3%A4"),
            ("https://0x7f.1/a", "https://127.0.0.1/a"),
            ("https://[::0:1]/a", "https://[::1]/a"),
            ("SSH://git@Host:22/a", "ssh://git@host/a"),
            ("Git@Host:A/b", "Git@host:A/b"),
        ] {
            let found = locate(address, Path::new("/"));
            assert_eq!(found, Ok(Location::Remote(written.to_owned())), "{address}");
        }
    }

    #[test]
    fn who_answers_at_an_address() {
        for (address, answers) in [
            ("https://Git.example/a/b", "https://git.example:443"),
            ("HTTPS://git.example:443/c", "https://git.example:443"),
            ("https://git.example:8443/c", "https://git.example:8443"),
            ("https://[::0:1]:8443/c", "https://[::1]:8443"),
            ("git@git.example:a/b.git", "ssh://git.example:22"),
            ("ssh://other@git.example/a", "ssh://git.example:22"),
            ("ssh://git@git.example:2222/a", "ssh://git.example:2222"),
            ("/srv/a", "file://"),
            ("file:///srv/a", "file://"),
        ] {
            assert_eq!(origin(address).as_deref(), Some(answers), "{address}");
        }
        for nothing in ["", "a/b", "https://", "http://git.example/a"] {
            assert_eq!(origin(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_local_path_stays_below_the_root_even_through_links() {
        let root = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(other.path(), root.path().join("link")).unwrap();
        let inside = root.path().canonicalize().unwrap().join("a.git");
        let at = |path: &Path| locate(path.to_str().unwrap(), root.path());
        assert_eq!(at(&root.path().join("a.git")), Ok(Location::Local(inside)));
        assert!(at(&root.path().join("link/x")).is_err());
        assert!(at(&root.path().join("../x")).is_err());
        assert!(at(other.path()).is_err());
        assert!(at(root.path()).is_err());
    }
}
