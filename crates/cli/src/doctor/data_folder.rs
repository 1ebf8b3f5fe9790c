//! Can the server keep its files?

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::Check;
use crate::config::ServerConfig;

const NAME: &str = "data folder";
/// Below this a build may already fail: an artifact may have 1 GiB.
const LITTLE: u64 = 2 << 30;
/// Below this the database itself is in danger.
const TOO_LITTLE: u64 = 256 << 20;

pub(super) fn check(config: &ServerConfig) -> Check {
    let folder = &config.data_dir;
    let place = existing(folder);
    let shown = folder.display();
    if !place.is_dir() {
        let what = format!("{} is no folder", place.display());
        return Check::fail(NAME, what, "choose another one with --data-dir");
    }
    if access(&place, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let what = format!("{} cannot be written by this user", place.display());
        return Check::fail(
            NAME,
            what,
            "change its owner, or choose another with --data-dir",
        );
    }
    let free = match statvfs(&place) {
        Ok(about) => about.f_bavail.saturating_mul(about.f_frsize),
        Err(error) => {
            let what = format!("{shown}: the free space cannot be told: {error}");
            return Check::warn(NAME, what, "check that its file system is healthy");
        }
    };
    let state = if place == *folder {
        ""
    } else {
        " (made at the first start)"
    };
    let what = format!("{shown}{state}, {} free", size(free));
    match free {
        0..TOO_LITTLE => Check::fail(NAME, what, "make room, or choose another with --data-dir"),
        TOO_LITTLE..LITTLE => {
            Check::warn(NAME, what, "make room: an artifact alone may have 1 GiB")
        }
        _ => Check::ok(NAME, what),
    }
}

/// The folder itself, or the nearest one above it that is there.
fn existing(folder: &Path) -> PathBuf {
    let here = Path::new(".");
    let there = folder.ancestors().find(|path| path.exists());
    match there {
        Some(path) if path.as_os_str().is_empty() => here.to_owned(),
        Some(path) => path.to_owned(),
        None => here.to_owned(),
    }
}

fn size(bytes: u64) -> String {
    let mib = bytes >> 20;
    if mib < 10 * 1024 {
        format!("{mib} MiB")
    } else {
        format!("{} GiB", mib / 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_that_is_there_counts() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        assert_eq!(existing(&deep), folder.path());
        assert_eq!(existing(Path::new("surely-not-there")), Path::new("."));
        assert_eq!(size(3 << 30), "3072 MiB");
        assert_eq!(size(30 << 30), "30 GiB");
    }
}
