//! The server's view of the sandbox.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::io::unix::AsyncFd;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::cgroup::Groups;
use crate::channel;
use crate::child::Child;
use crate::config::{Config, Mode};
use crate::containers::{Engines, Image, Watched};
use crate::detect;
use crate::direct;
use crate::disk_watch::DiskWatch;
use crate::error::Error;
use crate::keep::{self, About, Keepers, Kept};
use crate::link::Link;
use crate::output::Output;
use crate::report::{PartName, Report};
use crate::request::{Request, body, check, host_resolver};
use crate::slots::Slots;
use crate::spec::{Mount, Network, Spec};
use crate::supervise::{self, Stands, Supervised};
use crate::taking::{self, TakenBack};
use crate::watched;
use crate::wire::Setup;

/// How long a start waits for former containers to be removed.
const SWEEP: std::time::Duration = std::time::Duration::from_secs(10);

/// Starts children under limits. Clones share one spawner.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    config: Config,
    report: Report,
    way: Way,
    /// For children that have an image.
    engines: Option<Arc<Engines>>,
    slots: Slots,
}

/// How children are started.
enum Way {
    /// In mode off: by us, only so many at once.
    Direct(Semaphore),
    Confined(Box<Confined>),
}

impl Inner {
    /// Starts a child in a container.
    async fn contain(&self, image: &Image, spec: &Spec) -> Result<Child, Error> {
        let Some(engines) = &self.engines else {
            return Err(Error::NoEngine {
                image: image.name.clone(),
            });
        };
        let slot = self.slots.take().ok_or(Error::TooMany)?;
        let begun = engines.begin(image, spec, body(spec, false), slot.number)?;
        let about = About {
            slot: slot.number,
            wants_egress: matches!(spec.network, Network::Relayed { .. }),
            container: begun.name.clone(),
            ..About::default()
        };
        let control = watched::watch(begun.control).map_err(Error::system("watch a socket"))?;
        let (asks, ask_receiver) = mpsc::unbounded_channel();
        let (ended_sender, ended) = watch::channel(None);
        let supervised = Supervised {
            groups: None,
            group: None,
            _slot: Some(slot),
            disk: DiskWatch::new(&spec.mounts),
            container: Some(Watched {
                engines: Arc::clone(engines),
                name: begun.name,
                image: image.name.clone(),
            }),
            asks: ask_receiver,
            ended: ended_sender,
        };
        let Stands { egress, handles } = stand(supervised, control, about).await?;
        let child = Child::new(begun.stdout, begun.stderr, egress, asks, ended);
        Ok(child.with(handles))
    }

    fn confined(&self) -> Option<&Confined> {
        match &self.way {
            Way::Direct(_) => None,
            Way::Confined(confined) => Some(confined),
        }
    }
}

struct Confined {
    setup: Setup,
    groups: Option<Arc<Groups>>,
    link: RwLock<Option<Arc<Link>>>,
    /// Held while a spawner is started in place of one that has gone.
    restart: tokio::sync::Mutex<()>,
    keepers: Keepers,
    taken_back: Mutex<Vec<TakenBack>>,
    /// A child was left.
    has_left: AtomicBool,
}

impl Sandbox {
    /// Tries what the host offers and starts the spawner.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where [`Mode::Full`] lacks a part, and errors of starting the
    /// spawner.
    pub async fn start(config: Config) -> Result<Self, Error> {
        check_instance(&config.instance)?;
        let engines = match &config.containers {
            Some(containers) => Some(Arc::new(Engines::start(&config, containers).await?)),
            None => None,
        };
        let slots = Slots::default();
        if config.mode == Mode::Off {
            keep::end_all(&config.scratch_dir).await;
            sweep(engines.as_ref()).await;
            return Ok(Self(Arc::new(Inner {
                config,
                report: Report { parts: Vec::new() },
                way: Way::Direct(starts()),
                engines,
                slots,
            })));
        }
        let groups = Groups::find(Path::new("/proc/self"), &config.instance);
        let report = detect::report(&config, &groups);
        if config.mode == Mode::Full && !report.is_full() {
            return Err(Error::Unavailable {
                missing: report.missing_text(),
            });
        }
        let groups = groups.ok().map(Arc::new);
        let former = keep::take(&config.scratch_dir).await;
        let locks = taking::locks(groups.as_deref())?;
        let keepers = Keepers::new(locks, former.as_ref()).await;
        let taken_back = taking::take_back(former, groups.as_ref(), &slots, engines.as_ref());
        let taken_back = Box::pin(taken_back).await;
        sweep(engines.as_ref()).await;
        let leave_out = config.without_namespaces && config.mode == Mode::Degraded;
        let setup = Setup {
            namespaces: report.has_namespaces() && !leave_out,
            landlock: report.has(PartName::Landlock),
            seccomp: report.has(PartName::Seccomp),
            toolchain_paths: config.toolchain_paths.clone(),
            hidden_paths: config.hidden_paths.clone(),
            scratch_dir: config.scratch_dir.clone(),
        };
        let link = match Link::start(&config, &setup).await {
            Ok(link) => link,
            Err(error) => {
                // They are the next server's.
                for one in &taken_back {
                    one.child.let_go();
                }
                return Err(error);
            }
        };
        let confined = Confined {
            setup,
            groups,
            link: RwLock::new(Some(Arc::new(link))),
            restart: tokio::sync::Mutex::new(()),
            keepers,
            taken_back: Mutex::new(taken_back),
            has_left: AtomicBool::new(false),
        };
        Ok(Self(Arc::new(Inner {
            config,
            report,
            way: Way::Confined(Box::new(confined)),
            engines,
            slots,
        })))
    }

