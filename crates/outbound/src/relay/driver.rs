//! One task that watches all sockets of a run and starts a task for each thing that arrives.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};

use super::shared::Shared;
use super::stats::{Reason, Target, add};
use super::udp::Datagrams;
use super::{Sockets, dns, links};

/// Sockets whose readiness is read at once.
const EVENTS: usize = 32;

/// Connections or packets taken from one socket before the others get their turn.
const BATCH: usize = 16;

/// How long to wait when the process has run out of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(20);

/// The largest query that is read; a longer one is cut and then found malformed.
const LARGEST_QUERY: usize = 4096;

#[derive(Debug)]
pub(super) struct Driver {
    ready: AsyncFd<Ready>,
    sockets: Vec<Socket>,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Udp(Arc<Datagrams>),
}

/// All sockets behind one descriptor: the runtime learns one thing per run, not thirteen.
#[derive(Debug)]
struct Ready(Epoll);

impl AsRawFd for Ready {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Udp(datagrams) => datagrams.as_fd(),
        }
    }
}

/// What one look at a socket came to.
enum Outcome {
    /// Go on; whatever is left makes the socket ready again.
    Served,
    /// The process is out of something that others will give back.
    Exhausted,
    /// The socket will never work again.
    Broken(io::Error),
}

impl Driver {
    pub(super) fn new(sockets: Sockets, shared: Arc<Shared>) -> io::Result<Self> {
        let mut watched = Vec::with_capacity(sockets.tcp.len() + sockets.udp.len());
        for socket in sockets.tcp {
            let listener = TcpListener::from(socket);
            listener.set_nonblocking(true)?;
            watched.push(Socket::Tcp(listener));
        }
        for socket in sockets.udp {
            watched.push(Socket::Udp(Arc::new(Datagrams::new(socket)?)));
        }
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        for (place, socket) in (0..).zip(&watched) {
            epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, place))?;
        }
        Ok(Self {
            ready: watch(epoll)?,
            sockets: watched,
            shared,
            tasks: JoinSet::new(),
        })
    }

    /// Serves until told to stop; dropping the future closes everything as well.
    pub(super) async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut events = [EpollEvent::empty(); EVENTS];
        loop {
            let count = tokio::select! {
                _ = &mut stopped => break,
                Some(ended) = self.tasks.join_next() => {
                    report(ended);
                    continue;
                }
                ready = self.ready.readable() => match ready {
                    Ok(guard) => read_events(guard, &mut events),
                    Err(error) => {
                        tracing::error!(%error, "the runtime no longer watches a run's sockets");
                        break;
                    }
                },
            };
            self.serve(&events[..count]).await;
        }
        self.tasks.shutdown().await;
    }

    async fn serve(&mut self, events: &[EpollEvent]) {
        for event in events {
            let place = usize::try_from(event.data()).expect("places of sockets are small");
            let outcome = match &self.sockets[place] {
                Socket::Tcp(listener) => accept(listener, &self.shared, &mut self.tasks),
                Socket::Udp(datagrams) => receive(datagrams, &self.shared, &mut self.tasks),
            };
            match outcome {
                Outcome::Served => {}
                Outcome::Exhausted => tokio::time::sleep(PAUSE).await,
                Outcome::Broken(error) => self.forget(place, &error),
            }
        }
    }

    /// Stops watching a socket, which would otherwise be ready for ever.
    fn forget(&self, place: usize, error: &io::Error) {
        tracing::error!(%error, "a socket of a run is broken and no longer served");
        if let Err(error) = self.ready.get_ref().0.delete(&self.sockets[place]) {
            tracing::error!(%error, "a broken socket of a run cannot be given up");
        }
    }
}

/// Hands the descriptor to the runtime.
#[expect(
    deprecated,
    reason = "the successor is an unsafe function that asks for one owned descriptor which never               changes; `Ready` is just that, and its field is private to this file"
)]
fn watch(epoll: Epoll) -> io::Result<AsyncFd<Ready>> {
    AsyncFd::with_interest(Ready(epoll), Interest::READABLE)
}

/// Which sockets are ready now; none ends the readiness of the descriptor before them.
fn read_events(
    mut guard: AsyncFdReadyGuard<'_, Ready>,
    events: &mut [EpollEvent; EVENTS],
) -> usize {
    match guard.get_inner().0.wait(events, EpollTimeout::ZERO) {
        Ok(count) if count > 0 => count,
        Ok(_) | Err(_) => {
            guard.clear_ready();
            0
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, tasks: &mut JoinSet<()>) -> Outcome {
    for _ in 0..BATCH {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => return outcome_of(error),
        };
        if let Err(error) = start_link(stream, shared, tasks) {
            tracing::warn!(%error, "a connection of a run could not be taken over");
        }
    }
    Outcome::Served
}

fn receive(datagrams: &Arc<Datagrams>, shared: &Arc<Shared>, tasks: &mut JoinSet<()>) -> Outcome {
    let mut buffer = [0; LARGEST_QUERY];
    for _ in 0..BATCH {
        let (length, envelope) = match datagrams.receive(&mut buffer) {
            Ok(received) => received,
            Err(error) => return outcome_of(error),
        };
        add(&shared.stats.queries, 1);
        let Ok(turn) = Arc::clone(&shared.queries).try_acquire_owned() else {
            add(&shared.stats.queries_dropped, 1);
            continue;
        };
        let (packet, shared) = (buffer[..length].to_vec(), Arc::clone(shared));
        let datagrams = Arc::clone(datagrams);
        tasks.spawn(async move {
            let _turn = turn;
            if let Some(reply) = dns::answer(&shared, &packet, dns::Transport::Udp).await {
                // the run may have closed its socket by now, and a lost answer is asked for again
                let _ = datagrams.send(&reply, &envelope);
            }
        });
    }
    Outcome::Served
}

/// Judges a connection and hands it to a task, or resets it at once.
fn start_link(
    stream: std::net::TcpStream,
    shared: &Arc<Shared>,
    tasks: &mut JoinSet<()>,
) -> io::Result<()> {
    let local = stream.local_addr()?;
    let target = SocketAddr::new(local.ip().to_canonical(), local.port());
    stream.set_nonblocking(true)?;
    let stream = TcpStream::from_std(stream)?;
    let limit = shared.limits.connections;
    let permit = Arc::clone(&shared.links)
        .try_acquire_owned()
        .map_err(|_| Reason::TooManyConnections(limit));
    let is_dns = target.port() == dns::PORT;
    let admitted = if is_dns { Ok(()) } else { shared.admit(target) };
    match admitted.and(permit) {
        Err(reason) => {
            shared.stats.note(Target::Address(target), reason);
            links::reset(&stream);
        }
        Ok(permit) => {
            let shared = Arc::clone(shared);
            tasks.spawn(async move {
                let _permit = permit;
                if is_dns {
                    dns::serve_stream(&shared, stream).await;
                } else {
                    links::serve(&shared, stream, target).await;
                }
            });
        }
    }
    Ok(())
}

/// What an error at a socket means for it. Errors of the network below a connection count as
/// served: Linux hands them to the next `accept`.
fn outcome_of(error: io::Error) -> Outcome {
    let code = error.raw_os_error().map(Errno::from_raw);
    if let Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) = code {
        return Outcome::Exhausted;
    }
    if let Some(Errno::EINVAL | Errno::EBADF | Errno::ENOTSOCK) = code {
        return Outcome::Broken(error);
    }
    Outcome::Served
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection of a run ended badly");
    }
}
