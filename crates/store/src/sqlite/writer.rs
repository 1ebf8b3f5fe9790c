//! The one writer, with group commit.
//!
//! Writers take turns on one connection, each in a SAVEPOINT of a shared transaction. Whoever
//! finds nobody waiting behind, or a full or old batch, commits for all; nobody is answered
//! before that. So a durable commit costs one fsync for as many writers as came meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use crate::{Error, Result};

/// The most transactions that share one commit.
const MOST: usize = 256;
/// A disk whose commits took no longer than this of late is not worth another thread: waking one,
/// and the caller again, takes as long.
const QUICK: Duration = Duration::from_micros(400);
/// The longest that a finished transaction waits for others.
const LONGEST: Duration = Duration::from_millis(2);

type Answer = std::result::Result<(), Arc<rusqlite::Error>>;

/// The connection and the batch that is open on it.
struct Turn {
    connection: Connection,
    batch: Option<Batch>,
    batches: u64,
    /// How long commits take: the mean of the last few, and at once the longest.
    taking: Duration,
}

struct Batch {
    number: u64,
    since: Instant,
    finished: Vec<oneshot::Sender<Answer>>,
    /// Whether somebody will commit it when all who wait go away.
    watched: bool,
}

#[derive(Clone)]
pub(crate) struct Writers(Arc<Shared>);

struct Shared {
    turn: Arc<Mutex<Turn>>,
    waiting: AtomicUsize,
}

impl Writers {
    pub(crate) fn new(connection: Connection) -> Self {
        let turn = Turn {
            connection,
            batch: None,
            batches: 0,
            // Nothing is known of the disk yet.
            taking: LONGEST,
        };
        Self(Arc::new(Shared {
            turn: Arc::new(Mutex::new(turn)),
            waiting: AtomicUsize::new(0),
        }))
    }

    pub(crate) async fn begin(&self) -> Result<SqliteWriter> {
        let queued = Queued::new(&self.0.waiting);
        let mut turn = Arc::clone(&self.0.turn).lock_owned().await;
        drop(queued);
        turn.open()?;
        Ok(SqliteWriter {
            turn: Some(turn),
            shared: Arc::clone(&self.0),
            shreds: false,
        })
    }

    /// How many wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::SeqCst)
    }

    /// Commits what is open, and empties the log, which takes as long as the disk needs.
    pub(crate) async fn empty_log(&self) -> Result<()> {
        let mut turn = Arc::clone(&self.0.turn).lock_owned().await;
        let emptied = tokio::task::spawn_blocking(move || {
            turn.commit();
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            turn.connection.query_row(sql, [], |_| Ok(()))
        });
        Ok(emptied.await.map_err(|_| Error::Stopped)??)
    }
}

/// Counts one who waits for the turn, also when its future is dropped.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Turn {
    fn open(&mut self) -> Result<()> {
        if self.batch.is_none() {
            self.cached("BEGIN IMMEDIATE")?;
            self.batches += 1;
            self.batch = Some(Batch {
                number: self.batches,
                since: Instant::now(),
                finished: Vec::new(),
                watched: false,
            });
        }
        self.cached("SAVEPOINT one")
    }

    fn cached(&self, sql: &str) -> Result<()> {
        self.connection.prepare_cached(sql)?.raw_execute()?;
        Ok(())
    }

    /// Commits the batch and answers all who are in it.
    fn commit(&mut self) {
        let Some(batch) = self.batch.take() else {
            return;
        };
        let begun = Instant::now();
        let result = self.connection.prepare_cached("COMMIT");
        let result = result.and_then(|mut commit| commit.raw_execute());
        let result = result.map(drop).map_err(Arc::new);
        self.note(begun.elapsed());
        if result.is_err() && !self.connection.is_autocommit() {
            // Nothing more can be done when even this fails; the next BEGIN reports it.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        for waiter in batch.finished {
            // A caller that went away does not want to know.
            let _ = waiter.send(result.clone());
        }
    }

    /// One slow commit is believed at once, quick ones only when there are several.
    fn note(&mut self, took: Duration) {
        self.taking = took.max((self.taking * 7 + took) / 8);
    }

    /// Some failures (disk full, out of memory) roll the whole transaction back, and with it
    /// everybody's savepoint.
    fn was_lost(&self) -> bool {
        self.connection.is_autocommit()
    }
}

