//! The server's end of the keeper.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;
use std::sync::Arc;

use rustix::event::PollFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use tokio::io::unix::AsyncFd;
use tokio::process::Command;

use super::wire::Word;
use super::{Handles, SOCKET, address, open_folder};
use crate::config::Config;
use crate::error::Error;
use crate::inner::KEEPER_ARGUMENT;
use crate::{Output, channel, link, watched};

/// A keeper that listens to us.
#[derive(Debug)]
pub(crate) struct KeeperLink {
    socket: AsyncFd<OwnedFd>,
}

impl KeeperLink {
    /// The keeper of a former server, whom we have connected to.
    pub(super) fn of(socket: AsyncFd<OwnedFd>) -> Self {
        Self { socket }
    }

    /// Starts one.
    pub(super) async fn start(config: &Config, locks: &[OwnedFd]) -> Result<Self, Error> {
        let program = config.helper_path();
        let failed = |source: io::Error| Error::StartSpawner {
            program: program.clone(),
            source,
        };
        let (ours, theirs) = channel::pair().map_err(Error::system("make a socket"))?;
        let listener = listen(config).map_err(failed)?;
        let mut command = Command::new(&program);
        let process = command
            .args(&config.helper_args)
            .arg(KEEPER_ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        drop(command);
        // It ends when it keeps nothing and we have gone; the runtime reaps one that ends before.
        drop(process);
        let this = Self {
            socket: watched::watch(ours).map_err(failed)?,
        };
        let sent = link::send(&this.socket, &Word::Listen.encode(), &[listener.as_fd()]).await;
        sent.map_err(failed)?;
        this.hold(locks).await.map_err(failed)?;
        Ok(this)
    }

    /// Lets the keeper hold these locks.
    pub(super) async fn hold(&self, locks: &[OwnedFd]) -> io::Result<()> {
        let fds: Vec<BorrowedFd<'_>> = locks.iter().map(AsFd::as_fd).collect();
        link::send(&self.socket, &Word::Hold.encode(), &fds).await
    }

    /// Whether it is there.
    pub(super) fn is_there(&self) -> bool {
        let gone = PollFlags::HUP | PollFlags::ERR;
        watched::at_once(self.socket.get_ref(), PollFlags::OUT)
            .is_ok_and(|found| !found.intersects(gone))
    }

    pub(super) async fn keep(
        &self,
        id: u64,
        handles: &Handles,
        [stdout, stderr]: [&Output; 2],
        body: &OwnedFd,
    ) -> io::Result<()> {
        let (Some([out, out_read]), Some([err, err_read])) = (stdout.fds(), stderr.fds()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let fds = [
            handles.control.get_ref().as_fd(),
            handles.pidfd.get_ref().as_fd(),
            out,
            out_read,
            err,
            err_read,
            body.as_fd(),
        ];
        link::send(&self.socket, &Word::Keep(id).encode(), &fds).await
    }

    /// Says that a child's end is known.
    pub(crate) fn forget(self: &Arc<Self>, id: u64) {
        let word = Word::Forget(id).encode();
        if channel::send(self.socket.get_ref(), &word, &[], false) != Err(rustix::io::Errno::AGAIN)
        {
            // One that has gone keeps nothing.
            return;
        }
        let this = Arc::clone(self);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = link::send(&this.socket, &word, &[]).await;
            });
        }
    }
}

/// Where the next server connects.
fn listen(config: &Config) -> io::Result<OwnedFd> {
    let folder = open_folder(&config.scratch_dir)?;
    match std::fs::remove_file(config.scratch_dir.join(SOCKET)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::net::bind(&socket, &address(&folder, SOCKET)?)?;
    let ours_alone = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(config.scratch_dir.join(SOCKET), ours_alone)?;
    rustix::net::listen(&socket, 1)?;
    Ok(socket)
}
