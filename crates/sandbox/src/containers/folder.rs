//! The folder of one container: the named pipes between the child, its conductor and the server.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Gid, Mode, OFlags, Uid};

use crate::output::Output;

/// Where the folders lie, below the sandbox's.
const FOLDERS: &str = "containers";

/// Where a container sees its folder.
pub(crate) const INSIDE: &str = "/run/.marquetry";

/// What the first program reads its variables from.
pub(crate) const ENVIRONMENT: &str = "environment";
/// What ends when the conductor does, and all that is in the container with it.
pub(crate) const ALIVE: &str = "alive";
/// Where it says at the end what was used.
pub(crate) const USAGE: &str = "usage";
pub(crate) const STDOUT: &str = "stdout";
pub(crate) const STDERR: &str = "stderr";

/// What the container sees of its folder.
const SEEN: &str = "seen";
/// What a conductor holds as long as it looks after the container, where that does not see it.
const LOCK: &str = "lock";

/// A folder that is removed when it is dropped, unless a conductor has it.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    has_conductor: bool,
}

impl Folder {
    /// Makes it; its pipes are this user's.
    pub(crate) fn make(scratch: &Path, name: &str, user: Option<u32>) -> io::Result<Self> {
        let path = below(scratch).join(name);
        let seen = seen(&path);
        std::fs::create_dir_all(&seen)?;
        let this = Self {
            path,
            has_conductor: false,
        };
        set_mode(&seen, 0o711)?;
        for name in [ENVIRONMENT, ALIVE, STDOUT, STDERR, USAGE] {
            let pipe = seen.join(name);
            let mode = Mode::RUSR | Mode::WUSR;
            rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, mode, 0)?;
            if let Some(user) = user {
                let (user, group) = (Uid::from_raw(user), Gid::from_raw(user));
                rustix::fs::chown(&pipe, Some(user), Some(group))?;
            }
        }
        std::fs::write(this.path.join(LOCK), "")?;
        set_mode(&this.path.join(LOCK), 0o600)?;
        Ok(this)
    }

    /// Opens both outputs: our ends, and what a conductor holds so that they do not end before the child.
    pub(crate) fn outputs(&self) -> io::Result<[(Output, OwnedFd); 2]> {
        let seen = seen(&self.path);
        Output::named(&seen.join(STDOUT), &seen.join(STDERR))
    }

    /// The conductor removes it.
    pub(crate) fn hand_over(mut self) {
        self.has_conductor = true;
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.has_conductor {
            // What stays is removed at the next start.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// The folder of all containers' folders.
pub(crate) fn below(scratch: &Path) -> PathBuf {
    scratch.join(FOLDERS)
}

/// What of a container's folder the container sees.
pub(crate) fn seen(folder: &Path) -> PathBuf {
    folder.join(SEEN)
}

/// Locks a container's folder; none while its conductor lives.
pub(crate) fn lock(folder: &Path) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(folder.join(LOCK), flags, Mode::empty())?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A number that no other server of this machine begins with.
pub(crate) fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let (seconds, nanos) = (now.tv_sec.cast_unsigned(), now.tv_nsec.cast_unsigned());
    seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos)
}

pub(crate) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}
