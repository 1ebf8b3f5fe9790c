//! Descriptors registered with the runtime.

use std::io;
use std::os::fd::OwnedFd;

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
