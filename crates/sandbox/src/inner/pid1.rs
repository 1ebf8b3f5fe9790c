//! PID 1 of a child: sets up what is the child's own, holds the lease, reaps, and reports the end.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use super::network::Sockets;
use super::processes::Processes;
use super::spawner::{Prepared, Request, read_memory};
use super::users::Identity;
use super::{Step, at, identity, network, payload, sys};
use crate::channel;
use crate::spec::{Cause, Ended, Status, USER, Usage};
use crate::wire::{Body, Net, Notice, Order};

/// How often memory is measured where no control group limits it, in milliseconds.
const MEMORY_WATCH_MS: i64 = 100;

/// Runs one child; ends when everything of it has ended.
pub(crate) fn main(prepared: &Prepared, identity: Option<Identity<'_>>, mut request: Request) -> ! {
    let Ok(control) = request.control.try_clone() else {
        sys::exit(1)
    };
    let mounts = std::mem::take(&mut request.mounts);
    let notice = match set_up(prepared, identity, request, mounts) {
        Ok(mut reaper) => reaper.run().map(Notice::Ended),
        Err(reason) => Some(Notice::Failed(reason)),
    };
    if let Some(notice) = notice {
        // The server has gone, or has given the child up: nobody needs to know.
        let _ = channel::send(&control, &notice.encode(), &[], false);
    }
    sys::exit(0)
}

fn set_up(
    prepared: &Prepared,
    identity: Option<Identity<'_>>,
    request: Request,
    mounts: Vec<OwnedFd>,
) -> Step<Reaper> {
    tie_to_spawner()?;
    sys::signal_disposition(libc::SIGCHLD, false);
    // The spawner's socket and the server's log are not for this process.
    rustix::stdio::dup2_stdin(&prepared.null)
        .and_then(|()| rustix::stdio::dup2_stderr(&prepared.null))
        .map_err(at("leave the spawner's descriptors"))?;
    let body = Body::decode(&read_memory(&request.body)?)
        .map_err(|_| "the request is truncated".to_owned())?;
    let mut sockets = None;
    if let (Some(root), Some(identity)) = (&prepared.root, identity) {
        identity::leave_namespaces(request.head.own_network)?;
        if root.privileged {
            identity::leave_groups()?;
        }
        rustix::system::sethostname(USER.as_bytes()).map_err(at("set the host name"))?;
        root.finish(&body, mounts, identity)?;
        sockets = own_network(&body.net, &request.control)?;
    } else {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(at("become the reaper of descendants"))?;
    }
    let reaper_parts = ReaperParts {
        processes: Processes::new(prepared.root.is_some(), body.watch_memory)?,
        memory_bytes: body.watch_memory.then_some(body.memory_bytes),
        lease: lease_timer(body.lease_ms)?,
        signals: sys::child_signal_fd().map_err(at("listen for ended processes"))?,
    };
    let group = request.groups.first().filter(|_| request.head.group_is_v2);
    let pid = match group {
        // Only clone3 starts a process in a group.
        Some(group) => match sys::clone3(0, Some(group)) {
            Ok(sys::Side::Child) => payload::main(prepared, identity, &request, body),
            Ok(sys::Side::Parent { pid, .. }) => Ok(pid),
            Err(error) => Err(error),
        },
        None => sys::spawn_sharing(|| payload::main(prepared, identity, &request, body)),
    };
    let pid = pid.map_err(at("start the command's process"))?;
    let payload = Pid::from_raw(pid).expect("a child's id is not zero");
    if let Some(identity) = identity {
        // Same user as the command, so that signals reach it, and nothing more.
        identity::become_user(identity.user)?;
        // Another user ends this tie.
        tie_to_spawner()?;
    }
    identity::drop_capabilities()?;
    Ok(Reaper {
        parts: reaper_parts,
        control: request.control,
        payload,
        sockets,
    })
}

/// Lets the kernel end this process when the spawner ends, however that ends.
fn tie_to_spawner() -> Step<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(at("tie PID 1 to the spawner"))
}

fn own_network(net: &Net, control: &OwnedFd) -> Step<Option<Sockets>> {
    match net {
        Net::Host => Ok(None),
        Net::None => network::loopback().map(|()| None),
        Net::Relayed(ports) => {
            let sockets = network::relayed(ports)?;
            hand_over(&sockets, control)?;
            Ok(Some(sockets))
        }
    }
}

pub(super) fn hand_over(sockets: &Sockets, control: &OwnedFd) -> Step<()> {
    let fds: Vec<_> = sockets
        .tcp
        .iter()
        .chain(&sockets.udp)
        .map(AsFd::as_fd)
        .collect();
    let notice = Notice::Network {
        tcp: sockets.tcp.len(),
    };
    channel::send(control, &notice.encode(), &fds, true)
        .map_err(at("hand over the relay's sockets"))
}

