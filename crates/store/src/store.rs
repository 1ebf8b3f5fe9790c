//! The store and its transactions.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use crate::dialect::Dialect;
use crate::postgres::{PgStore, PgTx};
use crate::query::read_all;
use crate::sqlite::{SqliteReader, SqliteStore, SqliteWriter};
use crate::value::{Reader, Row, Value};
use crate::{Error, Result, migrate};

/// Which database, and where.
#[derive(Debug, Clone)]
pub enum Options {
    /// SQLite in this folder, which is made when it is missing and locked against others.
    Sqlite {
        /// The data folder.
        folder: PathBuf,
        /// How many connections read at once.
        readers: usize,
    },
    /// PostgreSQL at this URL.
    Postgres {
        /// `postgres://user@host/database`.
        url: String,
        /// The most connections held.
        connections: usize,
    },
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store(Engine);

#[derive(Clone)]
enum Engine {
    Sqlite(SqliteStore),
    Postgres(PgStore),
}

impl Store {
    /// Opens the database and brings its schema up to date.
    pub async fn open(options: &Options, now: marquetry_model::Timestamp) -> Result<Self> {
        let engine = match options {
            Options::Sqlite { folder, readers } => {
                Engine::Sqlite(SqliteStore::open(folder, *readers)?)
            }
            Options::Postgres { url, connections } => {
                Engine::Postgres(PgStore::connect(url, *connections)?)
            }
        };
        let store = Self(engine);
        migrate::run(&store, now).await?;
        Ok(store)
    }

    /// Whether several nodes can share it.
    pub fn is_shared(&self) -> bool {
        matches!(self.0, Engine::Postgres(_))
    }

    pub(crate) fn postgres(&self) -> Option<&PgStore> {
        match &self.0 {
            Engine::Sqlite(_) => None,
            Engine::Postgres(postgres) => Some(postgres),
        }
    }

    /// What `doctor` and the log call it.
    pub fn kind(&self) -> &'static str {
        match self.0 {
            Engine::Sqlite(_) => "SQLite",
            Engine::Postgres(_) => "PostgreSQL",
        }
    }

    /// Begins a transaction that may write. Rolled back unless committed.
    pub async fn write(&self) -> Result<WriteTx> {
        let inner = match &self.0 {
            Engine::Sqlite(sqlite) => Inner::SqliteWrite(sqlite.write().await?),
            Engine::Postgres(postgres) => Inner::Postgres(postgres.begin().await?),
        };
        Ok(WriteTx(Tx::new(inner)))
    }

    /// How many on this node wait to begin a transaction that writes.
    pub fn waiting_writers(&self) -> usize {
        match &self.0 {
            Engine::Sqlite(sqlite) => sqlite.waiting_writers(),
            Engine::Postgres(postgres) => postgres.waiting(),
        }
    }

    /// Brings all that is committed into SQLite's file and empties the log beside it, which else
    /// keeps former rows for a while. Where somebody reads for long, the log stays.
    pub async fn empty_log(&self) -> Result<()> {
        match &self.0 {
            Engine::Sqlite(sqlite) => sqlite.empty_log().await,
            Engine::Postgres(_) => Ok(()),
        }
    }

    /// Begins reading. Each statement sees what was committed before it.
    pub async fn read(&self) -> Result<ReadTx> {
        let inner = match &self.0 {
            Engine::Sqlite(sqlite) => Inner::SqliteRead(sqlite.read().await),
            Engine::Postgres(postgres) => Inner::Postgres(postgres.read().await?),
        };
        Ok(ReadTx(Tx::new(inner)))
    }
}

/// What queries run on.
pub struct Tx {
    inner: Inner,
    /// Whether a statement failed: then nothing of the transaction may be committed. PostgreSQL
    /// rolls back at such a COMMIT and calls that a success.
    failed: bool,
}

enum Inner {
    SqliteWrite(SqliteWriter),
    SqliteRead(SqliteReader),
    Postgres(PgTx),
}

impl Tx {
    fn new(inner: Inner) -> Self {
        Self {
            inner,
            failed: false,
        }
    }

    fn note<T>(&mut self, result: Result<T>) -> Result<T> {
        self.failed |= result.is_err();
        result
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self.inner {
            Inner::SqliteWrite(_) | Inner::SqliteRead(_) => Dialect::Sqlite,
            Inner::Postgres(_) => Dialect::Postgres,
        }
    }

