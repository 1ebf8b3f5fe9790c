//! The root file system: prepared once by the spawner, finished by each PID 1 in its own copy of
//! the mount namespace.
//!
//! The spawner pivots into the prepared root itself. A child's mount namespace is then a copy of a
//! dozen mounts instead of the host's, and it only adds what is its own.

mod etc;
mod prepare;

pub(crate) use etc::shown_paths;

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};

use super::users::Identity;
use super::{Step, at, sys};
use crate::spec::{HOME, TMP};
use crate::wire::{Body, BodyMount, Setup};

/// Where the spawner keeps what it needs of the host; gone in a child's namespace.
const HOST: &str = "/.host";

/// Where a child's private file system is mounted; its folders are bound to their places. It stays
/// mounted here too, because to take it away would cost a wait for every processor.
const PRIVATE: &str = "/.private";

/// Folders of the private file system: name, where it shows, mode.
const PRIVATE_FOLDERS: [(&str, &str, u32); 3] = [
    ("home", HOME, 0o700),
    ("tmp", TMP, 0o1777),
    ("shm", "/dev/shm", 0o1777),
];

/// The prepared root.
pub(crate) struct Root {
    /// The host's `/proc`, which is mounted nowhere in the prepared root.
    pub(crate) host_proc: OwnedFd,
    /// The spawner is root on the host: children get host users of their own, and the server hands
    /// over mounts. Else everything happens in a user namespace of the server's user, and the
    /// host's files are bound from [`HOST`].
    pub(crate) privileged: bool,
}

impl Root {
    /// Prepares the root and moves the calling process into it.
    pub(crate) fn build(setup: &Setup) -> Step<Self> {
        prepare::build(setup)
    }

    /// Finishes the root in a child's own mount namespace; called by its PID 1.
    pub(crate) fn finish(
        &self,
        body: &Body,
        mounts: Vec<OwnedFd>,
        identity: Identity<'_>,
    ) -> Step<()> {
        let proc_flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        rustix::mount::mount("proc", "/proc", "proc", proc_flags, c"hidepid=invisible")
            .map_err(at("mount /proc"))?;
        private_folders(body.disk_bytes, identity.user)?;
        if self.privileged {
            for (mount, tree) in body.mounts.iter().zip(mounts) {
                place_mount(mount, &tree, identity)?;
            }
        } else {
            for mount in &body.mounts {
                let tree = open_tree(&host_path(&mount.source))?;
                place_mount(mount, &tree, identity)?;
            }
            rustix::mount::unmount(HOST, UnmountFlags::DETACH)
                .map_err(at("leave the host's root"))?;
        }
        // The folders of the root belong to the server's user, who may be the child's user too.
        sys::mount_setattr(rustix::fs::CWD, c"/", false, sys::READ_ONLY, None)
            .map_err(at("make / read-only"))
    }
}

/// One size-limited file system holds home, `/tmp` and `/dev/shm`, so that the limit is theirs
/// together.
fn private_folders(bytes: u64, user: u32) -> Step<()> {
    let options = format!("size={bytes},nr_inodes={},mode=755\0", bytes / 4096 + 1024);
    let options = std::ffi::CStr::from_bytes_with_nul(options.as_bytes())
        .expect("the options have one nul, at the end");
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("tmpfs", PRIVATE, "tmpfs", flags, options)
        .map_err(at("mount the private file system"))?;
    for (name, target, mode) in PRIVATE_FOLDERS {
        let folder = &Path::new(PRIVATE).join(name);
        fs::create_dir(folder).map_err(at(format_args!("make {target}")))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(mode))
            .map_err(at(format_args!("set the mode of {target}")))?;
        chown(folder, Some(user), Some(user))
            .map_err(at(format_args!("give {target} to its user")))?;
        rustix::mount::mount_bind(folder, target).map_err(at(format_args!("bind {target}")))?;
    }
    Ok(())
}

/// Puts a detached mount at its place with its access and owner.
fn place_mount(mount: &BodyMount, tree: &OwnedFd, identity: Identity<'_>) -> Step<()> {
    let shown = mount.target.display();
    let mut attributes = sys::NO_SUID | sys::NO_DEV;
    if !mount.writable {
        attributes |= sys::READ_ONLY;
    }
    match identity.id_map {
        Some(map) => {
            let mapped = sys::mount_setattr(tree, c"", false, attributes, Some(map));
            if mapped.is_err() && !mount.writable {
                // Some file systems cannot map owners. For reading, the files' modes decide then.
                sys::mount_setattr(tree, c"", false, attributes, None)
            } else {
                mapped
            }
        }
        None => sys::mount_setattr(tree, c"", false, attributes, None),
    }
    .map_err(at(format_args!("set the access of {shown}")))?;
    let is_folder = rustix::fs::fstat(tree)
        .map(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())
        .map_err(at(format_args!("look at the source of {shown}")))?;
    make_target(&mount.target, is_folder).map_err(at(format_args!("make {shown}")))?;
    rustix::mount::move_mount(
        tree.as_fd(),
        c"",
        rustix::fs::CWD,
        &mount.target,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )
    .map_err(at(format_args!("mount {shown}")))
}

/// Makes an empty folder or file to mount on; another child may have made it before.
fn make_target(target: &Path, is_folder: bool) -> std::io::Result<()> {
    if is_folder {
        return fs::create_dir_all(target);
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::File::options()
        .append(true)
        .create(true)
        .open(target)
        .map(drop)
}

fn open_tree(path: &Path) -> Step<OwnedFd> {
    rustix::mount::open_tree(
        rustix::fs::CWD,
        path,
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC,
    )
    .map_err(at(format_args!("open {}", path.display())))
}

/// The path under which the spawner sees a path of the host.
fn host_path(path: &Path) -> PathBuf {
    Path::new(HOST).join(path.strip_prefix("/").unwrap_or(path))
}
