//! Taking back what a former server left.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::timeout;

use super::link::KeeperLink;
use super::wire::Told;
use super::{About, Entry, SOCKET, address, open_folder};
use crate::wire::Order;
use crate::{channel, link, watched};

/// How long a keeper may take to give what it has.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long processes may take to end that nobody can take back.
const END: Duration = Duration::from_secs(10);

/// The same of a container, whose engine takes its time.
const CONDUCTOR_END: Duration = Duration::from_mins(1);

/// A keeper and what it keeps.
pub(crate) struct Taken {
    pub(crate) link: Arc<KeeperLink>,
    pub(crate) entries: Vec<Entry>,
}

/// Connects to the keeper of a former server on this folder; none: it left nothing. What a keeper of another
/// version keeps, or one that does not answer, is ended: nobody can take it back, and what is closed must not go on.
pub(crate) async fn take(folder: &Path) -> Option<Taken> {
    end_others(folder, |name| name != SOCKET).await;
    let (socket, _) = connect(folder, SOCKET)?;
    if let Ok(Ok(taken)) = timeout(PATIENCE, entries(socket)).await {
        return Some(taken);
    }
    end_others(folder, |_| true).await;
    None
}

/// Ends all that a former server left, because this one starts its processes in another way; when it answers, they
/// are gone, or cannot end.
pub(crate) async fn end_all(folder: &Path) {
    if let Some(taken) = take(folder).await {
        for entry in taken.entries {
            End::of(&entry).now().await;
            taken.link.forget(entry.id);
        }
    }
    end_others(folder, |_| true).await;
}

async fn entries(socket: OwnedFd) -> io::Result<Taken> {
    let socket = watched::watch(socket)?;
    let mut entries = Vec::new();
    loop {
        let message = link::receive(&socket).await?;
        let message = message.ok_or(io::ErrorKind::UnexpectedEof)?;
        match Told::decode(&message.data) {
            Ok(Told::Kept(id)) => {
                let entry = Entry::of(id, message.fds);
                entries.push(entry.ok_or(io::ErrorKind::InvalidData)?);
            }
            Ok(Told::All) => break,
            Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    let link = Arc::new(KeeperLink::of(socket));
    Ok(Taken { link, entries })
}

/// Our end, and who is at the other.
fn connect(folder: &Path, name: &str) -> Option<(OwnedFd, rustix::process::Pid)> {
    let folder = open_folder(folder).ok()?;
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        // One that does not listen is not waited for.
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    );
    let socket = socket.ok()?;
    rustix::net::connect(&socket, &address(&folder, name).ok()?).ok()?;
    let peer = rustix::net::sockopt::socket_peercred(&socket).ok()?;
    Some((socket, peer.pid))
}

/// Ends the keepers whose socket has such a name: without one, each PID 1 sees that nobody is left.
async fn end_others(folder: &Path, is_meant: impl Fn(&str) -> bool) {
    let Ok(found) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in found.flatten() {
        let name = entry.file_name();
        let Some(name) = name
            .to_str()
            .filter(|name| is_keeper(name) && is_meant(name))
        else {
            continue;
        };
        if let Some((_, pid)) = connect(folder, name) {
            tracing::warn!(
                keeper = pid.as_raw_nonzero(),
                "what another version of the server left is ended"
            );
            if let Ok(pidfd) = pidfd_open(pid, PidfdFlags::NONBLOCK) {
                end(pidfd).await;
            }
        }
        // One that nobody listens at.
        let _ = std::fs::remove_file(entry.path());
    }
}

fn is_keeper(name: &str) -> bool {
    let number = name.strip_prefix("keeper-");
    number.is_some_and(|number| number.strip_suffix(".sock").is_some())
}

async fn end(pidfd: OwnedFd) {
    let _ = pidfd_send_signal(pidfd.as_fd(), Signal::KILL);
    if let Ok(pidfd) = watched::watch(pidfd) {
        let _ = timeout(END, pidfd.readable()).await;
    }
}

/// What a kept child is ended by.
pub(crate) struct End {
    /// None where the system has no descriptors to spare; then its lease ends it.
    pidfd: Option<OwnedFd>,
    /// That of a conductor, which must not be killed itself: nobody else ends what it looks after.
    conductor: Option<OwnedFd>,
}

impl End {
    pub(crate) fn of(entry: &Entry) -> Self {
        let is_container = About::of(&entry.body).is_some_and(|(about, _)| about.is_container());
        let control = || entry.control.try_clone().ok();
        Self {
            pidfd: entry.pidfd.try_clone().ok(),
            conductor: is_container.then(control).flatten(),
        }
    }

    /// Ends it; when this answers, it is gone, or cannot end.
    pub(crate) async fn now(self) {
        let Some(pidfd) = self.pidfd else { return };
        if let Some(control) = self.conductor {
            // One that does not listen has gone.
            let _ = channel::send(&control, &Order::Kill.encode(), &[], false);
            let gone = pidfd.try_clone().and_then(watched::watch);
            if let Ok(gone) = gone {
                let _ = timeout(CONDUCTOR_END, gone.readable()).await;
            }
        }
        end(pidfd).await;
    }
}