    /// What this host offers; empty in mode off.
    pub fn report(&self) -> &Report {
        &self.0.report
    }

    /// The mode it was started in.
    pub fn mode(&self) -> Mode {
        self.0.config.mode
    }

    /// Whether children have a root file system of their own: then [`Mount::target`],
    /// [`crate::HOME`] and [`crate::TMP`] are the paths they see, else the mounts' sources are, and
    /// the caller gives them folders for home and temporary files among the writable mounts.
    pub fn has_own_root(&self) -> bool {
        self.0
            .confined()
            .is_some_and(|confined| confined.setup.namespaces)
    }

    /// The path under which a child sees a mount.
    pub fn path_inside<'a>(&self, mount: &'a Mount) -> &'a Path {
        if self.has_own_root() {
            &mount.target
        } else {
            &mount.source
        }
    }

    /// Starts a child.
    ///
    /// # Errors
    /// Nothing has been started then. A command that cannot be found or started is no error: the
    /// child ends with 127 or 126 and says so on its standard error (not so in mode off).
    pub async fn spawn(&self, spec: Spec) -> Result<Child, Error> {
        check(&spec)?;
        if let Some(image) = &spec.image {
            return self.0.contain(image, &spec).await;
        }
        match &self.0.way {
            Way::Direct(starts) => {
                let _turn = starts.acquire().await;
                direct::spawn(&spec)
            }
            Way::Confined(confined) => confined.spawn(&self.0, spec).await,
        }
    }

    /// Has an image ready for a child that is to start now: fetches it where that is wanted, which may take minutes, and
    /// waits for a turn to start.
    ///
    /// # Errors
    /// There is no engine, or it cannot fetch it.
    pub async fn prepare(&self, image: &str) -> Result<Image, Error> {
        let engines = self.0.engines.as_ref().ok_or_else(|| Error::NoEngine {
            image: image.to_owned(),
        })?;
        engines.prepare(image).await
    }

    /// Whether [`Self::prepare`] need not look for an image.
    pub fn knows(&self, image: &str) -> bool {
        self.0
            .engines
            .as_ref()
            .is_some_and(|engines| engines.has(image))
    }

    /// Whether there is an engine for children that have an image.
    pub fn has_containers(&self) -> bool {
        self.0.engines.is_some()
    }

    /// Whether children can outlive this server: not without a sandbox.
    pub fn can_keep(&self) -> bool {
        self.0.confined().is_some()
    }

    /// Lets a child outlive this server: until the answer is told to forget it, the next server on the same folder takes it
    /// back under this label. What was read of its output by then is not given to that server, and must be in the label,
    /// but for the last bytes of its standard error, which are held;
    /// what is read from here on is, until it is said that it is not needed any more.
    ///
    /// # Errors
    /// There is no keeper to be had, or the child has no sandbox.
    pub async fn keep(&self, child: &mut Child, label: &[u8], held: &[u8]) -> Result<Kept, Error> {
        let (Some(confined), Some(handles)) = (self.0.confined(), &child.handles) else {
            return Err(Error::Setup {
                reason: "without a sandbox nobody keeps it".to_owned(),
            });
        };
        let journals = child.stdout.begin_journal(b"");
        let journals = journals.and_then(|()| child.stderr.begin_journal(held));
        let outputs = [&child.stdout, &child.stderr];
        let kept = match journals {
            Ok(()) => {
                let keepers = &confined.keepers;
                keepers.keep(&self.0.config, handles, outputs, label).await
            }
            Err(error) => Err(Error::system("make a memory file")(error)),
        };
        if kept.is_err() {
            child.stdout.end_journal();
            child.stderr.end_journal();
        }
        kept
    }

    /// Lets go of a child that is kept: it lives on until its lease ends or another server takes it back.
    pub async fn leave(&self, child: &Child) {
        if let Some(confined) = self.0.confined() {
            confined.has_left.store(true, Ordering::SeqCst);
        }
        child.leave().await;
    }

    /// What a former server on this folder left. Dropping the child of one ends it.
    pub fn take_back(&self) -> Vec<TakenBack> {
        let Some(confined) = self.0.confined() else {
            return Vec::new();
        };
        let mut taken = confined
            .taken_back
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *taken)
    }

    /// Process id of the spawner, for diagnosis; `None` in mode off.
    pub fn spawner_id(&self) -> Option<u32> {
        let confined = self.0.confined()?;
        confined.current(None)?.process_id()
    }

    /// Ends all children but those that were left, the spawner with the last of them, and removes the control
    /// groups that are empty.
    pub async fn shutdown(&self) {
        let Some(confined) = self.0.confined() else {
            return;
        };
        let link = confined
            .link
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(link) = link.and_then(Arc::into_inner) {
            let waits = !confined.has_left.load(Ordering::SeqCst);
            link.shutdown(waits).await;
        }
        if let Some(groups) = &confined.groups {
            groups.remove();
        }
    }
}

