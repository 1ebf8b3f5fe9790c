//! What can go wrong between the product and its database.

use std::error::Error as _;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::ffi;
use tokio_postgres::error::SqlState;

/// What every function of this crate answers.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The row does not exist; the kind is what errors call the thing.
    #[error("{kind} {id} was not found")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// How it was named.
        id: String,
    },
    /// A list has no such field to sort by.
    #[error("cannot sort by {field}; fields: {}", known.join(", "))]
    Sort {
        /// What was asked for.
        field: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// Another process has the data folder.
    #[error(
        "the data folder {} is in use by another process; stop it, or give this one another --data-dir",
        .0.display()
    )]
    Locked(PathBuf),
    /// The file system refused.
    #[error("cannot use {}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The database URL cannot be read.
    #[error("the database URL is not a PostgreSQL one: {0}")]
    Url(#[source] tokio_postgres::Error),
    /// The database URL is of another machine, where only one of this machine is wanted.
    #[error(
        "the database URL names {host}; a trial is for a PostgreSQL server of this machine: 127.0.0.1, or a socket"
    )]
    NotHere {
        /// What it names.
        host: String,
    },
    /// A stored value is not what the code expects: damage, or a newer version's.
    #[error("column {column} of a stored row holds something unexpected")]
    BadRow {
        /// Which column of the statement, from 0.
        column: usize,
    },
    /// The schema was made by a newer version of the program.
    #[error(
        "the database has migration {found}, newer than this program's {known}; use the newer program"
    )]
    Newer {
        /// The newest migration in the database.
        found: i64,
        /// The newest one the program has.
        known: i64,
    },
    /// A migration that was applied has another text now.
    #[error("migration {0} was changed after it was applied")]
    Altered(i64),
    /// SQLite failed.
    #[error("SQLite failed")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL failed.
    #[error("PostgreSQL failed")]
    Postgres(#[from] tokio_postgres::Error),
    /// No connection to PostgreSQL could be had.
    #[error("no connection to PostgreSQL")]
    Pool(#[from] deadpool_postgres::PoolError),
    /// PostgreSQL did not answer a statement in time.
    #[error("PostgreSQL does not answer")]
    Silent,
    /// The shared commit of several transactions failed.
    #[error("the commit failed")]
    Commit(#[source] Arc<rusqlite::Error>),
    /// The writer went away before it committed.
    #[error("the writer stopped before the commit")]
    Stopped,
    /// A statement of the transaction had failed, so nothing of it was committed.
    #[error("a statement of the transaction had failed, so it was rolled back")]
    Undone,
    /// The certificates of this machine cannot be read.
    #[error("the system's certificates cannot be used")]
    Tls(#[source] rustls::Error),
}

impl Error {
    /// Whether the same call may succeed a little later: the database is busy, full, away or
    /// between two servers. Everything else is a fault of ours or of the data.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Sqlite(error) => is_temporary_sqlite(error),
            Self::Commit(error) => is_temporary_sqlite(error),
            Self::Postgres(error) => is_temporary_postgres(error),
            Self::Pool(_) | Self::Silent | Self::Stopped => true,
            Self::NotFound { .. }
            | Self::Sort { .. }
            | Self::Locked(_)
            | Self::Folder { .. }
            | Self::Url(_)
            | Self::NotHere { .. }
            | Self::BadRow { .. }
            | Self::Newer { .. }
            | Self::Altered(_)
            | Self::Undone
            | Self::Tls(_) => false,
        }
    }

    /// Whether a unique index refused the row.
    pub fn is_duplicate(&self) -> bool {
        if let Self::Sqlite(error) = self {
            let code = error.sqlite_error().map(|error| error.extended_code);
            return code == Some(ffi::SQLITE_CONSTRAINT_UNIQUE);
        }
        matches!(self, Self::Postgres(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION))
    }
}

fn is_temporary_sqlite(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode as Code;
    matches!(
        error.sqlite_error_code(),
        Some(
            Code::DatabaseBusy
                | Code::DatabaseLocked
                | Code::DiskFull
                | Code::SystemIoFailure
                | Code::OutOfMemory
                | Code::CannotOpen
                | Code::ReadOnly
                | Code::FileLockingProtocolFailed
        )
    )
}

/// Classes of states that pass: connection, rollback (serialization, deadlock), resources (disk
/// full, memory, connections), operator (restart, cancelled, time-out), the system's I/O.
const PASSING: [&str; 5] = ["08", "40", "53", "57", "58"];

fn is_temporary_postgres(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(state) => {
            // A server that has just become a standby is read only.
            let others = [
                SqlState::LOCK_NOT_AVAILABLE,
                SqlState::READ_ONLY_SQL_TRANSACTION,
            ];
            others.contains(state) || PASSING.iter().any(|class| state.code().starts_with(class))
        }
        None => {
            error.is_closed()
                || error
                    .source()
                    .is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_on_sqlite() {
        let table = [
            (ffi::SQLITE_BUSY, true),
            (ffi::SQLITE_BUSY_SNAPSHOT, true),
            (ffi::SQLITE_LOCKED, true),
            (ffi::SQLITE_FULL, true),
            (ffi::SQLITE_IOERR_FSYNC, true),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, false),
            (ffi::SQLITE_CORRUPT, false),
            (ffi::SQLITE_ERROR, false),
            (ffi::SQLITE_MISMATCH, false),
        ];
        for (code, temporary) in table {
            let failure = || rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(Error::Sqlite(failure()).is_temporary(), temporary, "{code}");
            let commit = Error::Commit(Arc::new(failure()));
            assert_eq!(commit.is_temporary(), temporary, "{code}");
        }
        assert!(!Error::Sqlite(rusqlite::Error::InvalidQuery).is_temporary());
    }
}
