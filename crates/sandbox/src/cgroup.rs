//! Control groups: limits on memory and processes of a whole child.
//!
//! Version 2 is used where its memory and pids controllers are delegated to the server, else
//! version 1 where its folders are writable. All groups lie in one folder named after the instance.

mod find;
mod owner;

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use self::owner::Base;
use crate::error::Error;
use crate::keep::About;
use crate::spec::Limits;

/// Idle groups kept for the next children. To make and remove a group costs as much as to start a
/// process, and the kernel keeps parts of removed ones for as long as a cached page was theirs.
const MAX_IDLE: usize = 16;
/// What the name of a child's folder begins with.
const NAME: &str = "run-";

/// Where this server's control groups are.
#[derive(Debug)]
pub(crate) struct Groups {
    layout: Layout,
    made: AtomicU64,
    idle: Mutex<Vec<Group>>,
}

#[derive(Debug)]
enum Layout {
    V1 { memory: Base, pids: Base },
    V2 { base: Base },
}

/// The control groups of one child; its folders are removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Group {
    folders: Vec<PathBuf>,
    /// What the command's process enters: version 1 task lists, or one version 2 folder.
    pub(crate) fds: Vec<OwnedFd>,
    pub(crate) is_v2: bool,
    /// Memory and process limits that are set.
    limits: (u64, u32),
    /// Processes that the kernel had ended for the memory limit when the child was started.
    oom_kills_before: u64,
}

impl Groups {
    fn new(layout: Layout) -> Self {
        Self {
            layout,
            made: AtomicU64::new(0),
            idle: Mutex::default(),
        }
    }

    /// The kind, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self.layout {
            Layout::V1 { .. } => "version 1",
            Layout::V2 { .. } => "version 2",
        }
    }

    /// Groups for a child: idle ones, or new ones.
    pub(crate) fn take(&self, limits: &Limits) -> Result<Group, Error> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        if let Some(mut group) = idle
            && group.limit(limits).is_ok()
        {
            return Ok(group);
        }
        let mut group = self.make()?;
        group.limit(limits)?;
        Ok(group)
    }

    /// Takes back the groups of a child that is gone.
    pub(crate) fn give_back(&self, mut group: Group) {
        if !group.is_empty() {
            return;
        }
        group.oom_kills_before = group.oom_kills();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(group);
        }
    }

    fn make(&self) -> Result<Group, Error> {
        let name = format!("{NAME}{}", self.made.fetch_add(1, Ordering::Relaxed));
        let mut group = Group {
            folders: Vec::with_capacity(2),
            fds: Vec::with_capacity(2),
            is_v2: matches!(self.layout, Layout::V2 { .. }),
            limits: (0, 0),
            oom_kills_before: 0,
        };
        match &self.layout {
            Layout::V1 { memory, pids } => {
                for base in [memory, pids] {
                    let folder = group.add(base.path.join(&name))?;
                    group.open(&folder.join("tasks"), true)?;
                }
            }
            Layout::V2 { base } => {
                let folder = group.add(base.path.join(&name))?;
                set(&folder, "memory.oom.group", 1_u64)?;
                if folder.join("memory.swap.max").exists() {
                    set(&folder, "memory.swap.max", 0_u64)?;
                }
                group.open(&folder, false)?;
            }
        }
        Ok(group)
    }

    /// Removes what killed servers left, of the same name or of others that nobody will start again; not these
    /// folders, whose children are taken back.
    pub(crate) fn clean(&self, kept: &[PathBuf]) {
        for base in self.bases() {
            owner::empty(base, kept);
            owner::remove_abandoned(base);
        }
        let numbers = kept.iter().filter_map(|folder| {
            let name = folder.file_name()?.to_str()?;
            name.strip_prefix(NAME)?.parse::<u64>().ok()
        });
        let next = numbers.max().map_or(0, |last| last + 1);
        self.made.fetch_max(next, Ordering::Relaxed);
    }

    /// Locks that say whose the groups are.
    pub(crate) fn locks(&self) -> io::Result<Vec<OwnedFd>> {
        let bases = match &self.layout {
            Layout::V1 { memory, pids } => vec![memory, pids],
            Layout::V2 { base } => vec![base],
        };
        bases.into_iter().map(Base::lock).collect()
    }

    /// Removes the idle groups, and the folder of the instance where nothing is left in it.
    pub(crate) fn remove(&self) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        for base in self.bases() {
            let _ = fs::remove_dir(base);
        }
    }

    fn bases(&self) -> Vec<&Path> {
        match &self.layout {
            Layout::V1 { memory, pids } => vec![&memory.path, &pids.path],
            Layout::V2 { base } => vec![&base.path],
        }
    }
}

