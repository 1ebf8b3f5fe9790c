//! Signals to the processes of a container, from outside.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Whether a process is the first of the container whose folder this is: a number that the engine gives may be another's
/// by now. One that we may not look at is believed to be, because we may do nothing to it either.
pub(super) fn is_first(pid: Pid, seen_outside: &Path, seen_inside: &Path) -> bool {
    let root = Path::new("/proc")
        .join(pid.as_raw_nonzero().to_string())
        .join("root");
    let inside = root.join(seen_inside.strip_prefix("/").unwrap_or(seen_inside));
    let ours = seen_outside.metadata();
    match (ours, inside.metadata()) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        (_, Err(error)) => error.kind() == std::io::ErrorKind::PermissionDenied,
        (Err(_), _) => false,
    }
}

/// SIGTERM to all in the container but its first process; answers whether that was possible.
pub(super) fn terminate(first: Pid) -> bool {
    let Some(namespace) = namespace(first) else {
        return false;
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let others = numbers
        .filter_map(Pid::from_raw)
        .filter(|pid| *pid != first);
    for pid in others.filter(|pid| self::namespace(*pid) == Some(namespace)) {
        // Gone already is as good.
        if let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty())
            && self::namespace(pid) == Some(namespace)
        {
            let _ = pidfd_send_signal(&pidfd, Signal::TERM);
        }
    }
    true
}

/// A process' namespace of processes; none where we may not see it.
fn namespace(pid: Pid) -> Option<u64> {
    let path = format!("/proc/{}/ns/pid", pid.as_raw_nonzero());
    std::fs::metadata(path).ok().map(|data| data.ino())
}
