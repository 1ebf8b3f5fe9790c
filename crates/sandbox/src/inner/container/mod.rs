//! The conductor: drives the engine for one container, and says of it what a PID 1 says of a child.

mod call;
mod command;
mod gate;
mod mounts;
mod net;
mod signals;
mod watch;

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::network::Sockets;
use super::spawner::read_memory;
use super::{Step, at, pid1, sys};
use crate::channel;
use crate::containers::folder;
use crate::spec::{Cause, Ended, Status};
use crate::wire::container::Request;
use crate::wire::{Net, Notice, Order};
use call::Answer;
use watch::{Event, Usage, Watch};

/// How an engine tells of a first process that was killed.
const KILLED: Status = Status::Exited(128 + libc::SIGKILL);

/// How often an engine is asked to remove a container.
const REMOVALS: u32 = 3;

/// How long the gate is given before it is looked at again, in milliseconds.
const GATE_MS: i64 = 5;

/// Runs until the container is gone; the socket to the server is standard input.
pub(super) fn main() -> ! {
    for signal in [
        libc::SIGINT,
        libc::SIGTERM,
        libc::SIGHUP,
        libc::SIGQUIT,
        libc::SIGPIPE,
    ] {
        sys::signal_disposition(signal, true);
    }
    let code = match conduct() {
        Ok(()) => 0,
        Err(_) => 1,
    };
    sys::exit(code)
}

fn conduct() -> Step<()> {
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)
        .map_err(at("take the socket"))?;
    let null = File::open("/dev/null").map_err(at("open /dev/null"))?;
    rustix::stdio::dup2_stdin(&null).map_err(at("leave standard input"))?;
    let myself = pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
        .map_err(at("open a descriptor of this process"))?;
    let message = channel::receive(&control, true).map_err(at("receive the request"))?;
    let mut fds = message
        .map(|message| message.fds)
        .unwrap_or_default()
        .into_iter();
    let Some(body) = fds.next() else {
        return Err("the request has no body".to_owned());
    };
    // Until the container is gone, nobody shall take the output for ended.
    let outputs: Vec<OwnedFd> = fds.collect();
    let request = Request::decode(&read_memory(&File::from(body))?)
        .map_err(|_| "the request is truncated".to_owned())?;
    let told = match Conductor::new(request, &control) {
        Ok(mut conductor) => conductor.run(&myself),
        Err(reason) => Some(Notice::Failed(reason)),
    };
    drop(outputs);
    if let Some(notice) = told {
        tell(&control, &notice, &[]);
    }
    Ok(())
}

