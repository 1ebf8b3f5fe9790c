//! Whose the files of writable mounts are: the container's user's while it runs, the server's before and after.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Uid};

use crate::inner::{Step, at};
use crate::wire::BodyMount;

/// Gives them to the container's user.
pub(super) fn give(mounts: &[BodyMount], user: u32) -> Step<()> {
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(user));
    for mount in mounts.iter().filter(|mount| mount.writable) {
        own(mount, user, group).map_err(at(format_args!(
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
        // Root can use what stays another's; the next container gets it anyway.
        let _ = own(mount, user, group);
    }
}

fn own(mount: &BodyMount, user: Uid, group: Gid) -> rustix::io::Result<()> {
    let source = &mount.source;
    rustix::fs::chownat(
        CWD,
        source,
        Some(user),
        Some(group),
        AtFlags::SYMLINK_NOFOLLOW,
    )?;
    let folder = match rustix::fs::openat(CWD, source, FOLDER, Mode::empty()) {
        Ok(folder) => folder,
        Err(rustix::io::Errno::NOTDIR) => return Ok(()),
        Err(error) => return Err(error),
    };
    own_below(folder, user, group);
    Ok(())
}

const FOLDER: OFlags = OFlags::DIRECTORY
    .union(OFlags::RDONLY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Changes the owner of all below, and of no link's target. By descriptors: code makes paths that are longer than the
/// kernel takes, and links where a folder was. What cannot be changed, or lies deeper than there are descriptors, is
/// passed over: the container cannot use it, and that is for whoever made it so.
fn own_below(folder: OwnedFd, user: Uid, group: Gid) {
    let mut open: Vec<Dir> = Dir::new(folder).into_iter().collect();
    while let Some(folder) = open.last_mut() {
        let Some(Ok(entry)) = folder.read() else {
            open.pop();
            continue;
        };
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let Ok(fd) = folder.fd() else { continue };
        let _ = rustix::fs::chownat(
            fd.as_fd(),
            name,
            Some(user),
            Some(group),
            AtFlags::SYMLINK_NOFOLLOW,
        );
        if matches!(entry.file_type(), FileType::Directory | FileType::Unknown)
            && let Ok(below) = rustix::fs::openat(fd.as_fd(), name, FOLDER, Mode::empty())
        {
            open.extend(Dir::new(below));
        }
    }
}
