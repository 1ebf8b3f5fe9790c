//! Images: whether the machine has one, fetching one that it has not, and turns to start.
//!
//! That may take minutes, so it is done before a child begins: its lease is for what runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::engine::{Engine, Kind, Pull};
use crate::error::Error;

/// How long fetching an image may take.
const FETCH: Duration = Duration::from_mins(30);
/// Prints the folders that an image declares to be volumes, a line each.
const VOLUMES: &str = "{{range $folder, $_ := .Config.Volumes}}{{println $folder}}{{end}}";

/// An image that is on this machine, and a turn to start a container of it ([`crate::Sandbox::prepare`]).
#[derive(Debug, Clone)]
pub struct Image {
    pub(crate) name: String,
    /// Folders that must be covered, because the engine would make each a disk without a limit.
    pub(crate) volumes: Vec<String>,
    /// As many start at once as the machine can start: a lease is not for waiting.
    _turn: Arc<OwnedSemaphorePermit>,
}

/// What is known of the engine's images.
pub(crate) struct Images {
    pull: Pull,
    /// With their volumes.
    present: Mutex<BTreeMap<String, Vec<String>>>,
    /// Each is held while its image is looked for or fetched: others who want it wait, and find it.
    looking: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    turns: Arc<Semaphore>,
}

impl Images {
    pub(crate) fn new(pull: Pull) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            pull,
            present: Mutex::default(),
            looking: Mutex::default(),
            turns: Arc::new(Semaphore::new(2 * processors)),
        }
    }

    /// Sees to it that an image is there, as far as it may be fetched; where it is not and may not, the engine says so
    /// when it starts. Waits for a turn to do that.
    pub(crate) async fn prepare(
        self: &Arc<Self>,
        engine: &Engine,
        name: &str,
    ) -> Result<Image, Error> {
        let volumes = self.ensure(engine, name).await?;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|_| Error::NoEngine {
            image: name.to_owned(),
        })?;
        Ok(Image {
            name: name.to_owned(),
            volumes,
            _turn: Arc::new(turn),
        })
    }

    async fn ensure(self: &Arc<Self>, engine: &Engine, name: &str) -> Result<Vec<String>, Error> {
        if let Some(volumes) = self.found(name) {
            return Ok(volumes);
        }
        let looking = Arc::clone(lock(&self.looking).entry(name.to_owned()).or_default());
        let others_wait = looking.lock_owned().await;
        if let Some(volumes) = self.found(name) {
            return Ok(volumes);
        }
        // Who wants it first may give it up: the others, and the next one, want it still.
        let (this, engine, name) = (Arc::clone(self), engine.clone(), name.to_owned());
        let looked = tokio::spawn(async move {
            let _others_wait = others_wait;
            this.look(&engine, &name).await
        });
        looked.await.unwrap_or_else(|_| Ok(Vec::new()))
    }

    /// Looks for an image, and fetches it where that is wanted.
    async fn look(&self, engine: &Engine, name: &str) -> Result<Vec<String>, Error> {
        let words = ["image", "inspect", "--format", VOLUMES, name];
        let mut said = engine.tell(&words).await;
        if said.is_err() && self.pull == Pull::Missing {
            tracing::info!(image = name, "an image is fetched");
            engine.fetch(FETCH, name).await?;
            said = engine.tell(&words).await;
        }
        let Ok(said) = said else {
            return Ok(Vec::new());
        };
        let volumes = match engine.kind {
            // It is told to make none.
            Kind::Podman => Vec::new(),
            Kind::Docker => said
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect(),
        };
        lock(&self.present).insert(name.to_owned(), volumes.clone());
        Ok(volumes)
    }

    /// Whether an image is known to be there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.found(name).is_some()
    }

    /// It may be gone: the next child looks.
    pub(crate) fn forget(&self, name: &str) {
        lock(&self.present).remove(name);
        lock(&self.looking).remove(name);
    }

    fn found(&self, name: &str) -> Option<Vec<String>> {
        lock(&self.present).get(name).cloned()
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
