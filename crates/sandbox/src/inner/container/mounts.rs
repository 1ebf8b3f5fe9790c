//! Whose the files of writable mounts are: the container's user's while it runs, the server's before and after.

use std::path::Path;

use rustix::fs::{AtFlags, CWD, Gid, Uid};

use crate::inner::{Step, at};
use crate::wire::BodyMount;

/// Gives them to the container's user.
pub(super) fn give(mounts: &[BodyMount], user: u32) -> Step<()> {
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(user));
    for mount in mounts.iter().filter(|mount| mount.writable) {
        own(&mount.source, user, group).map_err(at(format_args!(
            "give {} to the container",
            mount.target.display()
        )))?;
    }
    Ok(())
}

/// Gives them back to the server's; no process of the container is left.
pub(super) fn take_back(mounts: &[BodyMount]) {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    for mount in mounts.iter().filter(|mount| mount.writable) {
        // Root can use what stays another's; the next container gets all of it anyway.
        let _ = own(&mount.source, user, group);
    }
}

/// Changes the owner of all below, and of no link's target.
fn own(path: &Path, user: Uid, group: Gid) -> std::io::Result<()> {
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        rustix::fs::chownat(
            CWD,
            &path,
            Some(user),
            Some(group),
            AtFlags::SYMLINK_NOFOLLOW,
        )?;
        if path.symlink_metadata()?.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                open.push(entry?.path());
            }
        }
    }
    Ok(())
}