impl Group {
    /// Those of a child that is taken back.
    pub(crate) fn of(about: &About) -> Result<Self, Error> {
        let mut group = Self {
            folders: Vec::with_capacity(2),
            fds: Vec::with_capacity(2),
            is_v2: about.group_is_v2,
            limits: (0, 0),
            oom_kills_before: about.oom_kills_before,
        };
        for folder in &about.groups {
            group.folders.push(folder.clone());
            if about.group_is_v2 {
                group.open(folder, false)?;
            } else {
                group.open(&folder.join("tasks"), true)?;
            }
        }
        Ok(group)
    }

    /// Notes where it is, for a server that takes the child back.
    pub(crate) fn describe(&self, about: &mut About) {
        about.groups.clone_from(&self.folders);
        about.group_is_v2 = self.is_v2;
        about.oom_kills_before = self.oom_kills_before;
    }

    /// Lets go of it: its child lives on.
    pub(crate) fn leave(mut self) {
        self.folders.clear();
    }

    /// Whether the kernel ended a process of the child for the memory limit.
    pub(crate) fn memory_limit_hit(&self) -> bool {
        self.oom_kills() > self.oom_kills_before
    }

    fn oom_kills(&self) -> u64 {
        let Some(folder) = self.folders.first() else {
            return 0;
        };
        let file = if self.is_v2 {
            "memory.events"
        } else {
            "memory.oom_control"
        };
        fs::read_to_string(folder.join(file))
            .unwrap_or_default()
            .lines()
            .find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
            .unwrap_or(0)
    }

    /// Whether no process is in it, as it should be.
    fn is_empty(&self) -> bool {
        self.folders.iter().all(|folder| {
            fs::read(folder.join("cgroup.procs")).is_ok_and(|processes| processes.is_empty())
        })
    }

    fn limit(&mut self, limits: &Limits) -> Result<(), Error> {
        let wanted = (limits.memory_bytes, limits.processes);
        if self.limits == wanted {
            return Ok(());
        }
        let [memory, .., pids] = self.folders.as_slice() else {
            return self.limit_v2(wanted);
        };
        // Where the kernel counts swap, memory with swap may never be less than memory, so it is
        // lifted in between.
        let with_swap = "memory.memsw.limit_in_bytes";
        let counts_swap = memory.join(with_swap).exists();
        if counts_swap {
            set_text(memory, with_swap, "-1")?;
        }
        set(memory, "memory.limit_in_bytes", wanted.0)?;
        if counts_swap {
            set(memory, with_swap, wanted.0)?;
        }
        set(pids, "pids.max", wanted.1)?;
        self.limits = wanted;
        Ok(())
    }

    fn limit_v2(&mut self, wanted: (u64, u32)) -> Result<(), Error> {
        for folder in &self.folders {
            set(folder, "memory.max", wanted.0)?;
            set(folder, "pids.max", wanted.1)?;
        }
        self.limits = wanted;
        Ok(())
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

impl Drop for Groups {
    fn drop(&mut self) {
        self.remove();
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
    set_text(folder, file, &value.into().to_string())
}

fn set_text(folder: &Path, file: &str, value: &str) -> Result<(), Error> {
    let path = folder.join(file);
    // Not `fs::write`, which asks for truncation that these files do not need.
    fs::File::options()
        .write(true)
        .open(&path)
        .and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes()))
        .map_err(failed(&path))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let group = path.to_path_buf();
    |source| Error::ControlGroup { group, source }
}
