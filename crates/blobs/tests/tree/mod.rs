//! Looking at a whole tree.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What stands at a path: the kind, and what of it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Folder { mode: u32 },
    File { mode: u32, content: Vec<u8> },
    Link { target: Vec<u8> },
}

/// Everything below `root`, by relative path.
pub(crate) fn tree(root: &Path) -> BTreeMap<Vec<u8>, Found> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let mode = metadata.permissions().mode() & 0o7777;
            let relative = path.strip_prefix(root).unwrap();
            let what = if metadata.is_dir() {
                folders.push(path.clone());
                Found::Folder { mode }
            } else if metadata.is_symlink() {
                let target = std::fs::read_link(&path).unwrap();
                Found::Link {
                    target: target.as_os_str().as_bytes().to_vec(),
                }
            } else {
                let content = std::fs::read(&path).unwrap();
                Found::File { mode, content }
            };
            found.insert(relative.as_os_str().as_bytes().to_vec(), what);
        }
    }
    found
}
