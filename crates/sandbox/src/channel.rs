//! Messages with file descriptors over a `SOCK_SEQPACKET` socket pair.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use crate::wire::Notice;

/// Most descriptors in one message.
pub(crate) const MAX_FDS: usize = 128;

/// Longest message in bytes; whatever is longer travels in a memory file.
pub(crate) const MAX_MESSAGE: usize = 4096;

/// A received message.
pub(crate) struct Received {
    pub(crate) data: Vec<u8>,
    pub(crate) fds: Vec<OwnedFd>,
}

/// A connected pair; both ends close on exec.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
}

/// Sends one message.
pub(crate) fn send(
    socket: impl AsFd,
    data: &[u8],
    fds: &[BorrowedFd<'_>],
    wait: bool,
) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::TOOBIG);
    }
    let mut flags = SendFlags::NOSIGNAL;
    if !wait {
        flags |= SendFlags::DONTWAIT;
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(data)], &mut control, flags).map(drop)
}

/// Receives one message; `None` when the other end is closed.
///
/// An end that closes before it has read everything leaves `ECONNRESET`, which the kernel reports
/// once, and before what that end had sent: what a child tells last must not be lost because an order
/// crossed it.
pub(crate) fn receive(socket: impl AsFd, wait: bool) -> Result<Option<Received>, Errno> {
    let flags = if wait {
        RecvFlags::empty()
    } else {
        RecvFlags::DONTWAIT
    };
    match receive_once(&socket, flags) {
        Err(Errno::CONNRESET) => receive_once(&socket, flags),
        result => result,
    }
}

/// Like [`receive`] without waiting, but the end that a child tells stays in the socket: whoever is told of it may
/// die before anybody has noted it, and the next server must hear it too.
pub(crate) fn hear(socket: impl AsFd) -> Result<Option<Received>, Errno> {
    let flags = RecvFlags::DONTWAIT;
    let peek = || receive_once(&socket, flags | RecvFlags::PEEK);
    let seen = match peek() {
        Err(Errno::CONNRESET) => peek()?,
        seen => seen?,
    };
    match seen {
        Some(seen) if !Notice::is_end(&seen.data) => receive_once(&socket, flags),
        seen => Ok(seen),
    }
}

fn receive_once(socket: impl AsFd, flags: RecvFlags) -> Result<Option<Received>, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut data = vec![0; MAX_MESSAGE];
    let got = rustix::net::recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut data)],
        &mut control,
        flags | RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if got.bytes == 0 {
        return Ok(None);
    }
    data.truncate(got.bytes);
    Ok(Some(Received { data, fds }))
}
