//! What can go wrong between the product and its database.

use std::path::PathBuf;

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
    #[error("the commit failed: {0}")]
    Commit(String),
    /// The certificates of this machine cannot be read.
    #[error("the system's certificates cannot be used")]
    Tls(#[source] rustls::Error),
}
