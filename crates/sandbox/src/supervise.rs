//! The task that follows one sandboxed child from the request to its end.

use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot, watch};

use crate::cgroup::{Group, Groups};
use crate::channel::{self, Received};
use crate::child::{Ask, EgressSockets, lost};
use crate::containers::Watched;
use crate::disk_watch::DiskWatch;
use crate::error::Error;
use crate::keep::{About, Handles};
use crate::link;
use crate::slots::Slot;
use crate::spec::{Cause, Ended};
use crate::watched;
use crate::wire::{Notice, Order};

/// How long PID 1 may take to end everything before it is killed itself.
const KILL_GRACE: Duration = Duration::from_secs(2);

/// The same of a conductor, whose engine takes its time and has others to serve.
const CONDUCTOR_GRACE: Duration = Duration::from_mins(1);

/// How long a PID 1 may take to hand over its sockets once more.
const INTRODUCTION: Duration = Duration::from_secs(2);

/// What [`run`] needs.
pub(crate) struct Supervised {
    pub(crate) groups: Option<Arc<Groups>>,
    pub(crate) group: Option<Group>,
    /// Held, not read; none of a child that had ended before it was taken back.
    pub(crate) _slot: Option<Slot>,
    pub(crate) disk: DiskWatch,
    /// The container, for whose conductor we look.
    pub(crate) container: Option<Watched>,
    pub(crate) asks: mpsc::UnboundedReceiver<Ask>,
    pub(crate) ended: watch::Sender<Option<Ended>>,
}

impl Drop for Supervised {
    /// The runtime ends before the child has: whoever comes next removes what is in the groups, or takes it back.
    fn drop(&mut self) {
        if let Some(group) = self.group.take() {
            group.leave();
        }
    }
}

/// A child that stands.
pub(crate) struct Stands {
    pub(crate) egress: Option<EgressSockets>,
    pub(crate) handles: Arc<Handles>,
}

/// Told when the child stands, or cannot.
pub(crate) type Ready = oneshot::Sender<Result<Stands, Error>>;

/// What the other side has told so far.
#[derive(Default)]
struct Told {
    pidfd: Option<OwnedFd>,
    egress: Option<EgressSockets>,
    failed: Option<String>,
    ended: Option<Ended>,
    closed: bool,
}

/// Follows a child that was asked for to its end.
pub(crate) async fn run(
    mut child: Supervised,
    control: AsyncFd<OwnedFd>,
    mut about: About,
    mut ready: Ready,
) {
    let mut told = Told::default();
    let mut is_given_up = false;
    while !told.stands(about.wants_egress) {
        tokio::select! {
            message = link::receive(&control) => told.hear(message),
            // Nobody reads what it writes any more: it may never come to stand.
            () = ready.closed(), if !is_given_up => {
                is_given_up = true;
                let _ = link::send(&control, &Order::Kill.encode(), &[]).await;
            }
        }
    }
    let pidfd = told.pidfd.take().map(watched::watch);
    let Some(Ok(pidfd)) = pidfd else {
        drop(child.group.take());
        clear_away(&child, &told).await;
        let reason = told
            .failed
            .or_else(|| {
                told.ended
                    .map(|_| "its time was over before it began".to_owned())
            })
            .unwrap_or_else(|| "the spawner gave no answer".to_owned());
        let _ = ready.send(Err(Error::Setup { reason }));
        return;
    };
    if let Some(group) = &child.group {
        group.describe(&mut about);
    }
    let handles = Arc::new(Handles {
        control,
        pidfd,
        about,
    });
    // Where the asker has gone, its end of the asks has too, and that ends the child.
    let _ = ready.send(Ok(Stands {
        egress: told.egress.take(),
        handles: Arc::clone(&handles),
    }));
    to_the_end(child, &handles, told).await;
}

/// Follows a child that is taken back to its end.
pub(crate) async fn resume(
    child: Supervised,
    handles: Arc<Handles>,
    ready: oneshot::Sender<Option<EgressSockets>>,
) {
    let mut told = Told::default();
    if handles.about.wants_egress {
        let asked = Order::Introduce.encode();
        let _ = link::send(&handles.control, &asked, &[]).await;
        let until = tokio::time::Instant::now() + INTRODUCTION;
        while told.egress.is_none() && told.may_say_more() {
            tokio::select! {
                message = link::hear(&handles.control) => told.hear(message),
                // It has ended meanwhile, or cannot end.
                _ = handles.pidfd.readable() => break,
                () = tokio::time::sleep_until(until) => break,
            }
        }
    }
    let _ = ready.send(told.egress.take());
    to_the_end(child, &handles, told).await;
}

