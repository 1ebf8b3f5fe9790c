//! Opening folders below a root so that no link is ever followed, whoever renames what meanwhile.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;

/// How a folder is opened: it must be one, not a link to one.
pub(super) const OPEN_FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Folders kept open along the current path. Deeper ones are opened anew each time they change,
/// because a hostile tree may be deeper than this process may have files open.
const KEPT: usize = 64;

/// What to do about a folder that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Fail,
    Make,
}

/// A root and the most recently used path of folders below it.
pub(super) struct Dirs {
    root: OwnedFd,
    kept: Vec<(Vec<u8>, OwnedFd)>,
    deep: Option<(Vec<u8>, OwnedFd)>,
    made: u64,
}

impl Dirs {
    pub(super) fn new(root: OwnedFd) -> Self {
        Self {
            root,
            kept: Vec::new(),
            deep: None,
            made: 0,
        }
    }

    /// The number of folders that were made.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// Opens the folder at the clean relative `path` (empty: the root).
    pub(super) fn open(&mut self, path: &[u8], missing: Missing) -> Result<BorrowedFd<'_>, Errno> {
        let parts: Vec<&[u8]> = path
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty())
            .collect();
        let same = |(part, (name, _)): &(&&[u8], &(Vec<u8>, OwnedFd))| *part == name;
        let common = parts.iter().zip(&self.kept).take_while(same).count();
        self.kept.truncate(common);
        for part in parts.iter().take(KEPT).skip(common) {
            let parent = self
                .kept
                .last()
                .map_or(self.root.as_fd(), |(_, fd)| fd.as_fd());
            let folder = step(parent, part, missing, &mut self.made)?;
            self.kept.push((part.to_vec(), folder));
        }
        if parts.len() <= KEPT {
            return Ok(self
                .kept
                .last()
                .map_or(self.root.as_fd(), |(_, fd)| fd.as_fd()));
        }
        if self.deep.as_ref().is_none_or(|(known, _)| known != path) {
            let folder = self.descend(&parts[KEPT..], missing)?;
            self.deep = Some((path.to_vec(), folder));
        }
        let (_, folder) = self.deep.as_ref().expect("it was just set");
        Ok(folder.as_fd())
    }

    fn descend(&mut self, parts: &[&[u8]], missing: Missing) -> Result<OwnedFd, Errno> {
        let (_, start) = self.kept.last().expect("deep paths have kept ones above");
        let (first, rest) = parts.split_first().expect("deep paths have parts below");
        let mut folder = step(start.as_fd(), first, missing, &mut self.made)?;
        for part in rest {
            folder = step(folder.as_fd(), part, missing, &mut self.made)?;
        }
        Ok(folder)
    }
}

fn step(
    parent: BorrowedFd<'_>,
    name: &[u8],
    missing: Missing,
    made: &mut u64,
) -> Result<OwnedFd, Errno> {
    match openat(parent, name, OPEN_FOLDER, Mode::empty()) {
        Err(Errno::NOENT) if missing == Missing::Make => {
            mkdirat(parent, name, Mode::RWXU)?;
            *made += 1;
            openat(parent, name, OPEN_FOLDER, Mode::empty())
        }
        opened => opened,
    }
}

/// Splits a clean path into its folder and its last name.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}