    /// All rows of an answer.
    pub(crate) async fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        let result = match &mut self.inner {
            Inner::SqliteWrite(writer) => crate::sqlite::rows(writer.connection(), sql, values),
            Inner::SqliteRead(reader) => crate::sqlite::rows(reader.connection(), sql, values),
            Inner::Postgres(postgres) => postgres.rows(sql, values).await,
        };
        self.note(result)
    }

    /// The first row of an answer, if there is one.
    pub(crate) async fn row(&mut self, sql: &str, values: &[Value]) -> Result<Option<Row>> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// All rows of an answer, each read where the driver has it.
    pub(crate) async fn read_rows<T>(
        &mut self,
        sql: &str,
        values: &[Value],
        read: impl FnMut(&mut Reader<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let result = match &mut self.inner {
            Inner::SqliteWrite(writer) => {
                crate::sqlite::read_rows(writer.connection(), sql, values, read)
            }
            Inner::SqliteRead(reader) => {
                crate::sqlite::read_rows(reader.connection(), sql, values, read)
            }
            Inner::Postgres(postgres) => postgres
                .rows(sql, values)
                .await
                .and_then(|rows| read_all(rows, read)),
        };
        self.note(result)
    }

    /// The first row of each answer to several sets of values. What many rows need is asked once
    /// for all of them, or, where each needs a statement, like this: it is prepared once, and
    /// PostgreSQL is not waited for in between.
    pub(crate) async fn read_each<T, const N: usize>(
        &mut self,
        sql: &str,
        sets: &[[Value; N]],
        mut read: impl FnMut(&mut Reader<'_>) -> Result<T>,
    ) -> Result<Vec<Option<T>>> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        let result = match &mut self.inner {
            Inner::SqliteWrite(writer) => {
                crate::sqlite::read_each(writer.connection(), sql, sets, read)
            }
            Inner::SqliteRead(reader) => {
                crate::sqlite::read_each(reader.connection(), sql, sets, read)
            }
            Inner::Postgres(postgres) => match postgres.rows_each(sql, sets).await {
                Ok(answers) => answers
                    .into_iter()
                    .map(|rows| rows.into_iter().next().map(Row::Postgres))
                    .map(|row| row.map(|row| read(&mut row.reader())).transpose())
                    .collect(),
                Err(error) => Err(error),
            },
        };
        self.note(result)
    }

    /// How many rows a statement changed with each set of values.
    pub(crate) async fn execute_each<const N: usize>(
        &mut self,
        sql: &str,
        sets: &[[Value; N]],
    ) -> Result<Vec<u64>> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        let result = match &mut self.inner {
            Inner::SqliteWrite(writer) => {
                crate::sqlite::execute_each(writer.connection(), sql, sets)
            }
            Inner::SqliteRead(reader) => {
                crate::sqlite::execute_each(reader.connection(), sql, sets)
            }
            Inner::Postgres(postgres) => postgres.execute_each(sql, sets).await,
        };
        self.note(result)
    }

    /// How many rows a statement changed.
    pub(crate) async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64> {
        let result = match &mut self.inner {
            Inner::SqliteWrite(writer) => crate::sqlite::execute(writer.connection(), sql, values),
            Inner::SqliteRead(reader) => crate::sqlite::execute(reader.connection(), sql, values),
            Inner::Postgres(postgres) => postgres.execute(sql, values).await,
        };
        self.note(result)
    }

    /// Several statements without parameters.
    pub(crate) async fn script(&mut self, sql: &str) -> Result<()> {
        let result = match &mut self.inner {
            Inner::SqliteWrite(writer) => crate::sqlite::script(writer.connection(), sql),
            Inner::SqliteRead(reader) => crate::sqlite::script(reader.connection(), sql),
            Inner::Postgres(postgres) => postgres.script(sql).await,
        };
        self.note(result)
    }

    /// Says that one row must have been there.
    pub(crate) fn found<T>(
        row: Option<T>,
        kind: &'static str,
        id: impl std::fmt::Display,
    ) -> Result<T> {
        row.ok_or_else(|| Error::NotFound {
            kind,
            id: id.to_string(),
        })
    }
}

/// A transaction that may write; rolled back when it is dropped.
pub struct WriteTx(Tx);

impl WriteTx {
    /// From here on, what the transaction removes is overwritten in SQLite's file too, where it else
    /// stays until the place is used again; with [`Store::empty_log`] after it, nothing is left.
    /// PostgreSQL keeps former rows until its vacuum, and offers nothing of the kind.
    ///
    /// # Errors
    ///
    /// SQLite refuses it.
    pub fn shred(&mut self) -> Result<()> {
        match &mut self.0.inner {
            Inner::SqliteWrite(writer) => writer.shred(),
            Inner::SqliteRead(_) | Inner::Postgres(_) => Ok(()),
        }
    }

    /// Makes it durable. When this answers `Ok`, a power cut does not undo it. A transaction of
    /// which a statement failed is rolled back instead, and that is an error.
    pub async fn commit(self) -> Result<()> {
        if self.0.failed {
            return Err(Error::Undone);
        }
        match self.0.inner {
            Inner::SqliteWrite(writer) => writer.commit().await,
            Inner::Postgres(postgres) => postgres.commit().await,
            Inner::SqliteRead(_) => Ok(()),
        }
    }
}

impl Deref for WriteTx {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.0
    }
}

impl DerefMut for WriteTx {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.0
    }
}

/// A connection to read from.
pub struct ReadTx(Tx);

impl Deref for ReadTx {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.0
    }
}

impl DerefMut for ReadTx {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.0
    }
}

/// Whether a PostgreSQL server answers: its version. Changes nothing there.
pub async fn probe(url: &str) -> Result<String> {
    crate::postgres::version(url).await
}
