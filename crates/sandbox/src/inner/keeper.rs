//! The keeper: holds descriptors of children for the next server, and does nothing else.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::SocketFlags;

use super::sys;
use crate::channel::{self, Received};
use crate::keep::PARTS;
use crate::keep::wire::{Told, Word};

/// How long it waits for a server: what still lived has ended long before, with its lease.
const ALONE: Timespec = Timespec {
    tv_sec: 3600,
    tv_nsec: 0,
};

/// Runs until it keeps nothing and nobody is there.
pub(super) fn main() -> ! {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
        sys::signal_disposition(signal, true);
    }
    let code = match serve() {
        Ok(()) => 0,
        Err(_) => 1,
    };
    sys::exit(code)
}

#[derive(Default)]
struct Kept {
    children: BTreeMap<u64, Vec<OwnedFd>>,
    /// Where the next server connects.
    listener: Option<OwnedFd>,
    /// Held as long as this process lives.
    locks: Vec<OwnedFd>,
}

fn serve() -> io::Result<()> {
    let mut kept = Kept::default();
    kept.listen(io::stdin())?;
    // A server that is gone is nobody to hold a socket for.
    drop(std::fs::File::open("/dev/null").map(|null| rustix::stdio::dup2_stdin(&null)));
    while !kept.children.is_empty() {
        let Some(server) = kept.next_server()? else {
            break;
        };
        if kept.introduce(&server).is_ok() {
            kept.listen(&server)?;
        }
    }
    Ok(())
}

impl Kept {
    /// Does what a server says until it is gone.
    fn listen(&mut self, server: impl AsFd) -> io::Result<()> {
        loop {
            match channel::receive(&server, true) {
                Ok(Some(message)) => self.obey(message),
                Err(rustix::io::Errno::INTR) => {}
                Ok(None) | Err(rustix::io::Errno::CONNRESET | rustix::io::Errno::PIPE) => {
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn obey(&mut self, message: Received) {
        match Word::decode(&message.data) {
            Ok(Word::Listen) => {
                self.listener = message.fds.into_iter().next();
                if let Some(listener) = &self.listener {
                    // Once more: who connects is told who has asked for that, and it shall be us.
                    let _ = rustix::net::listen(listener, 1);
                }
            }
            Ok(Word::Hold) => self.locks = message.fds,
            Ok(Word::Keep(id)) if message.fds.len() == PARTS => {
                self.children.insert(id, message.fds);
            }
            Ok(Word::Forget(id)) => {
                self.children.remove(&id);
            }
            Ok(Word::Keep(_)) | Err(_) => {}
        }
    }

    /// Waits for the next server.
    fn next_server(&self) -> io::Result<Option<OwnedFd>> {
        let Some(listener) = &self.listener else {
            return Ok(None);
        };
        loop {
            let mut fds = [PollFd::new(listener, PollFlags::IN)];
            match poll(&mut fds, Some(&ALONE)) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            match rustix::net::accept_with(listener, SocketFlags::CLOEXEC) {
                Ok(server) => return Ok(Some(server)),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Tells a server what there is.
    fn introduce(&self, server: &OwnedFd) -> Result<(), rustix::io::Errno> {
        for (id, fds) in &self.children {
            let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
            channel::send(server, &Told::Kept(*id).encode(), &fds, true)?;
        }
        channel::send(server, &Told::All.encode(), &[], true)
    }
}
