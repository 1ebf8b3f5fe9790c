//! Files that a crash has left in a blobs folder: staged, never named as blobs.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::blob_ref::Kind;
use crate::blobs::Blobs;
use crate::blocking::blocking;
use crate::error::BlobError;

impl Blobs {
    /// Removes files in a folder that somebody began to write and has not touched since `before`,
    /// and answers how many. Choose `before` older than any upload may take: other processes may
    /// be writing there. In a bucket it does nothing, as unfinished uploads are the bucket's own.
    pub async fn remove_unfinished(&self, before: SystemTime) -> Result<usize, BlobError> {
        let Some(folder) = self.folder.clone() else {
            return Ok(0);
        };
        blocking(move || {
            let mut removed = 0;
            for part in Kind::ALL.map(Kind::as_str).into_iter().chain(["check"]) {
                let part = folder.join(part);
                removed += sweep(&part, before)
                    .map_err(|source| BlobError::Clean { path: part, source })?;
            }
            Ok(removed)
        })
        .await
    }
}

/// Removes the old staged files in `folder` and the folders in it.
fn sweep(folder: &Path, before: SystemTime) -> io::Result<usize> {
    let mut removed = 0;
    for path in names(folder)? {
        // Files come and go under a store that is in use.
        let Some(found) = unless_gone(path.symlink_metadata())? else {
            continue;
        };
        if found.is_dir() {
            removed += sweep(&path, before)?;
        } else if is_staged(&path) && found.modified()? < before {
            removed += usize::from(unless_gone(fs::remove_file(&path))?.is_some());
        }
    }
    Ok(removed)
}

fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match unless_gone(fs::read_dir(folder))? {
        Some(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        None => Ok(Vec::new()),
    }
}

fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// `object_store` writes `<name>#<number>` and renames it to `<name>`; no name of ours has a `#`.
fn is_staged(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    let number = name.and_then(|name| name.rsplit_once('#'));
    number.is_some_and(|(_, number)| number.bytes().all(|digit| digit.is_ascii_digit()))
}
