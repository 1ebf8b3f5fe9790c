//! Waiting for the server's word, the lease, and one thing more.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};

use super::pid1;
use crate::channel;
use crate::inner::{Step, at};
use crate::wire::Order;

/// How much of what is said of usage is kept, in bytes.
const LAST: usize = 4_096;

/// What a round of waiting brought.
pub(super) enum Event {
    /// What was waited for besides.
    Ready,
    Order(Order),
    /// The lease has passed.
    Expired,
    /// The server is gone, and nobody keeps the container for the next.
    Orphaned,
    Nothing,
}

pub(super) struct Watch<'a> {
    control: &'a OwnedFd,
    lease: OwnedFd,
    /// Read all the time, so that nobody waits who writes to it.
    usage: Usage,
}

impl<'a> Watch<'a> {
    pub(super) fn new(control: &'a OwnedFd, lease_ms: u64, usage: Usage) -> Step<Self> {
        Ok(Self {
            control,
            lease: pid1::lease_timer(lease_ms)?,
            usage,
        })
    }

    /// The last of what was said of what was used.
    pub(super) fn usage(&mut self) -> String {
        self.usage.read();
        String::from_utf8_lossy(&self.usage.last).into_owned()
    }

    pub(super) fn control(&self) -> &OwnedFd {
        self.control
    }

    pub(super) fn set_lease(&self, ms: u64) -> rustix::io::Result<()> {
        pid1::set_lease(&self.lease, ms)
    }

    /// Waits for `besides` too, and no longer than so many milliseconds where they are given.
    pub(super) fn wait(&mut self, besides: &OwnedFd, most_ms: Option<i64>) -> Event {
        let mut fds = [
            PollFd::new(besides, PollFlags::IN),
            PollFd::new(self.control, PollFlags::IN),
            PollFd::new(&self.lease, PollFlags::IN),
            PollFd::new(&self.usage.pipe, PollFlags::IN),
        ];
        let timeout = most_ms.map(pid1::timespec);
        if poll(&mut fds, timeout.as_ref()).is_err() {
            return Event::Nothing;
        }
        let [ready, ordered, expired, used] = fds.map(|fd| !fd.revents().is_empty());
        if used {
            self.usage.read();
        }
        if ready {
            return Event::Ready;
        }
        if ordered {
            return self.order();
        }
        if expired {
            Event::Expired
        } else {
            Event::Nothing
        }
    }

    fn order(&self) -> Event {
        match channel::receive(self.control, false) {
            Ok(Some(message)) => Order::decode(&message.data).map_or(Event::Nothing, Event::Order),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Event::Nothing,
            Ok(None) | Err(_) => Event::Orphaned,
        }
    }
}

/// The pipe in which the gate says at the end what was used.
pub(super) struct Usage {
    pipe: OwnedFd,
    last: Vec<u8>,
}

impl Usage {
    /// Opens it for both directions: it never ends, whoever opens and closes it.
    pub(super) fn open(path: &Path) -> Step<Self> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let pipe = rustix::fs::open(path, flags, Mode::empty());
        Ok(Self {
            pipe: pipe.map_err(at("open a pipe of the container"))?,
            last: Vec::new(),
        })
    }

    fn read(&mut self) {
        let mut buffer = [0; 4_096];
        while let Ok(count @ 1..) = rustix::io::read(&self.pipe, &mut buffer) {
            self.last.extend_from_slice(&buffer[..count]);
            let surplus = self.last.len().saturating_sub(LAST);
            self.last.drain(..surplus);
        }
    }
}

/// Waits until a process is gone, whatever anybody says.
pub(super) fn wait_for_end(process: &OwnedFd) {
    let mut fds = [PollFd::new(process, PollFlags::IN)];
    while poll(&mut fds, None).is_err() {}
}
