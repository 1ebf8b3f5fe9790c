//! A database for each test, and the macro that runs one body on both kinds.

mod postgres;
mod rows;

use std::future::Future;
use std::time::Duration;

use marquetry_model::Timestamp;
use marquetry_store::{Options, ReadTx, Store, WriteTx};

pub(crate) use postgres::{client, url_of, wait_for_a_blocked_statement};
pub(crate) use rows::*;

/// When everything happens, unless a test says otherwise.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Longer than any test takes on a busy machine.
const LONGEST: Duration = Duration::from_mins(2);

/// `NOW` and some milliseconds.
pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + millis)
}

/// One body, two tests: `name::sqlite` and `name::postgres`.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn body($db: &crate::common::Db) $body

            #[test]
            fn sqlite() {
                crate::common::run(crate::common::Kind::Sqlite, async |db: &crate::common::Db| body(db).await);
            }

            #[test]
            fn postgres() {
                crate::common::run(crate::common::Kind::Postgres, async |db: &crate::common::Db| body(db).await);
            }
        }
    )+};
}
pub(crate) use on_both;

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// What keeps a test's database alive; gone with it.
enum Home {
    Folder(tempfile::TempDir),
    Database(#[expect(dead_code, reason = "held for its end")] postgres::Database),
}

/// A database of one test. The store comes first, to be closed first.
pub(crate) struct Db {
    pub(crate) store: Store,
    pub(crate) options: Options,
    home: Home,
}

impl Db {
    pub(crate) async fn write(&self) -> WriteTx {
        self.store.write().await.unwrap()
    }

    pub(crate) async fn read(&self) -> ReadTx {
        self.store.read().await.unwrap()
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.home {
            Home::Folder(_) => Kind::Sqlite,
            Home::Database(_) => Kind::Postgres,
        }
    }

    /// The data folder; only SQLite has one.
    pub(crate) fn folder(&self) -> &std::path::Path {
        match &self.home {
            Home::Folder(folder) => folder.path(),
            Home::Database(_) => panic!("PostgreSQL has no folder"),
        }
    }

    /// Closes the store and gives what is needed to open it again.
    pub(crate) fn close(self) -> Closed {
        Closed {
            options: self.options,
            home: self.home,
        }
    }

    /// Opens it again.
    pub(crate) async fn from_closed(closed: Closed, now: Timestamp) -> Self {
        Self {
            store: Store::open(&closed.options, now).await.unwrap(),
            options: closed.options,
            home: closed.home,
        }
    }
}

/// A database that nobody has open.
pub(crate) struct Closed {
    pub(crate) options: Options,
    home: Home,
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether a kind is under test; says so when it is not.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub(crate) fn is_wanted(kind: Kind) -> bool {
    let wanted = variable("MARQUETRY_TEST_DATABASES").unwrap_or_else(|| "sqlite".to_owned());
    let name = match kind {
        Kind::Sqlite => "sqlite",
        Kind::Postgres => "postgres",
    };
    let found = wanted.split(',').any(|word| word.trim() == name);
    if !found {
        println!("skipped: {name} is not in MARQUETRY_TEST_DATABASES={wanted}");
    }
    found
}

/// Runs a body on a database of its own.
pub(crate) fn run(kind: Kind, body: impl AsyncFnOnce(&Db)) {
    if is_wanted(kind) {
        block_on(async {
            let db = open(kind).await;
            let done = tokio::time::timeout(LONGEST, body(&db)).await;
            done.expect("a test hangs when somebody waits for what never comes");
        });
    }
}

/// A runtime for one test.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(future)
}

/// A new database, migrated.
pub(crate) async fn open(kind: Kind) -> Db {
    let (options, home) = match kind {
        Kind::Sqlite => {
            let folder = tempfile::tempdir().unwrap();
            (sqlite_options(folder.path()), Home::Folder(folder))
        }
        Kind::Postgres => {
            let database = tokio::task::spawn_blocking(postgres::Database::make);
            let database = database.await.unwrap();
            (database.options(), Home::Database(database))
        }
    };
    let store = Store::open(&options, NOW).await.unwrap();
    Db {
        store,
        options,
        home,
    }
}

pub(crate) fn sqlite_options(folder: &std::path::Path) -> Options {
    Options::Sqlite {
        folder: folder.to_owned(),
        readers: 4,
    }
}

/// Until something is so; fails after ten seconds.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !is_so().await {
        assert!(std::time::Instant::now() < deadline, "not in time: {what}");
        tokio::task::yield_now().await;
    }
}
