//! What stands between a node and its database, and can be closed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use marquetry_store::trial::Address;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// How long it waits where no connection can be taken.
const PAUSE: Duration = Duration::from_millis(100);

/// What passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// All.
    Open,
    /// Nothing: connections are closed, and new ones too.
    Cut,
    /// Nothing, and nobody is told.
    Stalled,
}

/// The gate of one node: a socket in a folder, so that nobody else comes to the database by it.
pub(super) struct Gate {
    folder: PathBuf,
    passage: watch::Sender<Passage>,
}

impl Gate {
    /// Opens one, in a folder that is its own.
    pub(super) fn open(to: Address, folder: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir(&folder)?;
        let listener = UnixListener::bind(Address::socket_in(&folder))
            .context("cannot listen for a node's connections to the database")?;
        let (passage, watched) = watch::channel(Passage::Open);
        tokio::spawn(serve(listener, to, watched));
        Ok(Self { folder, passage })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }
}

/// Until the gate is dropped.
async fn serve(listener: UnixListener, to: Address, mut passage: watch::Receiver<Passage>) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(_) if *passage.borrow() == Passage::Cut => {}
                Ok((node, _)) => drop(tokio::spawn(connection(node, to.clone(), passage.clone()))),
                Err(_) => sleep(PAUSE).await,
            },
            changed = passage.changed() => if changed.is_err() { return },
        }
    }
}

async fn connection(node: UnixStream, to: Address, passage: watch::Receiver<Passage>) {
    let Ok((from_database, to_database)) = connect(&to).await else {
        return;
    };
    let (from_node, to_node) = node.into_split();
    // When one direction ends, so does the other.
    tokio::select! {
        () = pass(from_node, to_database, passage.clone()) => {}
        () = pass(from_database, to_node, passage) => {}
    }
}

type Read = Box<dyn AsyncRead + Send + Unpin>;
type Write = Box<dyn AsyncWrite + Send + Unpin>;

/// A new connection to the database, in two parts.
#[expect(
    clippy::disallowed_methods,
    reason = "the operator's database, on this machine"
)]
async fn connect(to: &Address) -> std::io::Result<(Read, Write)> {
    match to {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (from, to) = stream.into_split();
            Ok((Box::new(from), Box::new(to)))
        }
        Address::Unix(path) => {
            let (from, to) = UnixStream::connect(path).await?.into_split();
            Ok((Box::new(from), Box::new(to)))
        }
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut passage: watch::Receiver<Passage>,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let now = *passage.borrow_and_update();
        if now == Passage::Cut {
            return;
        }
        tokio::select! {
            read = from.read(&mut buffer), if now == Passage::Open => {
                let Ok(count @ 1..) = read else { return };
                if to.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
            changed = passage.changed() => if changed.is_err() { return },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_passes_stalls_and_cuts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("echo");
        let echo = UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = echo.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        let gate = Gate::open(Address::Unix(path), folder.path().join("gate")).unwrap();
        let connect = || UnixStream::connect(Address::socket_in(gate.folder()));
        let mut stream = connect().await.unwrap();
        let mut byte = [0];
        stream.write_all(b"a").await.unwrap();
        stream.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"a");
        gate.set(Passage::Stalled);
        stream.write_all(b"b").await.unwrap();
        let soon = std::time::Duration::from_millis(100);
        let read = tokio::time::timeout(soon, stream.read_exact(&mut byte)).await;
        assert!(read.is_err(), "nothing passes");
        gate.set(Passage::Open);
        stream.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"b", "and nothing is lost");
        gate.set(Passage::Cut);
        assert_eq!(stream.read(&mut byte).await.unwrap_or(0), 0, "closed");
        let mut next = connect().await.unwrap();
        assert_eq!(next.read(&mut byte).await.unwrap_or(0), 0, "so is the next");
    }
}
