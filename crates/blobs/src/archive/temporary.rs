//! Folders that are not finished: made beside their final place, locked while somebody works on
//! them, recognised and removed when nobody does any more.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{
    AtFlags, CWD, FileType, FlockOperation, Mode, fchmod, flock, fstat, open, openat, statat,
    syncfs,
};
use rustix::io::Errno;

use super::dirs::OPEN_FOLDER;
use super::error::{ArchiveError, io_error};
use super::walk::walk;
use crate::blocking::blocking;

/// How the names of unfinished folders begin.
const PREFIX: &str = ".unfinished-";

/// Tells the folders of one process apart.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A new folder that is removed on drop unless it is published.
pub(super) struct Temporary {
    path: PathBuf,
    /// Holds the lock that keeps cleaners away.
    folder: OwnedFd,
    is_published: bool,
}

/// Whose folder stands at the final place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Published {
    Ours,
    Theirs,
}

impl Temporary {
    /// Makes and locks a new folder (mode 0700) in `parent`.
    pub(super) fn create(parent: &Path) -> io::Result<Self> {
        loop {
            let path = unused_name(parent);
            match rustix::fs::mkdir(&path, Mode::RWXU) {
                Ok(()) => {}
                // Left over from a process that had our number, or made by one in another container.
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(error.into()),
            }
            // A cleaner may come between making and locking; then the folder is gone.
            if let Some(folder) = lock(&path)? {
                return Ok(Self {
                    path,
                    folder,
                    is_published: false,
                });
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn folder(&self) -> io::Result<OwnedFd> {
        self.folder.try_clone()
    }

    /// Puts the content on disk, then renames the folder to `into` in one step. If somebody else
    /// was first, theirs stays and ours is removed.
    pub(super) fn publish(mut self, into: &Path) -> io::Result<Published> {
        // One call for the whole tree: a name that is on disk must not lead to missing content.
        syncfs(&self.folder)?;
        match rustix::fs::rename(&self.path, into) {
            Ok(()) => {
                self.is_published = true;
                std::fs::File::open(parent_of(into))?.sync_all()?;
                Ok(Published::Ours)
            }
            Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(Published::Theirs),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_published {
            // What cannot be removed now is found by the next cleaner.
            let _ = remove_tree(&self.path);
        }
    }
}

/// The folder in which `path` stands.
pub(super) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Removes unfinished folders that a crash has left in `dir`, and answers how many. Those somebody
/// is still working on, in this process or another, stay.
pub async fn clean_temporary(dir: &Path) -> Result<usize, ArchiveError> {
    let dir = dir.to_owned();
    blocking(move || clean_temporary_now(&dir)).await
}

pub(crate) fn clean_temporary_now(dir: &Path) -> Result<usize, ArchiveError> {
    let mut removed = 0;
    let entries = std::fs::read_dir(dir).map_err(io_error("read folder", dir))?;
    for entry in entries {
        let entry = entry.map_err(io_error("read folder", dir))?;
        if !entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(PREFIX.as_bytes())
        {
            continue;
        }
        let path = entry.path();
        let locked = lock(&path).map_err(io_error("lock unfinished folder", &path))?;
        if let Some(_lock) = locked {
            remove_tree(&path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Takes a folder made by this crate out of sight in one step, then removes it: a crash in between
/// leaves an unfinished folder, never half a good one. A missing folder is no error.
pub(crate) fn remove_tree_aside(path: &Path) -> Result<(), ArchiveError> {
    let aside = unused_name(parent_of(path));
    let locked = lock(path).map_err(io_error("lock", path))?;
    let Some(_lock) = locked else {
        return Ok(());
    };
    rustix::fs::rename(path, &aside).map_err(io_error("move aside", path))?;
    remove_tree(&aside)
}

fn unused_name(parent: &Path) -> PathBuf {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    parent.join(format!("{PREFIX}{}-{number}", std::process::id()))
}

/// Locks the folder at `path` until the result is dropped (or the process dies); `None` if it is
/// gone, is no folder, or somebody else holds it.
fn lock(path: &Path) -> io::Result<Option<OwnedFd>> {
    let folder = match open(path, OPEN_FOLDER, Mode::empty()) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        opened => opened?,
    };
    match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => return Ok(None),
        locked => locked?,
    }
    // The name may meanwhile be gone or belong to another folder.
    let ours = fstat(&folder)?;
    let same = match statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => false,
        there => {
            let there = there?;
            (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
        }
    };
    Ok(same.then_some(folder))
}

/// Removes a tree whose folders may be read only.
fn remove_tree(path: &Path) -> Result<(), ArchiveError> {
    let root = open(path, OPEN_FOLDER, Mode::empty()).map_err(io_error("open folder", path))?;
    fchmod(&root, Mode::RWXU).map_err(io_error("unlock folder", path))?;
    walk(root, u64::MAX, |visit| {
        if visit.file_type() != FileType::Directory {
            return Ok(());
        }
        let folder = openat(visit.folder, visit.name, OPEN_FOLDER, Mode::empty());
        let unlocked = folder.and_then(|folder| fchmod(folder, Mode::RWXU));
        unlocked.map_err(io_error("unlock folder", path))
    })?;
    std::fs::remove_dir_all(path).map_err(io_error("remove folder", path))
}
