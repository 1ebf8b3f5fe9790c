//! Whose control groups are whose: a server that was killed cannot remove its own, and its data folder
//! may be gone by the time another one starts.
//!
//! A server holds a lock on its instance's folder, shared, for as long as it lives: the kernel lets go
//! of it when the process ends, however it ends. Who can lock the folder alone may remove it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::linux::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::remove;

/// What begins the name of the folder of an instance.
pub(super) const INSTANCE: &str = "marquetry-";

/// The folder of an instance, held by this process.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) path: PathBuf,
    lock: OwnedFd,
}

impl Base {
    /// Makes the folder where it is missing, and holds it.
    pub(super) fn hold(path: PathBuf) -> io::Result<Self> {
        loop {
            match fs::create_dir(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Ok(()) | Err(_) => {}
            }
            // Another server may remove the folder, left by a killed one, at this very moment: the
            // lock waits for it, and what was locked may be gone then.
            if let Some(lock) = lock(&path, FlockOperation::LockShared)? {
                return Ok(Self { path, lock });
            }
        }
    }
}

impl Base {
    /// The lock once more: it is held until both are closed.
    pub(super) fn lock(&self) -> io::Result<OwnedFd> {
        self.lock.try_clone()
    }
}

/// Removes the folders beside this one that no process holds.
pub(super) fn remove_abandoned(base: &Path) {
    let Some(parent) = base.parent() else { return };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let folder = entry.path();
        let named = entry.file_name().to_string_lossy().starts_with(INSTANCE);
        if named && folder != base {
            remove_unheld(&folder);
        }
    }
}

/// Ends what is in the groups of an instance, and removes them, but for these; its own folder stays.
pub(super) fn empty(base: &Path, kept: &[PathBuf]) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let is_kept = kept.contains(&entry.path());
        if !is_kept && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
}

fn remove_unheld(folder: &Path) {
    if let Ok(Some(_lock)) = lock(folder, FlockOperation::NonBlockingLockExclusive) {
        empty(folder, &[]);
        remove(folder);
    }
}

/// Locks a folder; none where it is not the one of this path any more.
fn lock(path: &Path, operation: FlockOperation) -> io::Result<Option<OwnedFd>> {
    let folder = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    rustix::fs::flock(&folder, operation)?;
    let same = |there: fs::Metadata| {
        let locked = folder.metadata()?;
        Ok((there.st_dev(), there.st_ino()) == (locked.st_dev(), locked.st_ino()))
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(there) => same(there).map(|same| same.then(|| folder.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_that_nobody_holds_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let path = |name: &str| parent.path().join(name);
        let mine = Base::hold(path("marquetry-a")).unwrap();
        let live = Base::hold(path("marquetry-b")).unwrap();
        fs::create_dir(live.path.join("run-0")).unwrap();
        let killed = Base::hold(path("marquetry-c")).unwrap().path;
        fs::create_dir(killed.join("run-0")).unwrap();
        fs::create_dir(path("other")).unwrap();

        remove_abandoned(&mine.path);

        assert!(!killed.exists());
        for stays in [mine.path, live.path.join("run-0"), path("other")] {
            assert!(stays.exists(), "{}", stays.display());
        }
    }

    #[test]
    fn a_folder_is_never_taken_from_under_who_has_just_taken_it_over() {
        let parent = tempfile::tempdir().unwrap();
        let mine = parent.path().join("marquetry-mine");
        fs::create_dir(&mine).unwrap();
        let path = parent.path().join("marquetry-killed");
        std::thread::scope(|scope| {
            let removing = scope.spawn(|| {
                for _ in 0..2000 {
                    remove_abandoned(&mine);
                }
            });
            while !removing.is_finished() {
                let base = Base::hold(path.clone()).unwrap();
                empty(&base.path, &[]);
                fs::create_dir(base.path.join("run-0")).unwrap();
                assert!(base.path.join("run-0").exists());
            }
        });
    }
}
