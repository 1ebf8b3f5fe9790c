//! All processes of a child: ending them, and measuring their memory.

use std::collections::HashSet;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use super::{Step, at, sys};

/// How to find the processes.
pub(crate) enum Processes {
    /// They are all others of this PID namespace; the descriptor shows them where they are to be
    /// measured.
    Namespace(Option<OwnedFd>),
    /// They are the descendants of this process on a shared host.
    Descendants,
}

impl Processes {
    /// Prepares for finding them while there are the privileges for it.
    pub(crate) fn new(namespace: bool, measure: bool) -> Step<Self> {
        if !namespace {
            return Ok(Self::Descendants);
        }
        if !measure {
            return Ok(Self::Namespace(None));
        }
        // The child's own /proc hides processes that make themselves unreadable. This one does not
        // and is visible nowhere.
        let open = || -> rustix::io::Result<OwnedFd> {
            let context = rustix::mount::fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
            rustix::mount::fsconfig_create(context.as_fd())?;
            rustix::mount::fsmount(
                context.as_fd(),
                FsMountFlags::FSMOUNT_CLOEXEC,
                MountAttrFlags::empty(),
            )
        };
        open()
            .map(|proc| Self::Namespace(Some(proc)))
            .map_err(at("open /proc for the memory watch"))
    }

    /// Asks the processes to end.
    pub(crate) fn terminate(&self, payload: Pid) {
        match self {
            Self::Namespace(_) => sys::kill_namespace(libc::SIGTERM),
            Self::Descendants => {
                // It is the leader of its group. Gone already is as good.
                let _ = rustix::process::kill_process_group(payload, Signal::TERM);
            }
        }
    }

    /// Ends all processes and reaps them; returns the command's status when it was among them.
    pub(crate) fn end_all(&self, payload: Pid) -> Option<WaitStatus> {
        let mut status = None;
        match self {
            Self::Namespace(_) => {
                sys::kill_namespace(libc::SIGKILL);
                reap(payload, WaitOptions::empty(), &mut status);
            }
            // New ones may appear while the list is read, so until none is left.
            Self::Descendants => loop {
                for pid in descendants().into_iter().filter_map(Pid::from_raw) {
                    let _ = rustix::process::kill_process(pid, Signal::KILL);
                }
                if reap(payload, WaitOptions::NOHANG, &mut status) {
                    break;
                }
                // The kernel needs a moment to end them.
                std::thread::yield_now();
            },
        }
        status
    }

    /// Memory of all processes together, without what files back.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let page = rustix::param::page_size() as u64;
        let pages: u64 = match self {
            Self::Namespace(None) => 0,
            Self::Namespace(Some(proc)) => {
                let root = format!("/proc/self/fd/{}", proc.as_raw_fd());
                numbers_in(&root)
                    .into_iter()
                    .map(|pid| private_pages(&root, pid))
                    .sum()
            }
            Self::Descendants => descendants()
                .into_iter()
                .map(|pid| private_pages("/proc", pid))
                .sum(),
        };
        pages * page
    }
}

/// Reaps until there is nothing to reap; true when there are no children left.
fn reap(payload: Pid, options: WaitOptions, status: &mut Option<WaitStatus>) -> bool {
    loop {
        match rustix::process::wait(options) {
            Ok(Some((pid, ended))) if pid == payload => *status = Some(ended),
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

/// Numbered entries of a `/proc`.
fn numbers_in(root: &str) -> Vec<i32> {
    let Ok(entries) = fs::read_dir(root) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Resident pages that no file backs.
fn private_pages(root: &str, pid: i32) -> u64 {
    let text = fs::read_to_string(format!("{root}/{pid}/statm")).unwrap_or_default();
    let mut fields = text
        .split_ascii_whitespace()
        .skip(1)
        .map(|field| field.parse().unwrap_or(0_u64));
    let resident = fields.next().unwrap_or(0);
    resident.saturating_sub(fields.next().unwrap_or(0))
}

/// Processes whose line of parents leads to the caller.
fn descendants() -> Vec<i32> {
    let own = std::process::id().cast_signed();
    let pairs: Vec<(i32, i32)> = numbers_in("/proc")
        .into_iter()
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect();
    let mut found: HashSet<i32> = HashSet::from([own]);
    loop {
        let before = found.len();
        for (pid, parent) in &pairs {
            if found.contains(parent) {
                found.insert(*pid);
            }
        }
        if found.len() == before {
            break;
        }
    }
    found.remove(&own);
    found.into_iter().collect()
}

fn parent(pid: i32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything, also a closing parenthesis.
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}
