//! Where a repository may lie, and what its address means.

use std::path::{Component, Path, PathBuf};

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
    Malformed(String),
}

/// Reads an address. `root` is the folder below which local ones may lie; links are followed, so
/// that one inside cannot point outside.
pub fn locate(address: &str, root: &Path) -> Result<Location, AddressError> {
    if address.contains(|c: char| c.is_control() || c.is_whitespace()) || address.starts_with('-') {
        return Err(AddressError::Malformed(
            "control characters, spaces or a leading '-'".into(),
        ));
    }
    if let Some(path) = address.strip_prefix("file://") {
        return local(Path::new(path), root);
    }
    if address.starts_with('/') {
        return local(Path::new(address), root);
    }
    if let Some((user_host, path)) = scp_form(address) {
        return if user_host.contains("::") || path.is_empty() {
            Err(AddressError::Protocol(root.to_owned()))
        } else {
            Ok(Location::Remote(address.to_owned()))
        };
    }
    if !address.contains("://") {
        return Err(AddressError::Protocol(root.to_owned()));
    }
    let url = url::Url::parse(address).map_err(|e| AddressError::Malformed(e.to_string()))?;
    match url.scheme() {
        "https" if url.password().is_some() || !url.username().is_empty() => {
            Err(AddressError::Credentials)
        }
        "ssh" if url.password().is_some() => Err(AddressError::Credentials),
        "https" | "ssh" if url.host().is_some() => Ok(Location::Remote(address.to_owned())),
        _ => Err(AddressError::Protocol(root.to_owned())),
    }
}

/// Who answers at an address: protocol, host and port. A credential is for one of them; none for
/// what is no address.
pub fn origin(address: &str) -> Option<String> {
    if address.starts_with('/') || address.starts_with("file://") {
        return Some("file://".to_owned());
    }
    if let Some((user_host, _)) = scp_form(address) {
        let (_, host) = user_host.rsplit_once('@')?;
        return Some(format!("ssh://{}:22", host.to_ascii_lowercase()));
    }
    let url = url::Url::parse(address).ok()?;
    let usual = if url.scheme() == "ssh" { 22 } else { 443 };
    let host = url.host_str()?.to_ascii_lowercase();
    let port = url.port().unwrap_or(usual);
    Some(format!("{}://{host}:{port}", url.scheme()))
}

/// `git@host:path`, which Git reads as ssh.
fn scp_form(address: &str) -> Option<(&str, &str)> {
    let (user_host, path) = address.split_once(':')?;
    (user_host.contains('@') && !user_host.contains('/') && !path.starts_with("//"))
        .then_some((user_host, path))
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
            "ssh://git@host:22/a/b",
            "git@github.com:a/b.git",
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
        ] {
            assert!(locate(bad).is_err(), "{bad}");
        }
        assert_eq!(
            locate("https://user:token@host/a"),
            Err(AddressError::Credentials)
        );
    }

    #[test]
    fn who_answers_at_an_address() {
        for (address, answers) in [
            ("https://Git.example/a/b", "https://git.example:443"),
            ("https://git.example:443/c", "https://git.example:443"),
            ("https://git.example:8443/c", "https://git.example:8443"),
            ("git@git.example:a/b.git", "ssh://git.example:22"),
            ("ssh://other@git.example/a", "ssh://git.example:22"),
            ("ssh://git@git.example:2222/a", "ssh://git.example:2222"),
            ("/srv/a", "file://"),
            ("file:///srv/a", "file://"),
        ] {
            assert_eq!(origin(address).as_deref(), Some(answers), "{address}");
        }
        for nothing in ["", "a/b", "https://"] {
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
