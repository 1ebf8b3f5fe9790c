//! Who uses which unpacked artifact, and which one was not used for longest.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};

use crate::digest::Sha256;

/// An unpacked artifact that stays while this is held.
#[derive(Debug)]
pub struct Unpacked {
    path: PathBuf,
    sha256: Sha256,
    uses: Arc<Uses>,
}

impl Unpacked {
    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        note_use(&self.path);
        self.uses.end(self.sha256);
    }
}

/// What is known of the folders of a cache.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Counts uses: the larger, the later.
    count: u64,
    folders: HashMap<Sha256, Use>,
}

#[derive(Debug, Default)]
struct Use {
    holders: usize,
    last: u64,
    bytes: Option<u64>,
    /// It is being removed: whoever wants it waits until it is gone and unpacks it again.
    leaves: bool,
}

/// A folder that nobody may need any more.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) sha256: Sha256,
    pub(crate) bytes: u64,
    /// Those used since the start come after all others; then by the time that the folder shows.
    last: (u64, Option<SystemTime>),
}

impl Candidate {
    /// Whether it was unpacked, and last used, before this time.
    pub(crate) fn is_unused_since(&self, before: SystemTime) -> bool {
        let (_, used) = self.last;
        used.is_some_and(|used| used < before)
    }
}

impl Uses {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes one more who uses it, before looking whether it is there; answers whether it is being
    /// removed.
    pub(crate) fn begin(self: &Arc<Self>, sha256: Sha256, path: PathBuf) -> (Unpacked, bool) {
        let mut known = self.known();
        known.count += 1;
        let count = known.count;
        let one = known.folders.entry(sha256).or_default();
        one.holders += 1;
        one.last = count;
        let leaves = one.leaves;
        drop(known);
        let uses = Arc::clone(self);
        (Unpacked { path, sha256, uses }, leaves)
    }

    fn end(&self, sha256: Sha256) {
        let mut known = self.known();
        known.count += 1;
        let count = known.count;
        if let Some(one) = known.folders.get_mut(&sha256) {
            one.holders -= 1;
            one.last = count;
        }
    }

    /// Claims it for removal, unless somebody uses it.
    pub(crate) fn leave(&self, sha256: Sha256) -> bool {
        let mut known = self.known();
        let one = known.folders.entry(sha256).or_default();
        if one.holders == 0 {
            one.leaves = true;
        }
        one.leaves
    }

    /// The removal is over.
    pub(crate) fn left(&self, sha256: Sha256) {
        let mut known = self.known();
        let one = known.folders.entry(sha256).or_default();
        one.leaves = false;
        one.bytes = None;
        if one.holders == 0 {
            known.folders.remove(&sha256);
        }
    }

    /// All folders in `dir`, those not used for longest first. Blocks: what was not measured yet is
    /// measured.
    pub(crate) fn candidates(&self, dir: &Path) -> Vec<Candidate> {
        let mut found = Vec::new();
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(sha256) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let (bytes, last) = {
                let known = self.known();
                let one = known.folders.get(&sha256);
                (one.and_then(|one| one.bytes), one.map_or(0, |one| one.last))
            };
            let bytes = bytes.unwrap_or_else(|| self.measure(sha256, &entry.path()));
            let made = entry.metadata().and_then(|about| about.modified()).ok();
            found.push(Candidate {
                sha256,
                bytes,
                last: (last, made),
            });
        }
        found.sort_unstable_by_key(|one| one.last);
        found
    }

    fn measure(&self, sha256: Sha256, path: &Path) -> u64 {
        let bytes = size_of(path);
        self.known().folders.entry(sha256).or_default().bytes = Some(bytes);
        bytes
    }
}

/// Lets the folder show when it was last used, which outlives the process. One that cannot show it seems older
/// than it is, and is unpacked again.
fn note_use(folder: &Path) {
    const NOW: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let times = Timestamps {
        last_access: NOW,
        last_modification: NOW,
    };
    let _ = utimensat(CWD, folder, &times, AtFlags::empty());
}

/// Bytes of all files below; links count as themselves.
fn size_of(path: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        bytes += match entry.metadata() {
            Ok(about) if about.is_dir() => size_of(&entry.path()),
            Ok(about) => about.len(),
            Err(_) => 0,
        };
    }
    bytes
}
