//! The spawner: waits for requests and clones a PID 1 for each.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt as _;

use super::root::Root;
use super::users::UserNamespaces;
use super::{Step, at, filter, pid1, sys};
use crate::channel::{self, Received};
use crate::wire::{Head, Notice, Setup};

/// What the spawner keeps between requests; a PID 1 inherits it with its memory.
pub(crate) struct Prepared {
    pub(crate) setup: Setup,
    /// The prepared root file system; `None` where namespaces are not used.
    pub(crate) root: Option<Root>,
    /// For children with a network of their own, or on the host's.
    pub(crate) filter: Vec<libc::sock_filter>,
    /// For children that have no network namespace but must not use the host's network.
    pub(crate) offline_filter: Vec<libc::sock_filter>,
    pub(crate) null: OwnedFd,
}

/// One request as received.
pub(crate) struct Request {
    pub(crate) head: Head,
    pub(crate) body: File,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    pub(crate) control: OwnedFd,
    pub(crate) groups: Vec<OwnedFd>,
    pub(crate) mounts: Vec<OwnedFd>,
}

/// Runs until the server's end of the socket closes.
pub(crate) fn main() -> ! {
    // A Ctrl-C at the terminal is the server's to handle; children reap themselves.
    for signal in [
        libc::SIGINT,
        libc::SIGTERM,
        libc::SIGHUP,
        libc::SIGQUIT,
        libc::SIGCHLD,
    ] {
        sys::signal_disposition(signal, true);
    }
    let code = match serve() {
        Ok(()) => 0,
        Err(_) => 1,
    };
    sys::exit(code)
}

fn serve() -> io::Result<()> {
    // Used in place: a PID 1 gives it up by putting something else on standard input.
    let socket = io::stdin();
    let Some(first) = channel::receive(&socket, true)? else {
        return Ok(());
    };
    let prepared = match prepare(first) {
        Ok(prepared) => prepared,
        Err(reason) => {
            channel::send(&socket, &Notice::Failed(reason).encode(), &[], true)?;
            return Ok(());
        }
    };
    let ready = Notice::Prepared {
        privileged: prepared.root.as_ref().is_some_and(|root| root.privileged),
    };
    channel::send(&socket, &ready.encode(), &[], true)?;
    let mut users = UserNamespaces::default();
    while let Some(message) = channel::receive(&socket, true)? {
        if let Some(request) = request(message) {
            answer(&prepared, &mut users, request);
        }
    }
    outlive(&prepared);
    Ok(())
}

/// The server has gone. Children that nobody keeps see that themselves; this process goes with the last one,
/// because they would end with it.
fn outlive(prepared: &Prepared) {
    // Whoever reads the server's log would wait for us.
    let _ = rustix::stdio::dup2_stderr(&prepared.null);
    let _ = rustix::stdio::dup2_stdin(&prepared.null);
    loop {
        match rustix::process::wait(rustix::process::WaitOptions::empty()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_nobody_is_left) => return,
        }
    }
}

fn prepare(message: Received) -> Step<Prepared> {
    let body = message.fds.into_iter().next().map(File::from);
    let data = match body {
        Some(body) => read_memory(&body)?,
        None => message.data,
    };
    let setup = Setup::decode(&data).map_err(|_| "the set-up message is truncated".to_owned())?;
    let null = File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(at("open /dev/null"))?;
    let root = if setup.namespaces {
        Some(Root::build(&setup)?)
    } else {
        None
    };
    Ok(Prepared {
        setup,
        root,
        filter: filter::program(filter::Sockets::Internet),
        offline_filter: filter::program(filter::Sockets::LocalOnly),
        null: null.into(),
    })
}

/// Reads a whole memory file, wherever its offset stands.
pub(crate) fn read_memory(file: &File) -> Step<Vec<u8>> {
    let length = file.metadata().map_err(at("measure a message"))?.len();
    let length = usize::try_from(length).map_err(at("measure a message"))?;
    let mut data = vec![0; length];
    file.read_exact_at(&mut data, 0)
        .map_err(at("read a message"))?;
    Ok(data)
}

fn request(message: Received) -> Option<Request> {
    let head = Head::decode(&message.data).ok()?;
    let mut fds = message.fds.into_iter();
    Some(Request {
        head,
        body: fds.next()?.into(),
        stdout: fds.next()?,
        stderr: fds.next()?,
        control: fds.next()?,
        groups: fds.by_ref().take(head.group_fds).collect(),
        mounts: fds.collect(),
    })
}

fn answer(prepared: &Prepared, users: &mut UserNamespaces, request: Request) {
    let identity = match &prepared.root {
        Some(root) => match users.identity(request.head.slot, root) {
            Ok(identity) => Some(identity),
            Err(reason) => return refuse(&request, reason),
        },
        None => None,
    };
    // Only this one cannot be had later. The others are made by PID 1 itself: making a network
    // namespace waits for the kernel to take others down, and meanwhile the next child starts.
    let flags = if prepared.root.is_some() {
        libc::CLONE_NEWPID
    } else {
        0
    };
    match sys::clone3(flags, None) {
        Ok(sys::Side::Child) => pid1::main(prepared, identity, request),
        Ok(sys::Side::Parent { pidfd, .. }) => {
            // A failure means that the server has given the child up; PID 1 will see that too.
            let _ = channel::send(
                &request.control,
                &Notice::Started.encode(),
                &[pidfd.as_fd()],
                false,
            );
        }
        Err(error) => refuse(&request, format!("clone into a process namespace: {error}")),
    }
}

fn refuse(request: &Request, reason: String) {
    // As above: nobody is left to tell when this fails.
    let _ = channel::send(
        &request.control,
        &Notice::Failed(reason).encode(),
        &[],
        false,
    );
}
