//! Interpreters that stand ready for the next run of a release: started ahead in a sandbox of their
//! own, each for one run, and given a tenant's data only when that run has come.
//!
//! Starting Node takes longer than most runs. A process that waits has loaded its interpreter and a
//! file of ours, and nothing of the integration or of a tenant; what it waits for comes through a
//! named pipe in the folder of the run's files. Without the full sandbox another run could read from
//! that pipe, so there is none then. See `docs/decisions/020-prestarted-interpreters.md`.

mod command;
mod ready;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use marquetry_app::jobs::RunJob;
use marquetry_blobs::Unpacked;
use marquetry_manifest::Egress;
use marquetry_model::{IntegrationId, ReleaseId};
use marquetry_sandbox::{Mode, Sandbox};

use crate::execute::reach_of;
use crate::inner::Inner;
use crate::scratch::Place;
use command::{Language, language};
pub(crate) use ready::Waiting;

/// How long one stands ready. No integration that runs less often gains by it.
const LIFE: Duration = Duration::from_secs(30);
/// How long one stands ready before another integration may have its place.
const LEAST: Duration = Duration::from_secs(5);

/// The interpreters of one node.
pub(crate) struct Prestart {
    /// The most that stand ready at one time.
    most: usize,
    /// Where the files lie that they load, which are written when the first one is wanted: starting an
    /// engine empties what is below.
    folder: PathBuf,
    written: OnceLock<()>,
    pool: Mutex<Pool>,
}

#[derive(Default)]
struct Pool {
    ready: Vec<Ready>,
    /// Those that are being started.
    making: usize,
    /// When runs began of which another one may come soon.
    seen: Vec<(Key, Instant)>,
    number: u64,
}

/// One that stands ready.
pub(crate) struct Ready {
    number: u64,
    since: Instant,
    key: Key,
    /// The process.
    pub(crate) waiting: Waiting,
    /// Its folders.
    pub(crate) place: Place,
    /// The code that it sees.
    pub(crate) release: Unpacked,
}

/// What a sandbox is made by: a run of another key needs another one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    integration: IntegrationId,
    release: ReleaseId,
    memory_mb: i64,
    egress: Egress,
    egress_ports: Vec<u16>,
}

impl Key {
    fn of(inner: &Inner, job: &RunJob) -> Self {
        let (egress, memory_mb) = reach_of(inner, job);
        Self {
            integration: job.integration.id,
            release: job.release.id,
            memory_mb,
            egress,
            egress_ports: job.integration.egress_ports.clone(),
        }
    }
}

impl Prestart {
    /// What interpreters load goes below `work_dir`. None stand ready where the sandbox cannot keep
    /// runs apart.
    pub(crate) fn new(most: usize, sandbox: &Sandbox, work_dir: &std::path::Path) -> Self {
        let is_safe =
            sandbox.mode() == Mode::Full && sandbox.has_own_root() && !sandbox.has_containers();
        if most > 0 && !is_safe {
            tracing::warn!(
                "no interpreters are started ahead: that needs the full sandbox, and no containers"
            );
        }
        Self {
            most: if is_safe { most } else { 0 },
            folder: work_dir.join("prestart"),
            written: OnceLock::new(),
            pool: Mutex::default(),
        }
    }

    /// Where the files lie that interpreters load, if they could be written.
    fn folder(&self) -> Option<PathBuf> {
        if self.written.get().is_none() && ready::write_files(&self.folder) {
            let _ = self.written.set(());
        }
        self.written.get().map(|()| self.folder.clone())
    }

    /// One for this run, if there is one.
    pub(crate) fn take(&self, inner: &Inner, job: &RunJob) -> Option<Ready> {
        if self.most == 0 {
            return None;
        }
        let key = Key::of(inner, job);
        let mut pool = self.lock();
        let place = pool.ready.iter().position(|ready| ready.key == key)?;
        Some(pool.ready.swap_remove(place))
    }

    fn remove(&self, number: u64) -> Option<Ready> {
        let mut pool = self.lock();
        let place = pool.ready.iter().position(|ready| ready.number == number)?;
        Some(pool.ready.swap_remove(place))
    }

    /// Whether another run like this began as short ago as an interpreter stands ready.
    fn comes_soon(&self, key: Key) -> bool {
        let now = Instant::now();
        let mut pool = self.lock();
        pool.seen.retain(|(_, at)| now.duration_since(*at) < LIFE);
        if let Some((_, at)) = pool.seen.iter_mut().find(|(known, _)| *known == key) {
            *at = now;
            return true;
        }
        pool.seen.push((key, now));
        false
    }

    /// A place for one that is being started, if there is one. Who has none yet may end the one that
    /// others have had for longest, if that was long: else those that run in turn would only end each
    /// other's.
    fn begin(&self, inner: &Arc<Inner>, key: &Key, is_first: bool) -> Option<Making> {
        let mut pool = self.lock();
        if pool.ready.len() + pool.making >= self.most {
            if !is_first || pool.ready.iter().any(|ready| ready.key == *key) {
                return None;
            }
            let all = pool.ready.iter().enumerate();
            let oldest = all.min_by_key(|(_, ready)| ready.since);
            let (place, _) = oldest.filter(|(_, ready)| ready.since.elapsed() >= LEAST)?;
            let oldest = pool.ready.swap_remove(place);
            inner.tracker.spawn(oldest.waiting.discard(oldest.place));
        }
        pool.making += 1;
        pool.number += 1;
        Some(Making {
            inner: Arc::clone(inner),
            number: pool.number,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is being started.
struct Making {
    inner: Arc<Inner>,
    number: u64,
}

impl Drop for Making {
    fn drop(&mut self) {
        self.inner.prestart.lock().making -= 1;
    }
}

/// Starts one for the next run like this, if that can have one and comes soon, by what came before;
/// two where this one found none that listened.
pub(crate) fn prepare(inner: &Arc<Inner>, job: &RunJob, found: bool) {
    let prestart = &inner.prestart;
    if prestart.most == 0 || inner.stop.is_cancelled() {
        return;
    }
    let Some(language) = language(&job.release.run_command) else {
        return;
    };
    let key = Key::of(inner, job);
    if !prestart.comes_soon(key.clone()) {
        return;
    }
    for number in 0..if found { 1 } else { 2 } {
        let Some(making) = prestart.begin(inner, &key, number == 0) else {
            return;
        };
        inner.tracker.spawn(make(making, job.clone(), language));
    }
}

/// Starts one, and ends it when nobody wants it.
async fn make(making: Making, job: RunJob, language: Language) {
    let (inner, number) = (Arc::clone(&making.inner), making.number);
    let ready = match ready::start(&inner, &job, language, number).await {
        Ok((waiting, place, release)) => Ready {
            number,
            since: Instant::now(),
            key: Key::of(&inner, &job),
            waiting,
            place,
            release,
        },
        Err(error) => {
            // The next run starts its own, and says what is wrong.
            tracing::debug!(
                error = &*error as &dyn std::error::Error,
                "no interpreter was started ahead"
            );
            return;
        }
    };
    drop(job);
    let ended = ready.waiting.ended();
    inner.prestart.lock().ready.push(ready);
    drop(making);
    tokio::select! {
        () = tokio::time::sleep(LIFE) => {}
        () = inner.stop.cancelled() => {}
        // Of itself, or with the run that it was for.
        () = ended => {}
    }
    if let Some(ready) = inner.prestart.remove(number) {
        ready.waiting.discard(ready.place).await;
    }
}
