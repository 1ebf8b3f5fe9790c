//! The server's end of the spawner.

use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::MemfdFlags;
use tokio::io::unix::AsyncFd;
use tokio::process::Command;

use crate::channel::{self, Received};
use crate::config::Config;
use crate::error::Error;
use crate::watched;
use crate::wire::{Notice, Setup};

/// How long the spawner may take to prepare.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(30);

/// A running spawner.
pub(crate) struct Link {
    socket: AsyncFd<OwnedFd>,
    process: tokio::process::Child,
    /// The spawner is root on the host and takes mounts from the server.
    pub(crate) privileged: bool,
}

impl Link {
    /// Starts a spawner and waits until it is ready.
    pub(crate) async fn start(config: &Config, setup: &Setup) -> Result<Self, Error> {
        let program = config.helper_path();
        let failed = |source: io::Error| Error::StartSpawner {
            program: program.clone(),
            source,
        };
        let (ours, theirs) = channel::pair().map_err(Error::system("make a socket"))?;
        let mut command = Command::new(&program);
        let process = command
            .args(&config.helper_args)
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            // It ends when we have gone, unless children live on.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        drop(command);
        let socket = watched::watch(ours).map_err(failed)?;
        let mut link = Self {
            socket,
            process,
            privileged: false,
        };
        let body = memory_file(&setup.encode()).map_err(Error::system("make a memory file"))?;
        link.send(b"setup", &[body.as_fd()]).await.map_err(failed)?;
        let answer = tokio::time::timeout(PREPARE_TIMEOUT, receive(&link.socket))
            .await
            .map_err(|_| failed(io::ErrorKind::TimedOut.into()))?
            .map_err(failed)?
            .ok_or_else(|| failed(io::ErrorKind::UnexpectedEof.into()))?;
        match Notice::decode(&answer.data) {
            Ok(Notice::Prepared { privileged }) => {
                link.privileged = privileged;
                Ok(link)
            }
            Ok(Notice::Failed(reason)) => Err(Error::PrepareSpawner { reason }),
            Ok(Notice::Started | Notice::Network { .. } | Notice::Ended(_)) | Err(_) => {
                Err(failed(io::ErrorKind::InvalidData.into()))
            }
        }
    }

    /// Sends a message. An error means that the spawner is gone.
    pub(crate) async fn send(&self, data: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        send(&self.socket, data, fds).await
    }

    /// Its process id.
    pub(crate) fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Lets the spawner end, with everything below it that nobody keeps, and waits for that or does not.
    pub(crate) async fn shutdown(self, waits: bool) {
        let Self {
            socket,
            mut process,
            ..
        } = self;
        drop(socket);
        if !waits {
            return;
        }
        if let Err(error) = process.wait().await {
            tracing::warn!(%error, "cannot wait for the sandbox's spawner");
        }
    }
}

/// Sends a message when the socket has room.
pub(crate) async fn send(
    socket: &AsyncFd<OwnedFd>,
    data: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    loop {
        // Most often there is room, so ask the kernel before the reactor.
        match channel::send(socket.get_ref(), data, fds, false) {
            Err(rustix::io::Errno::AGAIN) => {}
            result => return result.map_err(io::Error::from),
        }
        let mut ready = socket.writable().await?;
        if let Ok(result) = ready.try_io(|socket| {
            channel::send(socket.get_ref(), data, fds, false).map_err(io::Error::from)
        }) {
            return result;
        }
    }
}

/// Receives a message; `None` when the other end is closed. Cancel-safe.
pub(crate) async fn receive(socket: &AsyncFd<OwnedFd>) -> io::Result<Option<Received>> {
    loop {
        let mut ready = socket.readable().await?;
        if let Ok(result) = ready
            .try_io(|socket| channel::receive(socket.get_ref(), false).map_err(io::Error::from))
        {
            return result;
        }
    }
}

/// Receives a message but leaves a child's end where it is; `None` when the other end is closed. Cancel-safe.
pub(crate) async fn hear(socket: &AsyncFd<OwnedFd>) -> io::Result<Option<Received>> {
    loop {
        let mut ready = socket.readable().await?;
        if let Ok(result) =
            ready.try_io(|socket| channel::hear(socket.get_ref()).map_err(io::Error::from))
        {
            return result;
        }
    }
}

/// A memory file with this content.
pub(crate) fn memory_file(data: &[u8]) -> io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create("request", MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(file);
    file.write_all(data)?;
    Ok(file.into())
}