/// A timer on the clock that goes on while the machine sleeps.
pub(super) fn lease_timer(ms: u64) -> Step<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC)
        .map_err(at("make the lease's timer"))?;
    set_lease(&timer, ms).map_err(at("set the lease's timer"))?;
    Ok(timer)
}

pub(super) fn set_lease(timer: &OwnedFd, ms: u64) -> rustix::io::Result<()> {
    // A zero would disarm the timer.
    let ms = ms.max(1);
    let value = Itimerspec {
        it_interval: timespec(0),
        it_value: timespec(i64::try_from(ms).unwrap_or(i64::MAX)),
    };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &value).map(drop)
}

pub(super) fn timespec(ms: i64) -> Timespec {
    Timespec {
        tv_sec: ms / 1000,
        tv_nsec: ms % 1000 * 1_000_000,
    }
}

struct ReaperParts {
    processes: Processes,
    /// Limit to watch; `None` where a control group does it.
    memory_bytes: Option<u64>,
    lease: OwnedFd,
    signals: OwnedFd,
}

struct Reaper {
    parts: ReaperParts,
    control: OwnedFd,
    payload: Pid,
    /// Where its connections arrive, for a server that takes it back.
    sockets: Option<Sockets>,
}

/// What a round of waiting brought.
enum Event {
    PayloadEnded(WaitStatus),
    /// Kill everything, for this reason.
    Stop(Cause),
    /// The server is gone.
    Orphaned,
    Nothing,
}

impl Reaper {
    /// Waits for the end; `None` when there is nobody to tell.
    fn run(&mut self) -> Option<Ended> {
        let (cause, status) = loop {
            match self.wait() {
                Event::Nothing => {}
                Event::PayloadEnded(status) => break (Cause::Own, Some(status)),
                Event::Stop(cause) => break (cause, None),
                Event::Orphaned => {
                    self.parts.processes.end_all(self.payload);
                    return None;
                }
            }
        };
        let reaped = self.parts.processes.end_all(self.payload);
        let (cpu_us, max_rss_kib) = sys::children_usage();
        Some(Ended {
            status: status
                .or(reaped)
                .map_or(Status::Signalled(libc::SIGKILL), end),
            cause,
            usage: Usage {
                cpu_ms: cpu_us / 1000,
                max_rss_bytes: max_rss_kib * 1024,
            },
        })
    }

    fn wait(&mut self) -> Event {
        let mut fds = [
            PollFd::new(&self.parts.signals, PollFlags::IN),
            PollFd::new(&self.control, PollFlags::IN),
            PollFd::new(&self.parts.lease, PollFlags::IN),
        ];
        let timeout = self.parts.memory_bytes.map(|_| timespec(MEMORY_WATCH_MS));
        if poll(&mut fds, timeout.as_ref()).is_err() {
            return Event::Nothing;
        }
        let [ended, ordered, expired] = fds.map(|fd| !fd.revents().is_empty());
        if ended && let Some(status) = self.reap() {
            return Event::PayloadEnded(status);
        }
        if ordered {
            return self.obey();
        }
        if expired {
            return Event::Stop(Cause::LeaseEnded);
        }
        match self.parts.memory_bytes {
            Some(limit) if self.parts.processes.memory_bytes() > limit => {
                Event::Stop(Cause::MemoryLimit)
            }
            Some(_) | None => Event::Nothing,
        }
    }

    /// Collects ended processes; returns the command's status when it is among them.
    fn reap(&self) -> Option<WaitStatus> {
        let mut signal = [0; 128];
        while rustix::io::read(&self.parts.signals, &mut signal).is_ok() {}
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if pid == self.payload {
                return Some(status);
            }
        }
        None
    }

    fn obey(&self) -> Event {
        let message = match channel::receive(&self.control, false) {
            Ok(Some(message)) => message,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Event::Nothing,
            Ok(None) | Err(_) => return Event::Orphaned,
        };
        match Order::decode(&message.data) {
            Ok(Order::Lease(ms)) => match set_lease(&self.parts.lease, ms) {
                Ok(()) => Event::Nothing,
                Err(_) => Event::Stop(Cause::LeaseEnded),
            },
            Ok(Order::Terminate) => {
                self.parts.processes.terminate(self.payload);
                Event::Nothing
            }
            Ok(Order::Kill) => Event::Stop(Cause::Own),
            Ok(Order::Introduce) => {
                if let Some(sockets) = &self.sockets {
                    // A server that cannot take them has gone.
                    let _ = hand_over(sockets, &self.control);
                }
                Event::Nothing
            }
            Err(_) => Event::Nothing,
        }
    }
}

fn end(status: WaitStatus) -> Status {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Status::Exited(code),
        (None, signal) => Status::Signalled(signal.unwrap_or(libc::SIGKILL)),
    }
}