async fn to_the_end(mut child: Supervised, handles: &Handles, mut told: Told) {
    let Stop::Ended(stopped) = follow(&mut child, handles, &mut told).await else {
        return;
    };
    clear_away(&child, &told).await;
    let ended = conclude(&child, told, stopped);
    if let (Some(groups), Some(group)) = (&child.groups, child.group.take()) {
        groups.give_back(group);
    }
    let told = child.ended.clone();
    // Its number is free before anybody knows.
    drop(child);
    told.send_replace(Some(ended));
}

/// Removes the container of a conductor that ended without a word, and lets the image of one that could not start be
/// looked for again.
async fn clear_away(child: &Supervised, told: &Told) {
    let Some(container) = &child.container else {
        return;
    };
    if told.failed.is_some() {
        container.engines.has_failed(&container.image);
    } else if told.ended.is_none() {
        container.engines.remove(&container.name).await;
    }
}

/// Why nobody follows a child any more.
enum Stop {
    /// PID 1 is gone; with the cause where the server ended the child.
    Ended(Option<Cause>),
    /// It lives on without us.
    Left,
}

/// Waits until PID 1 is gone.
async fn follow(child: &mut Supervised, handles: &Handles, told: &mut Told) -> Stop {
    let Handles { control, pidfd, .. } = handles;
    let mut stopped = None;
    let mut deadline = None;
    loop {
        let order = tokio::select! {
            biased;
            _ = pidfd.readable() => break,
            message = link::hear(control), if told.may_say_more() => {
                told.hear(message);
                continue;
            }
            ask = child.asks.recv(), if deadline.is_none() => match ask {
                Some(Ask::Tell(order)) => order,
                Some(Ask::Leave) => return Stop::Left,
                None => Order::Kill,
            },
            () = child.disk.over(), if stopped.is_none() => {
                stopped = Some(Cause::DiskLimit);
                Order::Kill
            }
            () = sleep_until(deadline), if deadline.is_some() => {
                // Gone already is as good.
                let _ = pidfd_send_signal(pidfd.get_ref().as_fd(), Signal::KILL);
                deadline = None;
                continue;
            }
        };
        if order == Order::Kill {
            stopped.get_or_insert(Cause::Killed);
            let grace = if handles.about.is_container() {
                CONDUCTOR_GRACE
            } else {
                KILL_GRACE
            };
            deadline = Some(tokio::time::Instant::now() + grace);
        }
        // A PID 1 that does not listen any more is about to go.
        let _ = link::send(control, &order.encode(), &[]).await;
    }
    // What it told last may still wait in the socket.
    while told.may_say_more() {
        match channel::hear(control.get_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            message => told.hear(message.map_err(std::io::Error::from)),
        }
    }
    Stop::Ended(stopped)
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Puts together what is known about the end.
fn conclude(child: &Supervised, told: Told, stopped: Option<Cause>) -> Ended {
    let mut ended = told.ended.unwrap_or_else(lost);
    let out_of_memory = || child.group.as_ref().is_some_and(Group::memory_limit_hit);
    if let Some(reason) = told.failed {
        ended.cause = Cause::SetupFailed(reason);
    } else if let Some(cause) = stopped {
        ended.cause = cause;
    } else if matches!(ended.cause, Cause::Own | Cause::Lost)
        && ended.status != crate::spec::Status::Exited(0)
        && out_of_memory()
    {
        ended.cause = Cause::MemoryLimit;
    }
    ended
}

impl Told {
    /// The end is the last word, and stays in the socket.
    fn may_say_more(&self) -> bool {
        !self.closed && self.ended.is_none()
    }

    /// Whether there is enough to tell the asker.
    fn stands(&self, wants_egress: bool) -> bool {
        self.closed
            || (self.pidfd.is_some()
                && (!wants_egress || self.egress.is_some() || self.failed.is_some()))
    }

    fn hear(&mut self, message: std::io::Result<Option<Received>>) {
        let Ok(Some(message)) = message else {
            self.closed = true;
            return;
        };
        match Notice::decode(&message.data) {
            Ok(Notice::Started) => self.pidfd = message.fds.into_iter().next(),
            Ok(Notice::Network { tcp }) => self.egress = Some(sockets(message.fds, tcp)),
            Ok(Notice::Failed(reason)) => {
                self.failed.get_or_insert(reason);
            }
            Ok(Notice::Ended(ended)) => self.ended = Some(ended),
            Ok(Notice::Prepared { .. }) | Err(_) => {}
        }
    }
}

fn sockets(mut fds: Vec<OwnedFd>, tcp: usize) -> EgressSockets {
    let udp = fds.split_off(tcp.min(fds.len()));
    EgressSockets {
        tcp: fds.into_iter().map(TcpListener::from).collect(),
        udp: udp.into_iter().map(UdpSocket::from).collect(),
    }
}
