//! Walking over a tree in a fixed order without following links.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::vec;

use rustix::fs::{AtFlags, Dir, FileType, Stat, statat};

use super::MAX_PATH;
use super::dirs::{Dirs, Missing};
use super::error::{ArchiveError, io_error, shown};

/// What the walk comes by.
pub(super) struct Visit<'a> {
    /// The path from the root.
    pub(super) path: &'a [u8],
    /// The folder in which it stands.
    pub(super) folder: BorrowedFd<'a>,
    /// Its name there.
    pub(super) name: &'a [u8],
    /// What it was a moment ago: whoever opens it must look again.
    pub(super) stat: Stat,
}

impl Visit<'_> {
    pub(super) fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }
}

/// Calls `visit` for everything below `root`, a folder before what is in it, names in the order of
/// their bytes. Memory is bounded by the names in the folders on the current path.
pub(super) fn walk(
    root: OwnedFd,
    max_entries: u64,
    mut visit: impl FnMut(&Visit<'_>) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut dirs = Dirs::new(root);
    let mut budget = Budget {
        left: max_entries,
        limit: max_entries,
    };
    // The names still to visit, for each folder on the current path.
    let mut pending = vec![names(&mut dirs, b"", &mut budget)?];
    let mut path = Vec::new();
    while let Some(siblings) = pending.last_mut() {
        let Some(name) = siblings.next() else {
            pending.pop();
            path.truncate(path.iter().rposition(|byte| *byte == b'/').unwrap_or(0));
            continue;
        };
        let parent_length = path.len();
        let parent = path.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(&name);
        if path.len() > MAX_PATH {
            path.truncate(200);
            return Err(ArchiveError::PathTooLong { path: shown(&path) });
        }
        let folder = dirs.open(&parent, Missing::Fail);
        let folder = folder.map_err(io_error("open folder", shown(&parent)))?;
        let stat = statat(folder, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(io_error("look at", shown(&path)))?;
        let visited = Visit {
            path: &path,
            folder,
            name: &name,
            stat,
        };
        visit(&visited)?;
        if visited.file_type() == FileType::Directory {
            let inside = names(&mut dirs, &path, &mut budget)?;
            pending.push(inside);
        } else {
            path.truncate(parent_length);
        }
    }
    Ok(())
}

struct Budget {
    left: u64,
    limit: u64,
}

/// The sorted names in a folder. They count before they are kept: one folder alone could hold more
/// names than there is memory.
fn names(
    dirs: &mut Dirs,
    path: &[u8],
    budget: &mut Budget,
) -> Result<vec::IntoIter<Vec<u8>>, ArchiveError> {
    let failed = |source| io_error("read folder", shown(path))(source);
    let folder = dirs.open(path, Missing::Fail).map_err(failed)?;
    let mut names = Vec::new();
    for entry in Dir::read_from(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let limit = budget.limit;
        budget.left = budget
            .left
            .checked_sub(1)
            .ok_or(ArchiveError::TooMany { limit })?;
        names.push(name.to_vec());
    }
    names.sort_unstable();
    Ok(names.into_iter())
}