/// The server has gone, or has given the child up, if this fails: nobody needs to know.
fn tell(control: &OwnedFd, notice: &Notice, fds: &[std::os::fd::BorrowedFd<'_>]) {
    let _ = channel::send(control, &notice.encode(), fds, false);
}

/// Why a container does not go on.
enum Stop {
    /// A step failed; the sentence is for the server.
    Failed(String),
    /// The server wants its end, or its lease has passed.
    Cause(Cause),
    /// Nobody is there any more.
    Orphaned,
}

impl From<String> for Stop {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

struct First {
    pid: Pid,
    pidfd: OwnedFd,
}

struct Conductor<'a> {
    request: Request,
    watch: Watch<'a>,
    /// Says that somebody looks after the container.
    _lock: OwnedFd,
    /// What the container ends by, when this process does.
    _alive: OwnedFd,
    /// The container's first process.
    first: Option<First>,
    /// SIGTERM is asked for, and nobody is there yet to get it.
    is_to_terminate: bool,
    /// What its processes are asked to end by.
    terminators: Vec<std::process::Child>,
    /// Where its connections arrive, for a server that takes it back.
    sockets: Option<Sockets>,
}

impl<'a> Conductor<'a> {
    fn new(request: Request, control: &'a OwnedFd) -> Step<Self> {
        let lock = folder::lock(&request.folder).map_err(at("lock the container's folder"))?;
        let lock = lock.ok_or_else(|| "another process has the container's folder".to_owned())?;
        let seen = folder::seen(&request.folder);
        let usage = Usage::open(&seen.join(folder::USAGE))?;
        let alive = rustix::fs::open(
            seen.join(folder::ALIVE),
            // For both directions, so that nobody has to be there yet.
            OFlags::RDWR | OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        );
        let watch = Watch::new(control, request.body.lease_ms, usage)?;
        Ok(Self {
            request,
            watch,
            _lock: lock,
            _alive: alive.map_err(at("open a pipe of the container"))?,
            first: None,
            is_to_terminate: false,
            terminators: Vec::new(),
            sockets: None,
        })
    }

    /// Runs the container to its end; `None` when there is nobody to tell.
    fn run(&mut self, myself: &OwnedFd) -> Option<Notice> {
        let begun = self.start().and_then(|()| self.open_gate());
        if begun.is_ok() {
            tell(self.watch.control(), &Notice::Started, &[myself.as_fd()]);
            if std::mem::take(&mut self.is_to_terminate) {
                self.terminate();
            }
        }
        let stop = match begun.and_then(|()| self.follow()) {
            Ok(()) => Stop::Cause(Cause::Own),
            Err(stop) => stop,
        };
        let end = if matches!(stop, Stop::Cause(Cause::Own)) {
            self.end()
        } else {
            self.kill();
            Some((Status::Signalled(libc::SIGKILL), false))
        };
        let said = gate::usage(&self.watch.usage());
        let came_to_its_end = said.is_some();
        let (usage, some_ended_for_memory) = said.unwrap_or_default();
        self.clear_away();
        let cause = match stop {
            Stop::Failed(reason) => return Some(Notice::Failed(reason)),
            Stop::Orphaned => return None,
            Stop::Cause(cause) => cause,
        };
        // The engine does not know how it ended, and it is not for us to guess.
        let (status, was_out_of_memory) = end?;
        if status == KILLED && cause == Cause::Own && !came_to_its_end && !was_out_of_memory {
            // By somebody else, from outside: the first process does not end so by itself.
            return None;
        }
        let was_for_memory = was_out_of_memory || some_ended_for_memory;
        Some(Notice::Ended(Ended {
            status,
            cause: if was_for_memory && cause == Cause::Own && status != Status::Exited(0) {
                Cause::MemoryLimit
            } else {
                cause
            },
            usage,
        }))
    }

    /// Makes the container stand, and gives it its network; its program waits.
    fn start(&mut self) -> Result<(), Stop> {
        if let Some(user) = self.request.user {
            mounts::give(&self.request.body.mounts, user)?;
        }
        let words = command::run(&self.request)?;
        let started = self.call(&words)?;
        let step = format!("start a container of the image {}", self.request.image);
        let warning = started.warning().filter(|_| self.request.is_strict);
        started.success(&step)?;
        if let Some(warning) = warning {
            return Err(format!("{step}: {warning}").into());
        }
        let inspected = self.ask(&["inspect", "--format", "{{.State.Pid}}"])?;
        let pid = inspected.success("look at the container")?;
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| self.gone())?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|_| self.gone())?;
        let outside = folder::seen(&self.request.folder).join(folder::ENVIRONMENT);
        let inside = Path::new(folder::INSIDE).join(folder::ENVIRONMENT);
        if !signals::is_first(pid, &outside, &inside) {
            return Err(self.gone().into());
        }
        self.first = Some(First { pid, pidfd });
        self.connect(pid)?;
        Ok(())
    }

    fn gone(&self) -> String {
        format!(
            "the container ended before its program began: does the image {} have /bin/sh and cat?",
            self.request.image
        )
    }

    fn connect(&mut self, pid: Pid) -> Step<()> {
        match &self.request.body.net {
            // The engine brings loopback up.
            Net::Host | Net::None => Ok(()),
            Net::Relayed(ports) => {
                let sockets = net::relayed(pid, ports)?;
                pid1::hand_over(&sockets, self.watch.control())?;
                self.sockets = Some(sockets);
                Ok(())
            }
        }
    }

    /// Gives the container its variables, which it waits for.
    fn open_gate(&mut self) -> Result<(), Stop> {
        let script = gate::script(&self.request.body)?;
        let path = folder::seen(&self.request.folder).join(folder::ENVIRONMENT);
        let Some(first) = self.first.take() else {
            return Err(self.gone().into());
        };
        let opened = gate::open(&path, &script, || {
            let event = self.watch.wait(&first.pidfd, Some(GATE_MS));
            self.obey(&event)?;
            Ok(matches!(event, Event::Ready))
        });
        self.first = Some(first);
        match opened {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.gone().into()),
            Err(stop) => Err(stop),
        }
    }

    /// Waits for the end of the container's first process.
    fn follow(&mut self) -> Result<(), Stop> {
        while let Some(first) = self.first.take() {
            let event = self.watch.wait(&first.pidfd, None);
            let ended = matches!(event, Event::Ready);
            self.first = Some(first);
            if ended {
                return Ok(());
            }
            self.obey(&event)?;
        }
        Ok(())
    }

    /// Does what the server says; an error where that is the end.
    fn obey(&mut self, event: &Event) -> Result<(), Stop> {
        match event {
            Event::Ready | Event::Nothing => Ok(()),
            Event::Expired => Err(Stop::Cause(Cause::LeaseEnded)),
            Event::Orphaned => Err(Stop::Orphaned),
            Event::Order(Order::Kill) => Err(Stop::Cause(Cause::Killed)),
            Event::Order(Order::Lease(ms)) => self
                .watch
                .set_lease(*ms)
                .map_err(|_| Stop::Cause(Cause::LeaseEnded)),
            Event::Order(Order::Terminate) => {
                self.terminate();
                Ok(())
            }
            Event::Order(Order::Introduce) => {
                if let Some(sockets) = &self.sockets {
                    // A server that cannot take them has gone.
                    let _ = pid1::hand_over(sockets, self.watch.control());
                }
                Ok(())
            }
        }
    }

    /// SIGTERM to all that is in the container but its first process, which gives it its name and must say how it ended.
    fn terminate(&mut self) {
        let Some(first) = self.first.as_ref().filter(|_| !self.is_to_terminate) else {
            self.is_to_terminate = true;
            return;
        };
        if signals::terminate(first.pid) {
            return;
        }
        // By one that is started in it, where we may not see who is there.
        let mut words = self.request.engine.base();
        let name = self.request.name.as_str();
        words.extend(["exec", name, "/bin/sh", "-c", "kill -TERM -1"].map(Into::into));
        // One that cannot be asked is killed when its time is up.
        self.terminators.extend(call::begin(&words));
    }

    fn kill(&self) {
        let killed = self
            .first
            .as_ref()
            .is_some_and(|first| pidfd_send_signal(&first.pidfd, Signal::KILL).is_ok());
        // An engine with users of its own lets only itself do that.
        if !killed {
            let _ = self.tell(&["kill", "--signal", "KILL"]);
        }
        if let Some(first) = &self.first {
            watch::wait_for_end(&first.pidfd);
        }
    }

    /// How the container ended, by the engine, and whether that was for its memory; none where it does not know.
    fn end(&self) -> Option<(Status, bool)> {
        // It may not have noticed yet.
        let code = self
            .tell(&["wait"])
            .success("wait for the container")
            .ok()?;
        let code = code.trim().parse().ok()?;
        let format = "{{.State.Running}} {{.State.OOMKilled}}";
        let said = self.tell(&["inspect", "--format", format]);
        let said = said.success("look at the container").ok()?;
        let mut words = said.split_whitespace();
        if words.next() != Some("false") {
            return None;
        }
        Some((Status::Exited(code), words.next() == Some("true")))
    }

    /// Leaves nothing of it.
    fn clear_away(&mut self) {
        for mut asked in self.terminators.drain(..) {
            let _ = asked.kill();
            let _ = asked.wait();
        }
        let removes = |_: &u32| {
            let removed = self.tell(&["rm", "--force", "--volumes"]);
            removed.success("remove the container").is_ok()
        };
        // An engine that cannot now may be able soon.
        let is_removed = (0..REMOVALS).any(|turn| {
            if turn > 0 {
                std::thread::sleep(Duration::from_secs(1));
            }
            removes(&turn)
        });
        if self.request.user.is_some() {
            mounts::take_back(&self.request.body.mounts);
        }
        // What stays is removed at the server's next start.
        if is_removed {
            let _ = std::fs::remove_dir_all(&self.request.folder);
        }
    }

    /// Lets the engine do something with this container, unless the server says otherwise meanwhile.
    fn ask(&mut self, words: &[&str]) -> Result<Answer, Stop> {
        let command = command::of_container(&self.request, words);
        self.call(&command)
    }

    fn call(&mut self, words: &[std::ffi::OsString]) -> Result<Answer, Stop> {
        let mut call = call::Call::start(words)?;
        let mut stop = None;
        // An engine that is ended in the middle leaves what it has begun, and knows nothing of it.
        while !call.read()? {
            if stop.is_some() {
                watch::wait_for_end(call.output());
            } else {
                let event = self.watch.wait(call.output(), None);
                stop = self.obey(&event).err();
            }
        }
        let answer = call.finish();
        stop.map_or(Ok(answer), Err)
    }

    /// The same to the end, whatever the server says.
    fn tell(&self, words: &[&str]) -> Answer {
        let command = command::of_container(&self.request, words);
        call::to_the_end(&command)
    }
}
