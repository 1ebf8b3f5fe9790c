//! Words between nodes that share a database: a hint that something happened, nothing that anybody
//! depends on. SQLite has one process, which needs none.

use crate::postgres::{PgNotices, PgStore};
use crate::store::Store;
use crate::value::values;
use crate::{Result, Tx};

/// The longest word, in bytes: PostgreSQL takes less than 8,000.
pub const LONGEST: usize = 7_900;

/// A connection on which words of all nodes come in, also one's own.
pub struct Notices(PgNotices);

impl Store {
    /// Begins to listen; none where nobody else can say anything.
    pub async fn listen(&self) -> Result<Option<Notices>> {
        let listening = self.postgres().map(PgStore::listen);
        match listening {
            Some(listening) => listening.await.map(|heard| Some(Notices(heard))),
            None => Ok(None),
        }
    }
}

impl Notices {
    /// The next word. An error ends it: begin to listen again.
    pub async fn next(&mut self) -> Result<String> {
        self.0.next().await
    }
}

/// Says a word to all nodes that listen, at once: for no transaction that others wait for, because
/// PostgreSQL lets one after another say something.
pub async fn announce(tx: &mut Tx, word: &str) -> Result<()> {
    const SQL: &str = "SELECT CAST(1 AS BIGINT) FROM (SELECT pg_notify('marquetry', $1)) AS said";
    tx.rows(SQL, &values![word]).await?;
    Ok(())
}
