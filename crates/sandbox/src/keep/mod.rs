//! Children that outlive the server: a small process keeps their descriptors, and gives them to the server that
//! is started next on the same data.
//!
//! The keeper is told of a child when that has lived for a while; of short ones it never hears. It does
//! nothing: what holds a child is its PID 1, which still ends it when the lease passes that some server
//! must move.

mod about;
mod link;
mod take;
pub(crate) mod wire;

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rustix::net::SocketAddrUnix;
use tokio::io::unix::AsyncFd;

pub(crate) use about::About;
use link::KeeperLink;
pub(crate) use take::{End, Taken, end_all, take};

use crate::config::Config;
use crate::error::Error;

/// Where a keeper listens, below the sandbox's folder. The number is that of what is said there and to a
/// PID 1: a server that says something else has another, and ends what an older keeper keeps.
const SOCKET: &str = "keeper-3.sock";

/// What the server and the keeper both have of a child.
#[derive(Debug)]
pub(crate) struct Handles {
    pub(crate) control: AsyncFd<OwnedFd>,
    pub(crate) pidfd: AsyncFd<OwnedFd>,
    pub(crate) about: About,
}

/// Descriptors of a kept child, as they travel.
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) control: OwnedFd,
    pub(crate) pidfd: OwnedFd,
    /// Its pipe and its journal.
    pub(crate) stdout: [OwnedFd; 2],
    pub(crate) stderr: [OwnedFd; 2],
    /// [`About`], and what the caller calls it.
    pub(crate) body: OwnedFd,
}

/// How many descriptors an entry has.
pub(crate) const PARTS: usize = 7;

impl Entry {
    pub(crate) fn of(id: u64, fds: Vec<OwnedFd>) -> Option<Self> {
        let [control, pidfd, out, out_read, err, err_read, body] =
            <[OwnedFd; PARTS]>::try_from(fds).ok()?;
        Some(Self {
            id,
            control,
            pidfd,
            stdout: [out, out_read],
            stderr: [err, err_read],
            body,
        })
    }
}

/// The keeper of this server, which is started when there is something to keep.
pub(crate) struct Keepers {
    /// Locks that the keeper holds too.
    locks: Vec<OwnedFd>,
    next: AtomicU64,
    link: RwLock<Option<Arc<KeeperLink>>>,
    /// Held while one is started.
    starting: tokio::sync::Mutex<()>,
}

impl Keepers {
    /// Goes on with the keeper of a former server, if there is one.
    pub(crate) async fn new(locks: Vec<OwnedFd>, former: Option<&Taken>) -> Self {
        if let Some(taken) = former {
            // One that has gone keeps nothing.
            let _ = taken.link.hold(&locks).await;
        }
        let next = former.and_then(|taken| taken.entries.iter().map(|entry| entry.id).max());
        Self {
            locks,
            next: AtomicU64::new(next.map_or(0, |last| last + 1)),
            link: RwLock::new(former.map(|taken| Arc::clone(&taken.link))),
            starting: tokio::sync::Mutex::new(()),
        }
    }

    /// Gives copies of a child's descriptors to the keeper.
    pub(crate) async fn keep(
        &self,
        config: &Config,
        handles: &Handles,
        outputs: [&crate::Output; 2],
        label: &[u8],
    ) -> Result<Kept, Error> {
        let body = handles.about.with(label);
        let body = crate::link::memory_file(&body).map_err(Error::system("make a memory file"))?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let link = self.link(config).await?;
        match link.keep(id, handles, outputs, &body).await {
            Ok(()) => Ok(Kept::new(link, id)),
            Err(source) => {
                // The next child finds another one.
                self.forget(&link);
                Err(Error::SpawnerGone { source })
            }
        }
    }

    async fn link(&self, config: &Config) -> Result<Arc<KeeperLink>, Error> {
        if let Some(link) = self.current() {
            return Ok(link);
        }
        let _one_at_a_time = self.starting.lock().await;
        if let Some(link) = self.current() {
            return Ok(link);
        }
        let link = Arc::new(KeeperLink::start(config, &self.locks).await?);
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&link));
        Ok(link)
    }

    fn current(&self) -> Option<Arc<KeeperLink>> {
        self.link
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn forget(&self, gone: &Arc<KeeperLink>) {
        let mut link = self.link.write().unwrap_or_else(PoisonError::into_inner);
        if link.as_ref().is_some_and(|link| Arc::ptr_eq(link, gone)) {
            *link = None;
        }
    }
}

/// A child that the keeper knows, until [`Kept::forget`] says that its end is known. Dropping it says nothing: what a
/// server does not come to is the next one's.
#[derive(Debug)]
pub struct Kept {
    link: Arc<KeeperLink>,
    id: u64,
}

impl Kept {
    pub(crate) fn new(link: Arc<KeeperLink>, id: u64) -> Self {
        Self { link, id }
    }

    /// The next server need not take it back: its end is stored, or nobody wants it.
    pub fn forget(&self) {
        self.link.forget(self.id);
    }

    /// Whether there is a keeper that has it.
    pub fn is_held(&self) -> bool {
        self.link.is_there()
    }
}

/// The address of the keeper's socket by a descriptor of its folder: paths of sockets are short.
fn address(folder: &OwnedFd, name: &str) -> Result<SocketAddrUnix, rustix::io::Errno> {
    use std::os::fd::AsRawFd as _;
    SocketAddrUnix::new(Path::new("/proc/self/fd").join(format!("{}/{name}", folder.as_raw_fd())))
}

fn open_folder(folder: &Path) -> std::io::Result<OwnedFd> {
    Ok(std::fs::File::open(folder)?.into())
}
