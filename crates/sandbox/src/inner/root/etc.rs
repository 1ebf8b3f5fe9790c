//! `/etc` of children: a choice of the host's, and some files of our own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::super::network::resolver_settings;
use super::prepare::bind_read_only;
use crate::inner::users::INSIDE_USER;
use crate::inner::{Step, at};
use crate::spec::{HOME, USER};

/// Entries of the host's `/etc` that children see: trust anchors, the loader's and the resolver's
/// tables, and settings of language runtimes. An entry ending in `*` is a prefix.
const SHOWN: [&str; 35] = [
    "ssl",
    "pki",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "alternatives",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "timezone",
    "locale.alias",
    "locale.conf",
    "nsswitch.conf",
    "host.conf",
    "gai.conf",
    "protocols",
    "services",
    "networks",
    "rpc",
    "mime.types",
    "magic",
    "magic.mime",
    "os-release",
    "debian_version",
    "alpine-release",
    "redhat-release",
    "java*",
    "python3*",
    "perl",
    "php*",
    "maven",
    "gradle",
    "leiningen",
    "dotnet",
];

/// The paths of all of them that exist on the host.
pub(crate) fn shown_paths() -> Vec<PathBuf> {
    let entries = fs::read_dir("/etc").into_iter().flatten().flatten();
    let shown = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_shown));
    shown.map(|entry| entry.path()).collect()
}

/// Fills `/etc` of the new root.
pub(super) fn fill(root: &Path) -> Step<()> {
    let target = root.join("etc");
    let entries = fs::read_dir("/etc").map_err(at("read /etc"))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(is_shown) {
            show(&entry.path(), &target.join(&name))?;
        }
    }
    for (name, text) in own_files() {
        fs::write(target.join(name), text).map_err(at(format_args!("write /etc/{name}")))?;
    }
    symlink("/proc/self/mounts", target.join("mtab")).map_err(at("link /etc/mtab"))
}

fn is_shown(name: &str) -> bool {
    SHOWN.iter().any(|shown| match shown.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == *shown,
    })
}

/// Binds folders, so that new trust anchors are seen at once, and copies files and links.
fn show(source: &Path, target: &Path) -> Step<()> {
    let shown = source.display();
    let data = fs::symlink_metadata(source).map_err(at(format_args!("look at {shown}")))?;
    if data.is_symlink() {
        let link = fs::read_link(source).map_err(at(format_args!("read {shown}")))?;
        return symlink(link, target).map_err(at(format_args!("link {shown}")));
    }
    if data.is_dir() {
        return bind_read_only(source, target);
    }
    match fs::copy(source, target) {
        // Not readable for the server's user, so not for children either.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(()),
        copied => copied.map(drop).map_err(at(format_args!("copy {shown}"))),
    }
}

fn own_files() -> [(&'static str, String); 5] {
    [
        (
            "passwd",
            format!(
                "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n\
                 {USER}:x:{INSIDE_USER}:{INSIDE_USER}:{USER}:{HOME}:/bin/sh\n\
                 nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
            ),
        ),
        (
            "group",
            format!("root:x:0:\n{USER}:x:{INSIDE_USER}:\nnogroup:x:65534:\n"),
        ),
        (
            "hosts",
            format!("127.0.0.1\tlocalhost {USER}\n::1\tlocalhost ip6-localhost ip6-loopback\n"),
        ),
        ("hostname", format!("{USER}\n")),
        ("resolv.conf", resolver_settings()),
    ]
}
