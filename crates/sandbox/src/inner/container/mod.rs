//! The conductor: drives the engine for one container, and says of it what a PID 1 says of a child.

mod call;
mod command;
mod gate;
mod mounts;
mod net;
mod watch;

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::network::Sockets;
use super::spawner::read_memory;
use super::{Step, at, pid1, sys};
use crate::channel;
use crate::containers::folder;
use crate::spec::{Cause, Ended, Status, Usage};
use crate::wire::container::Request;
use crate::wire::{Net, Notice, Order};
use call::Answer;
use watch::{Event, Watch};

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
    tell(&control, &Notice::Started, &[myself.as_fd()]);
    let told = match Conductor::new(request, &control) {
        Ok(mut conductor) => conductor.run(),
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

struct Conductor<'a> {
    request: Request,
    watch: Watch<'a>,
    /// Says that somebody looks after the container.
    _lock: OwnedFd,
    /// The container's first process.
    first: Option<OwnedFd>,
    /// What its processes are asked to end by.
    terminators: Vec<std::process::Child>,
    /// Where its connections arrive, for a server that takes it back.
    sockets: Option<Sockets>,
}

impl<'a> Conductor<'a> {
    fn new(request: Request, control: &'a OwnedFd) -> Step<Self> {
        let lock = folder::lock(&request.folder).map_err(at("lock the container's folder"))?;
        let lock = lock.ok_or_else(|| "another process has the container's folder".to_owned())?;
        let watch = Watch::new(control, request.body.lease_ms)?;
        Ok(Self {
            request,
            watch,
            _lock: lock,
            first: None,
            terminators: Vec::new(),
            sockets: None,
        })
    }

    /// Runs the container to its end; `None` when there is nobody to tell.
    fn run(&mut self) -> Option<Notice> {
        let usage = self.open_usage();
        let stop = match self.start().and_then(|()| self.follow()) {
            Ok(()) => Stop::Cause(Cause::Own),
            Err(stop) => stop,
        };
        let (status, mut was_out_of_memory) = if matches!(stop, Stop::Cause(Cause::Own)) {
            self.status()
        } else {
            self.kill();
            (Status::Signalled(libc::SIGKILL), false)
        };
        let (usage, some_ended_for_memory) = usage.map(read_usage).unwrap_or_default();
        was_out_of_memory |= some_ended_for_memory && status != Status::Exited(0);
        self.clear_away();
        match stop {
            Stop::Failed(reason) => Some(Notice::Failed(reason)),
            Stop::Orphaned => None,
            Stop::Cause(cause) => Some(Notice::Ended(Ended {
                status,
                cause: if was_out_of_memory && cause == Cause::Own {
                    Cause::MemoryLimit
                } else {
                    cause
                },
                usage,
            })),
        }
    }

    /// Makes the container stand, gives it its network, and lets its program begin.
    fn start(&mut self) -> Result<(), Stop> {
        if let Some(user) = self.request.user {
            mounts::give(&self.request.body.mounts, user)?;
        }
        let words = command::run(&self.request)?;
        let started = self.call(&words)?;
        let step = format!("start a container of the image {}", self.request.image);
        started.success(&step)?;
        let inspected = self.ask(&["inspect", "--format", "{{.State.Pid}}"])?;
        let pid = inspected.success("look at the container")?;
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| self.gone())?;
        self.first = Some(pidfd_open(pid, PidfdFlags::empty()).map_err(|_| self.gone())?);
        self.connect(pid)?;
        self.open_gate()
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
        let path = self.request.folder.join(folder::ENVIRONMENT);
        let Some(first) = self.first.take() else {
            return Err(self.gone().into());
        };
        let opened = gate::open(&path, &script, || {
            let event = self.watch.wait(&first, Some(GATE_MS));
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
            let event = self.watch.wait(&first, None);
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

    /// SIGTERM to all that is in the container but its first process, by one that is started in it.
    fn terminate(&mut self) {
        let mut words = self.request.engine.base();
        let name = self.request.name.as_str();
        words.extend(["exec", name, "/bin/sh", "-c", "kill -TERM -1"].map(Into::into));
        // One that cannot be asked is killed when its time is up.
        self.terminators.extend(call::begin(&words));
    }

    fn kill(&self) {
        let Some(first) = &self.first else {
            return;
        };
        // An engine with users of its own lets only itself do that.
        if pidfd_send_signal(first, Signal::KILL).is_err() {
            let _ = self.tell(&["kill", "--signal", "KILL"]);
        }
        watch::wait_for_end(first);
    }

    /// How the container ended, by the engine.
    fn status(&self) -> (Status, bool) {
        let killed = (Status::Signalled(libc::SIGKILL), false);
        if self.first.is_none() {
            return killed;
        }
        // It may not have noticed yet.
        let _ = self.tell(&["wait"]);
        let format = "{{.State.ExitCode}} {{.State.OOMKilled}}";
        let Ok(said) = self
            .tell(&["inspect", "--format", format])
            .success("look at the container")
        else {
            return killed;
        };
        let mut words = said.split_whitespace();
        let code = words.next().and_then(|code| code.parse().ok());
        let was_out_of_memory = words.next() == Some("true");
        (code.map_or(killed.0, Status::Exited), was_out_of_memory)
    }

    /// Leaves nothing of it.
    fn clear_away(&mut self) {
        let _ = self.tell(&["rm", "--force"]);
        for mut asked in self.terminators.drain(..) {
            let _ = asked.kill();
            let _ = asked.wait();
        }
        if self.request.user.is_some() {
            mounts::take_back(&self.request.body.mounts);
        }
        // What stays is removed at the server's next start.
        let _ = std::fs::remove_dir_all(&self.request.folder);
    }

    fn open_usage(&self) -> Option<File> {
        let flags =
            rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
        let path = self.request.folder.join(folder::USAGE);
        rustix::fs::open(path, flags, rustix::fs::Mode::empty())
            .ok()
            .map(File::from)
    }

    /// Lets the engine do something with this container, unless the server says otherwise meanwhile.
    fn ask(&mut self, words: &[&str]) -> Result<Answer, Stop> {
        let command = command::of_container(&self.request, words);
        self.call(&command)
    }

    fn call(&mut self, words: &[std::ffi::OsString]) -> Result<Answer, Stop> {
        let mut call = call::Call::start(words)?;
        while !call.read()? {
            let event = self.watch.wait(call.output(), None);
            if let Err(stop) = self.obey(&event) {
                call.kill();
                return Err(stop);
            }
        }
        Ok(call.finish())
    }

    /// The same to the end, whatever the server says.
    fn tell(&self, words: &[&str]) -> Answer {
        let command = command::of_container(&self.request, words);
        call::to_the_end(&command)
    }
}

/// What the first program said at its end.
fn read_usage(mut pipe: File) -> (Usage, bool) {
    let mut said = Vec::new();
    // Nothing to read is nothing said.
    let _ = pipe.by_ref().take(4_096).read_to_end(&mut said);
    gate::usage(&String::from_utf8_lossy(&said))
}
