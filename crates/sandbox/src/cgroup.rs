//! Control groups: limits on memory and processes of a whole child.
//!
//! Version 2 is used where its memory and pids controllers are delegated to the server, else
//! version 1 where its folders are writable. All groups lie in one folder named after the instance.

mod find;

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Error;
use crate::spec::Limits;

/// Where this server's control groups are.
#[derive(Debug)]
pub(crate) struct Groups {
    layout: Layout,
    made: AtomicU64,
}

#[derive(Debug, Clone)]
enum Layout {
    V1 { memory: PathBuf, pids: PathBuf },
    V2 { base: PathBuf },
}

/// The control groups of one child; its folders are removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Group {
    folders: Vec<PathBuf>,
    /// What the command's process enters: version 1 task lists, or one version 2 folder.
    pub(crate) fds: Vec<OwnedFd>,
    pub(crate) is_v2: bool,
}

impl Groups {
    /// The kind, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self.layout {
            Layout::V1 { .. } => "version 1",
            Layout::V2 { .. } => "version 2",
        }
    }

    /// Makes the groups of a child.
    pub(crate) fn make(&self, limits: &Limits) -> Result<Group, Error> {
        let name = format!("run-{}", self.made.fetch_add(1, Ordering::Relaxed));
        let mut group = Group {
            folders: Vec::with_capacity(2),
            fds: Vec::with_capacity(2),
            is_v2: matches!(self.layout, Layout::V2 { .. }),
        };
        match &self.layout {
            Layout::V1 { memory, pids } => {
                let folder = group.add(memory.join(&name))?;
                set(&folder, "memory.limit_in_bytes", limits.memory_bytes)?;
                // Only there where the kernel counts swap.
                let with_swap = "memory.memsw.limit_in_bytes";
                if folder.join(with_swap).exists() {
                    set(&folder, with_swap, limits.memory_bytes)?;
                }
                group.open(&folder.join("tasks"), true)?;
                let folder = group.add(pids.join(&name))?;
                set(&folder, "pids.max", limits.processes)?;
                group.open(&folder.join("tasks"), true)?;
            }
            Layout::V2 { base } => {
                let folder = group.add(base.join(&name))?;
                set(&folder, "memory.max", limits.memory_bytes)?;
                set(&folder, "pids.max", limits.processes)?;
                if folder.join("memory.swap.max").exists() {
                    set(&folder, "memory.swap.max", 0_u64)?;
                }
                set(&folder, "memory.oom.group", 1_u64)?;
                group.open(&folder, false)?;
            }
        }
        Ok(group)
    }

    /// Removes what a killed server of the same name left, and the folder itself.
    pub(crate) fn clear(&self) {
        for base in self.bases() {
            for entry in fs::read_dir(base).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    remove(&entry.path());
                }
            }
        }
    }

    /// Removes the folder of the instance; nothing may be running.
    pub(crate) fn remove(&self) {
        self.clear();
        for base in self.bases() {
            // Another server of the same instance name may still use it.
            let _ = fs::remove_dir(base);
        }
    }

    fn bases(&self) -> Vec<&Path> {
        match &self.layout {
            Layout::V1 { memory, pids } => vec![memory, pids],
            Layout::V2 { base } => vec![base],
        }
    }
}

impl Group {
    /// Whether the kernel ended a process for the memory limit.
    pub(crate) fn memory_limit_hit(&self) -> bool {
        let Some(folder) = self.folders.first() else {
            return false;
        };
        let file = if self.is_v2 {
            "memory.events"
        } else {
            "memory.oom_control"
        };
        fs::read_to_string(folder.join(file))
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.strip_prefix("oom_kill "))
            .any(|count| count != "0")
    }

    fn add(&mut self, folder: PathBuf) -> Result<PathBuf, Error> {
        fs::create_dir(&folder).map_err(failed(&folder))?;
        self.folders.push(folder.clone());
        Ok(folder)
    }

    fn open(&mut self, path: &Path, write: bool) -> Result<(), Error> {
        let file = fs::File::options()
            .read(!write)
            .write(write)
            .open(path)
            .map_err(failed(path))?;
        self.fds.push(file.into());
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in &self.folders {
            remove(folder);
        }
    }
}

/// Ends what is in a group, and removes it.
fn remove(folder: &Path) {
    // A process that has just ended is still counted for a moment.
    for _ in 0..50 {
        match fs::remove_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
            Ok(()) | Err(_) => return,
        }
        for line in fs::read_to_string(folder.join("cgroup.procs"))
            .unwrap_or_default()
            .lines()
        {
            if let Some(pid) = line.parse().ok().and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    tracing::warn!(folder = %folder.display(), "control group is still busy and stays behind");
}

fn set(folder: &Path, file: &str, value: impl Into<u64>) -> Result<(), Error> {
    let path = folder.join(file);
    // Not `fs::write`, which asks for truncation that these files do not need.
    fs::File::options()
        .write(true)
        .open(&path)
        .and_then(|mut file| io::Write::write_all(&mut file, value.into().to_string().as_bytes()))
        .map_err(failed(&path))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let group = path.to_path_buf();
    |source| Error::ControlGroup { group, source }
}
