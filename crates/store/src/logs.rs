//! Logs of runs and builds, as numbered chunks that any node can follow.

use marquetry_model::{BuildId, RunId};

use crate::query::read_all;
use crate::value::values;
use crate::{Error, Result, Tx};

mod packed;

/// Whose log it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogOf {
    /// A run's.
    Run(RunId),
    /// A build's.
    Build(BuildId),
}

/// A piece of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its number; they grow, beginning with 1.
    pub number: i64,
    /// UTF-8 text without NUL.
    pub bytes: Vec<u8>,
}

impl LogOf {
    fn id(self) -> i64 {
        match self {
            Self::Run(id) => id.get(),
            Self::Build(id) => id.get(),
        }
    }

    fn sql(self, run: &'static str, build: &'static str) -> &'static str {
        match self {
            Self::Run(_) => run,
            Self::Build(_) => build,
        }
    }
}

/// Adds chunks. The caller has just renewed its claims in the same transaction, so a node that
/// comes back late writes nothing. A chunk takes the place of one with its number: a writer whom the database did
/// not answer tries again, at the end of a log with what has come since, and cannot know that the first was stored.
pub async fn append(tx: &mut Tx, chunks: Vec<(LogOf, Chunk)>) -> Result<()> {
    const RUNS: &str = "INSERT INTO run_logs (run_id, number, bytes) VALUES ($1, $2, $3) \
        ON CONFLICT (run_id, number) DO UPDATE SET bytes = excluded.bytes";
    const BUILDS: &str = "INSERT INTO build_logs (build_id, number, bytes) VALUES ($1, $2, $3) \
        ON CONFLICT (build_id, number) DO UPDATE SET bytes = excluded.bytes";
    let (mut of_runs, mut of_builds) = (Vec::new(), Vec::new());
    for (of, Chunk { number, bytes }) in chunks {
        let rows = match of {
            LogOf::Run(_) => &mut of_runs,
            LogOf::Build(_) => &mut of_builds,
        };
        rows.push(values![of.id(), number, packed::pack(bytes)]);
    }
    tx.execute_each(RUNS, &of_runs).await?;
    tx.execute_each(BUILDS, &of_builds).await?;
    Ok(())
}

/// Chunks after a number, in order, at most `limit`.
pub async fn list(tx: &mut Tx, of: LogOf, after: i64, limit: i64) -> Result<Vec<Chunk>> {
    let sql = of.sql(
        "SELECT number, bytes FROM run_logs WHERE run_id = $1 AND number > $2 ORDER BY number LIMIT $3",
        "SELECT number, bytes FROM build_logs WHERE build_id = $1 AND number > $2 ORDER BY number LIMIT $3",
    );
    let rows = tx.rows(sql, &values![of.id(), after, limit]).await?;
    read_all(rows, |row| {
        Ok(Chunk {
            number: row.i64()?,
            bytes: row.blob().and_then(unpacked)?,
        })
    })
}

/// The number of the last chunk; 0 when there is none.
pub async fn find_last(tx: &mut Tx, of: LogOf) -> Result<i64> {
    let sql = of.sql(
        "SELECT COALESCE(MAX(number), 0) FROM run_logs WHERE run_id = $1",
        "SELECT COALESCE(MAX(number), 0) FROM build_logs WHERE build_id = $1",
    );
    number(tx, sql, of).await
}

/// The bytes of all its chunks.
pub async fn find_size(tx: &mut Tx, of: LogOf) -> Result<i64> {
    const { assert!(packed::HEAD == 6, "as many as the statements read") }
    let sql = of.sql(
        "SELECT CAST(LENGTH(bytes) AS BIGINT), SUBSTR(bytes, 1, 6) FROM run_logs WHERE run_id = $1",
        "SELECT CAST(LENGTH(bytes) AS BIGINT), SUBSTR(bytes, 1, 6) FROM build_logs WHERE build_id = $1",
    );
    let sizes = read_all(tx.rows(sql, &values![of.id()]).await?, |row| {
        let kept = row.i64()?;
        let length = packed::packed_length(&row.blob()?);
        Ok(length.map_or(kept, |length| i64::try_from(length).unwrap_or(i64::MAX)))
    })?;
    Ok(sizes.into_iter().sum())
}

fn unpacked(kept: Vec<u8>) -> Result<Vec<u8>> {
    // The second of those that a list reads.
    packed::unpack(kept).ok_or(Error::BadRow { column: 1 })
}

async fn number(tx: &mut Tx, sql: &str, of: LogOf) -> Result<i64> {
    let row = tx.row(sql, &values![of.id()]).await?;
    row.map_or(Ok(0), |row| row.reader().i64())
}

/// Where the log lies once it was moved out of the database.
pub async fn find_blob(tx: &mut Tx, of: LogOf) -> Result<Option<String>> {
    let sql = of.sql(
        "SELECT log_blob FROM runs WHERE id = $1",
        "SELECT log_blob FROM builds WHERE id = $1",
    );
    Ok(tx
        .row(sql, &values![of.id()])
        .await?
        .map(|row| row.reader().opt_text())
        .transpose()?
        .flatten())
}

/// Notes where a finished log was moved and removes its chunks.
pub async fn update_blob(tx: &mut Tx, of: LogOf, blob: &str) -> Result<()> {
    let note = of.sql(
        "UPDATE runs SET log_blob = $2 WHERE id = $1",
        "UPDATE builds SET log_blob = $2 WHERE id = $1",
    );
    let clear = of.sql(
        "DELETE FROM run_logs WHERE run_id = $1",
        "DELETE FROM build_logs WHERE build_id = $1",
    );
    tx.execute(note, &values![of.id(), blob]).await?;
    tx.execute(clear, &values![of.id()]).await?;
    Ok(())
}