impl Drop for Confined {
    /// What was not asked for is the next server's.
    fn drop(&mut self) {
        let taken = self
            .taken_back
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        for one in taken.drain(..) {
            one.child.let_go();
        }
    }
}

impl Confined {
    async fn spawn(&self, inner: &Inner, mut spec: Spec) -> Result<Child, Error> {
        let config = &inner.config;
        if self.setup.namespaces && spec.network == Network::Host {
            spec.mounts.extend(host_resolver());
        }
        let slot = inner.slots.take().ok_or(Error::TooMany)?;
        let group = match &self.groups {
            Some(groups) => Some(groups.take(&spec.limits)?),
            None => None,
        };
        let pipes = Output::pipes().map_err(Error::system("make a pipe"))?;
        let [(stdout, stdout_end), (stderr, stderr_end)] = pipes;
        let (ours, theirs) = channel::pair().map_err(Error::system("make a socket"))?;
        let control = watched::watch(ours).map_err(Error::system("watch a socket"))?;
        let disk = DiskWatch::new(&spec.mounts);
        let wants_egress = self.setup.namespaces && matches!(spec.network, Network::Relayed { .. });
        let request = Request {
            fds: [stdout_end, stderr_end, theirs],
            slot: &slot,
            group: group.as_ref(),
            spec,
        };
        self.send(config, request).await?;
        let (asks, ask_receiver) = mpsc::unbounded_channel();
        let (ended_sender, ended) = watch::channel(None);
        let about = About {
            slot: slot.number,
            wants_egress,
            ..About::default()
        };
        let supervised = Supervised {
            groups: self.groups.clone(),
            group,
            _slot: Some(slot),
            disk,
            container: None,
            asks: ask_receiver,
            ended: ended_sender,
        };
        let Stands { egress, handles } = stand(supervised, control, about).await?;
        Ok(Child::new(stdout, stderr, egress, asks, ended).with(handles))
    }

    /// Sends a request, to a new spawner where the old one has gone.
    async fn send(&self, config: &Config, request: Request<'_>) -> Result<(), Error> {
        let link = self.link(config, None).await?;
        match request.send(&link, self.groups.is_none()).await {
            Err(Error::SpawnerGone { source }) => {
                tracing::warn!(error = %source, "the sandbox's spawner has gone; starting another");
                let link = self.link(config, Some(&link)).await?;
                request.send(&link, self.groups.is_none()).await
            }
            result => result,
        }
    }

    /// The spawner, another than `gone`.
    async fn link(&self, config: &Config, gone: Option<&Arc<Link>>) -> Result<Arc<Link>, Error> {
        if let Some(link) = self.current(gone) {
            return Ok(link);
        }
        let _one_at_a_time = self.restart.lock().await;
        if let Some(link) = self.current(gone) {
            return Ok(link);
        }
        let link = Arc::new(Link::start(config, &self.setup).await?);
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&link));
        Ok(link)
    }

    fn current(&self, gone: Option<&Arc<Link>>) -> Option<Arc<Link>> {
        let link = self.link.read().unwrap_or_else(PoisonError::into_inner);
        link.as_ref()
            .filter(|link| gone.is_none_or(|gone| !Arc::ptr_eq(link, gone)))
            .cloned()
    }
}

/// Removes containers that nobody looks after; what takes longer goes on meanwhile, and what fails is for the next start:
/// they run no more, and others wait for this server.
async fn sweep(engines: Option<&Arc<Engines>>) {
    let Some(engines) = engines.cloned() else {
        return;
    };
    let sweeping = tokio::spawn(async move {
        if let Err(error) = engines.sweep().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "what former containers left cannot be removed");
        }
    });
    let _ = tokio::time::timeout(SWEEP, sweeping).await;
}

/// Follows a child from now on; answers when it stands.
async fn stand(
    supervised: Supervised,
    control: AsyncFd<OwnedFd>,
    about: About,
) -> Result<Stands, Error> {
    let (ready, stands) = oneshot::channel();
    tokio::spawn(supervise::run(supervised, control, about, ready));
    stands.await.unwrap_or_else(|_| {
        Err(Error::SpawnerGone {
            source: std::io::ErrorKind::UnexpectedEof.into(),
        })
    })
}

/// A thread that starts a child waits until the kernel has loaded its program. As many as there are
/// processors: more would load no faster, and of a burst, all children would be started, and have ended,
/// before anybody got round to what they say.
fn starts() -> Semaphore {
    Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))
}

fn check_instance(name: &str) -> Result<(), Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !name.is_empty() && name.bytes().all(fits) {
        return Ok(());
    }
    Err(Error::InstanceName {
        name: name.to_owned(),
    })
}
