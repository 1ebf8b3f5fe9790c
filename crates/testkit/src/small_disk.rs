//! A disk that is soon full.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of its own at a folder, while this lives. Only root can make one.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// One of so many megabytes at this folder, whose content is covered by it.
    pub(crate) fn at(folder: &Path, megabytes: u32) -> Self {
        let size = format!("size={megabytes}m");
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "small"])
            .arg(folder));
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Takes all that is left of it.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.filling()).unwrap();
        let piece = vec![b'x'; 4096];
        while std::io::Write::write_all(&mut file, &piece).is_ok() {}
    }

    /// Gives it back.
    pub fn free(&self) {
        std::fs::remove_file(self.filling()).unwrap();
    }

    fn filling(&self) -> PathBuf {
        self.folder.join("filling")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What is still open there goes with its processes.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

fn run(command: &mut Command) {
    let done = command.status().unwrap();
    assert!(done.success(), "{command:?}");
}
