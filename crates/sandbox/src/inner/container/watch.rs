//! Waiting for the server's word, the lease, and one thing more.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};

use super::pid1;
use crate::channel;
use crate::inner::Step;
use crate::wire::Order;

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
}

impl<'a> Watch<'a> {
    pub(super) fn new(control: &'a OwnedFd, lease_ms: u64) -> Step<Self> {
        Ok(Self {
            control,
            lease: pid1::lease_timer(lease_ms)?,
        })
    }

    pub(super) fn control(&self) -> &OwnedFd {
        self.control
    }

    pub(super) fn set_lease(&self, ms: u64) -> rustix::io::Result<()> {
        pid1::set_lease(&self.lease, ms)
    }

    /// Waits for `besides` too, and no longer than so many milliseconds where they are given.
    pub(super) fn wait(&self, besides: &OwnedFd, most_ms: Option<i64>) -> Event {
        let mut fds = [
            PollFd::new(besides, PollFlags::IN),
            PollFd::new(self.control, PollFlags::IN),
            PollFd::new(&self.lease, PollFlags::IN),
        ];
        let timeout = most_ms.map(pid1::timespec);
        if poll(&mut fds, timeout.as_ref()).is_err() {
            return Event::Nothing;
        }
        let [ready, ordered, expired] = fds.map(|fd| !fd.revents().is_empty());
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

/// Waits until a process is gone, whatever anybody says.
pub(super) fn wait_for_end(process: &OwnedFd) {
    let mut fds = [PollFd::new(process, PollFlags::IN)];
    while poll(&mut fds, None).is_err() {}
}