/// One transaction of one caller.
pub(crate) struct SqliteWriter {
    turn: Option<OwnedMutexGuard<Turn>>,
    shared: Arc<Shared>,
    /// Whether what it removes is overwritten.
    shreds: bool,
}

impl SqliteWriter {
    /// The connection is this writer's alone until the end of its turn.
    pub(crate) fn shred(&mut self) -> Result<()> {
        self.shreds = true;
        self.connection()
            .pragma_update(None, "secure_delete", true)?;
        Ok(())
    }

    fn shred_no_more(&mut self, turn: &Turn) {
        if std::mem::take(&mut self.shreds) {
            // If it stays on, later writers are slower and nothing else.
            let _ = turn.connection.pragma_update(None, "secure_delete", false);
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self
            .turn
            .as_ref()
            .expect("there until it is committed or dropped")
            .connection
    }

    pub(crate) async fn commit(mut self) -> Result<()> {
        let mut turn = self.turn.take().expect("committed once");
        self.shred_no_more(&turn);
        if let Err(error) = turn.cached("RELEASE one") {
            self.turn = Some(turn);
            return Err(error);
        }
        let (sender, answer) = oneshot::channel();
        if let Some(batch) = &mut turn.batch {
            batch.finished.push(sender);
        }
        pass_on(turn, &self.shared);
        match answer.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Error::Commit(error)),
            Err(_) => Err(Error::Stopped),
        }
    }
}

/// Gives the turn to the next one, or commits when there is none or the batch is due.
fn pass_on(mut turn: OwnedMutexGuard<Turn>, shared: &Arc<Shared>) {
    let others = shared.waiting.load(Ordering::SeqCst) > 0;
    let Some(batch) = &mut turn.batch else { return };
    let due = batch.finished.len() >= MOST || batch.since.elapsed() >= LONGEST;
    if others && !due {
        batch.watched = batch.watched || watch(batch.number, &shared.turn);
        if batch.watched {
            return;
        }
    }
    commit_aside(turn);
}

/// A slow fsync must not hold up a thread that serves requests; where there is no runtime, there
/// are no requests either.
fn commit_aside(mut turn: OwnedMutexGuard<Turn>) {
    if turn.taking <= QUICK {
        turn.commit();
        return;
    }
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(move || turn.commit())),
        Err(_) => turn.commit(),
    }
}

/// Those who wait may all go away without taking their turn; then nobody would commit. Answers
/// whether there is a runtime to wait on.
fn watch(number: u64, turn: &Arc<Mutex<Turn>>) -> bool {
    let Ok(runtime) = Handle::try_current() else {
        return false;
    };
    let turn = Arc::clone(turn);
    runtime.spawn(async move {
        tokio::time::sleep(LONGEST).await;
        let turn = turn.lock_owned().await;
        let open = turn.batch.as_ref();
        if open.is_some_and(|batch| batch.number == number) {
            commit_aside(turn);
        }
    });
    true
}

impl Drop for SqliteWriter {
    fn drop(&mut self) {
        let Some(mut turn) = self.turn.take() else {
            return;
        };
        self.shred_no_more(&turn);
        if turn.was_lost() {
            // Answering with a commit that fails tells everybody in the batch.
            turn.commit();
            return;
        }
        let undone = turn
            .cached("ROLLBACK TO one")
            .and_then(|()| turn.cached("RELEASE one"));
        if undone.is_err() {
            turn.commit();
            return;
        }
        let alone = turn
            .batch
            .as_ref()
            .is_none_or(|batch| batch.finished.is_empty());
        if alone && self.shared.waiting.load(Ordering::SeqCst) == 0 {
            turn.batch = None;
            // If it fails, the next BEGIN reports it.
            let _ = turn.connection.execute_batch("ROLLBACK");
            return;
        }
        pass_on(turn, &self.shared);
    }
}
