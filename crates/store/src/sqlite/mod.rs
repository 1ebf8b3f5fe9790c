//! SQLite: one writer with group commit, several readers, one process.

mod reader;
mod statement;
mod writer;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use reader::Readers;
pub(crate) use reader::SqliteReader;
pub(crate) use statement::{cell, execute, execute_each, read_each, read_rows, rows, script};
pub(crate) use writer::SqliteWriter;
use writer::Writers;

use crate::{Error, Result};

/// How many prepared statements a connection keeps.
const STATEMENTS: usize = 256;

#[derive(Clone)]
pub(crate) struct SqliteStore {
    writers: Writers,
    readers: Arc<Readers>,
    /// Held open: the lock goes with it.
    _lock: Arc<File>,
}

impl SqliteStore {
    pub(crate) fn open(folder: &Path, readers: usize) -> Result<Self> {
        let lock = lock(folder)?;
        let file = folder.join("marquetry.db");
        let writer = Connection::open(&file)?;
        configure(&writer, -8192)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        // FULL is affordable because one commit serves all writers that wait: an acknowledged
        // trigger survives a power cut.
        writer.pragma_update(None, "synchronous", "FULL")?;
        writer.pragma_update(None, "journal_size_limit", 64 << 20)?;
        // In pages. Most of what runs and schedules write is written again soon: the later the log is
        // brought into the file, the less of it there is. 16 MiB take some 10 ms.
        writer.pragma_update(None, "wal_autocheckpoint", 4096)?;
        let connections = (0..readers.max(1))
            .map(|_| {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let reader = Connection::open_with_flags(&file, flags)?;
                configure(&reader, -2048)?;
                // Without it, some statements are planned anew whenever another value is bound,
                // which takes longer than reading a row. Ours find it by the same index always.
                reader.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
                Ok(reader)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            writers: Writers::new(writer),
            readers: Arc::new(Readers::new(connections)),
            _lock: Arc::new(lock),
        })
    }

    pub(crate) fn waiting_writers(&self) -> usize {
        self.writers.waiting()
    }

    pub(crate) async fn write(&self) -> Result<SqliteWriter> {
        self.writers.begin().await
    }

    pub(crate) async fn empty_log(&self) -> Result<()> {
        self.writers.empty_log().await
    }

    pub(crate) async fn read(&self) -> SqliteReader {
        Readers::take(&self.readers).await
    }
}

/// A second process on the same file would each believe to be the only one that owns the runs.
fn lock(folder: &Path) -> Result<File> {
    let failed = |cause| Error::Folder {
        path: folder.to_owned(),
        cause,
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("marquetry.lock"))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(folder.to_owned())),
        Err(TryLockError::Error(cause)) => Err(failed(cause)),
    }
}

fn configure(connection: &Connection, cache_kib: i32) -> Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", cache_kib)?;
    // Without it a bound LIMIT is a hint to the planner, and each execution with another value
    // prepares the statement again: an eighth of the server's time in a burst of runs.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    /// The shape of [`crate::tenant_views`] and [`crate::run_views`].
    const SQL: &str = "SELECT p.id, b.n FROM (SELECT id FROM a WHERE id = $1) AS p
        LEFT JOIN b ON b.id = p.id";

    #[tokio::test]
    async fn a_reader_plans_a_statement_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path(), 1).unwrap();
        let tables = "CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT;
            CREATE TABLE b (id INTEGER PRIMARY KEY, n INTEGER) STRICT;";
        let writer = store.write().await.unwrap();
        writer.connection().execute_batch(tables).unwrap();
        writer.commit().await.unwrap();
        let reader = store.read().await;
        for id in 1..4 {
            assert!(
                rows(reader.connection(), SQL, &[id.into()])
                    .unwrap()
                    .is_empty()
            );
            let statement = reader.connection().prepare_cached(SQL).unwrap();
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{id}");
        }
    }
}
