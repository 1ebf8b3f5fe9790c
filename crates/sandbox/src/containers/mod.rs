//! Children in containers of an OCI engine (podman or docker), by its command line.
//!
//! A child whose [`Spec`] names an image gets a **conductor** instead of a PID 1 of ours: a process outside the
//! container that drives the engine, holds the lease, and says what a PID 1 says, in the same words. What follows a
//! child, what keeps it over a restart and what reads its output know no difference.
//!
//! Nothing secret reaches the engine: neither its command line nor what it stores of a container has the child's
//! variables, which the first program of the container reads from a named pipe. The output goes through named pipes
//! too, from the child to the server without the engine between.

pub(crate) mod engine;
pub(crate) mod folder;
mod images;
mod sweep;

use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::process::Command;

pub use engine::{Containers, Kind, Pull, ask_version};
pub use images::Image;

use crate::channel;
use crate::config::{Config, Mode};
use crate::error::Error;
use crate::inner::CONDUCTOR_ARGUMENT;
use crate::link;
use crate::output::Output;
use crate::spec::Spec;
use crate::wire::Body;
use crate::wire::container::Request;
use engine::Engine;
use folder::Folder;
use images::Images;

/// First host user id of children when the server is root; slot `n` has this plus `n`. The process sandbox has the
/// same: a slot is one child's.
const FIRST_USER: u32 = 200_000;

/// What starts the children that have an image.
pub(crate) struct Engines {
    engine: Engine,
    images: Arc<Images>,
    config: Config,
    /// Whether the server is root, and each child another user of the host.
    is_root: bool,
    /// In the names of this server's containers, so that none is used twice.
    began: u64,
    next: AtomicU64,
}

/// A container that a supervisor looks after.
pub(crate) struct Watched {
    pub(crate) engines: Arc<Engines>,
    pub(crate) name: String,
    pub(crate) image: String,
}

/// What of a child in a container is the server's.
pub(crate) struct Started {
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    pub(crate) control: OwnedFd,
    pub(crate) name: String,
}

impl Engines {
    /// Asks the engine who it is.
    pub(crate) async fn start(config: &Config, containers: &Containers) -> Result<Self, Error> {
        let engine = Engine::find(containers).await?;
        Ok(Self {
            engine,
            images: Arc::new(Images::new(containers.pull)),
            config: config.clone(),
            is_root: rustix::process::geteuid().is_root(),
            began: folder::now_ns(),
            next: AtomicU64::new(0),
        })
    }

    /// Removes what former servers of this instance left with nobody to look after it.
    pub(crate) async fn sweep(&self) -> Result<(), Error> {
        sweep::sweep(&self.engine, &self.config, &self.prefix()).await
    }

    /// Whether an image is known to be there.
    pub(crate) fn has(&self, image: &str) -> bool {
        self.images.has(image)
    }

    /// Has an image ready.
    pub(crate) async fn prepare(&self, image: &str) -> Result<Image, Error> {
        self.images.prepare(&self.engine, image).await
    }

    /// What the names of all containers of this very server begin with.
    fn prefix(&self) -> String {
        format!("marquetry-{}-{:x}-", self.config.instance, self.began)
    }

    /// Starts a conductor and gives it all that it needs; the container does not stand yet.
    pub(crate) fn begin(
        &self,
        image: &Image,
        spec: &Spec,
        body: Body,
        slot: u32,
    ) -> Result<Started, Error> {
        check(spec)?;
        let config = &self.config;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}{number}", self.prefix());
        let user = self.is_root.then(|| FIRST_USER + slot);
        let folder = Folder::make(&config.scratch_dir, &name, user)
            .map_err(Error::system("make a container's folder"))?;
        let outputs = folder.outputs().map_err(Error::system("make a pipe"));
        let [(stdout, stdout_end), (stderr, stderr_end)] = outputs?;
        let request = Request {
            engine: self.engine.clone(),
            instance: config.instance.clone(),
            folder: folder.path.clone(),
            name: name.clone(),
            image: image.name.clone(),
            volumes: image.volumes.clone(),
            is_strict: config.mode == Mode::Full,
            user,
            body,
        };
        let ends = [&stdout_end, &stderr_end];
        let control = conductor(config, &request, ends)?;
        folder.hand_over();
        Ok(Started {
            stdout,
            stderr,
            control,
            name,
        })
    }

    /// A container of an image did not start: it may be gone.
    pub(crate) fn has_failed(&self, image: &str) {
        self.images.forget(image);
    }

    /// Removes a container whose conductor has vanished.
    pub(crate) async fn remove(&self, name: &str) {
        sweep::remove(&self.engine, &self.config, name).await;
    }
}

/// Starts one, whose end of the socket is its standard input.
fn conductor(config: &Config, request: &Request, outputs: [&OwnedFd; 2]) -> Result<OwnedFd, Error> {
    let program = config.helper_path();
    let failed = |source: std::io::Error| Error::StartSpawner {
        program: program.clone(),
        source,
    };
    let (ours, theirs) = channel::pair().map_err(Error::system("make a socket"))?;
    let process = Command::new(&program)
        .args(&config.helper_args)
        .arg(CONDUCTOR_ARGUMENT)
        .env_clear()
        .envs(engine::environment())
        .current_dir("/")
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    // Its end is heard by its descriptor; the runtime reaps it.
    drop(process);
    let body = link::memory_file(&request.encode()).map_err(Error::system("make a memory file"))?;
    let fds = [body.as_fd(), outputs[0].as_fd(), outputs[1].as_fd()];
    channel::send(&ours, b"container", &fds, true)
        .map_err(|source| failed(std::io::Error::from(source)))?;
    Ok(ours)
}

/// What an engine's command line cannot say.
fn check(spec: &Spec) -> Result<(), Error> {
    use std::os::unix::ffi::OsStrExt as _;
    let has_colon = |path: &std::path::Path| path.as_os_str().as_bytes().contains(&b':');
    let ill = |mount: &&crate::Mount| has_colon(&mount.source) || has_colon(&mount.target);
    match spec.mounts.iter().find(ill) {
        Some(mount) => Err(Error::MountName {
            path: mount.source.clone(),
        }),
        None => Ok(()),
    }
}
