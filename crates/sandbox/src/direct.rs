//! Mode off: children started directly, each in a process group of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::child::{Ask, Child, lost};
use crate::disk_watch::DiskWatch;
use crate::error::Error;
use crate::inner::sys;
use crate::output::Output;
use crate::spec::{Cause, Ended, Spec, Status, Usage};
use crate::watched;
use crate::wire::Order;

/// Starts a child without a sandbox.
///
/// There is no code between fork and exec: that would make the standard library fork the whole
/// server instead of spawning.
pub(crate) fn spawn(spec: &Spec) -> Result<Child, Error> {
    let (program, arguments) = spec.command.split_first().ok_or(Error::InvalidSpec {
        what: "the program",
    })?;
    let pipes = Output::pipes().map_err(Error::system("make a pipe"))?;
    let [(stdout, stdout_end), (stderr, stderr_end)] = pipes;
    #[expect(
        clippy::disallowed_methods,
        reason = "this crate is where processes are started"
    )]
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(spec.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&spec.working_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::from(stdout_end))
        .stderr(Stdio::from(stderr_end))
        .process_group(0);
    let process = command.spawn().map_err(|source| Error::Start {
        program: program.clone(),
        source,
    })?;
    let pid = Pid::from_raw(process.id().cast_signed()).expect("a child's id is not zero");
    let group = Group {
        leader: pid,
        reaped: false,
    };
    let pidfd = pidfd_open(pid, PidfdFlags::NONBLOCK)
        .map_err(io::Error::from)
        .and_then(watched::watch)
        .map_err(Error::system("watch a process"))?;
    let (asks, ask_receiver) = mpsc::unbounded_channel();
    let (ended_sender, ended) = watch::channel(None);
    let task = Direct {
        group,
        pidfd,
        asks: ask_receiver,
        disk: DiskWatch::new(&spec.mounts),
        deadline: deadline(spec.lease),
    };
    tokio::spawn(async move {
        let ended = task.run().await;
        ended_sender.send_replace(Some(ended));
    });
    Ok(Child::new(stdout, stderr, None, asks, ended))
}

/// A process group that is killed when it is given up.
struct Group {
    leader: Pid,
    reaped: bool,
}

impl Group {
    fn signal(&self, signal: Signal) {
        // The number is the group's own until its leader has been reaped.
        if !self.reaped {
            let _ = kill_process_group(self.leader, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

struct Direct {
    group: Group,
    pidfd: AsyncFd<OwnedFd>,
    asks: mpsc::UnboundedReceiver<Ask>,
    disk: DiskWatch,
    deadline: Instant,
}

impl Direct {
    async fn run(mut self) -> Ended {
        let mut stopped = None;
        loop {
            tokio::select! {
                biased;
                _ = self.pidfd.readable() => break,
                ask = self.asks.recv(), if stopped.is_none() => {
                    match order(ask) {
                        Order::Lease(ms) => self.deadline = deadline(Duration::from_millis(ms)),
                        Order::Terminate => self.group.signal(Signal::TERM),
                        Order::Kill => stopped = Some(Cause::Killed),
                        // It has no network of its own.
                        Order::Introduce => {}
                    }
                }
                () = tokio::time::sleep_until(self.deadline), if stopped.is_none() => {
                    stopped = Some(Cause::LeaseEnded);
                }
                () = self.disk.over(), if stopped.is_none() => stopped = Some(Cause::DiskLimit),
            }
            if stopped.is_some() {
                self.group.signal(Signal::KILL);
            }
        }
        // What the command left behind in its group goes with it.
        self.group.signal(Signal::KILL);
        let reaped = sys::wait_with_usage(self.group.leader.as_raw_nonzero().get());
        self.group.reaped = true;
        match reaped {
            Ok((status, (cpu_us, max_rss_kib))) => Ended {
                status: if libc::WIFSIGNALED(status) {
                    Status::Signalled(libc::WTERMSIG(status))
                } else {
                    Status::Exited(libc::WEXITSTATUS(status))
                },
                cause: stopped.unwrap_or(Cause::Own),
                usage: Usage {
                    cpu_ms: cpu_us / 1000,
                    max_rss_bytes: max_rss_kib * 1024,
                },
            },
            Err(_) => lost(),
        }
    }
}

/// What a process without a sandbox is ordered: nobody can take it back.
fn order(ask: Option<Ask>) -> Order {
    match ask {
        Some(Ask::Tell(order)) => order,
        Some(Ask::Leave) | None => Order::Kill,
    }
}

/// A lease too long to count ends in a century.
fn deadline(lease: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);
    Instant::now() + lease.min(CENTURY)
}
