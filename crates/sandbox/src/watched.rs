//! Descriptors registered with the runtime, and a look at one without it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::unix::AsyncFd;

/// Registers a descriptor that the result owns until it is dropped.
#[expect(
    unsafe_code,
    reason = "registration trusts the owner not to change descriptors"
)]
pub(crate) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` names one open descriptor for as long as it lives, and it stays inside.
    unsafe { AsyncFd::register(fd) }.map_err(io::Error::from)
}

/// What there is of these events at this moment; an end or an error always is.
pub(crate) fn at_once(fd: impl AsFd, events: PollFlags) -> rustix::io::Result<PollFlags> {
    let mut fds = [PollFd::new(&fd, events)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&now))?;
    Ok(fds[0].revents())
}
