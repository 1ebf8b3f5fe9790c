//! How much there is of what grows with use: rows, pages and blobs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use marquetry_app::triggers::{TriggerInput, trigger_accept};
use marquetry_app::{idempotency, run_engine};
use marquetry_blobs::Kind;
use marquetry_model::{IntegrationId, Mode, Release, RunId, Source, TenantId};
use rusqlite::Connection;

use crate::inside::{BuildClaim, Inside, release};

/// Files of a kind of blobs, and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Files {
    /// How many.
    pub count: u64,
    /// Of all of them.
    pub bytes: u64,
}

impl Inside {
    /// How many rows each table has. The tables are those that the database itself names.
    pub async fn rows_of_tables(&self) -> BTreeMap<String, u64> {
        if let Some(postgres) = &self.postgres {
            return postgres.rows_of_tables().await;
        }
        let connection = self.sqlite();
        let tables =
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
        let mut tables = connection.prepare(tables).unwrap();
        let tables = tables.query_map([], |row| row.get(0)).unwrap();
        let counted = |table: String| {
            let rows = number(&connection, &format!("SELECT COUNT(*) FROM {table}"));
            (table, rows)
        };
        tables.map(Result::unwrap).map(counted).collect()
    }

    /// The pages of SQLite's file that hold something; none on PostgreSQL.
    pub fn pages_in_use(&self) -> Option<u64> {
        if self.postgres.is_some() {
            return None;
        }
        let connection = self.sqlite();
        let pages = number(&connection, "PRAGMA page_count");
        Some(pages - number(&connection, "PRAGMA freelist_count"))
    }

    fn sqlite(&self) -> Connection {
        Connection::open(self.folder.path().join("data/marquetry.db")).unwrap()
    }

    /// The files of each kind of blobs.
    pub fn blobs(&self) -> BTreeMap<String, Files> {
        let kinds = Kind::ALL.into_iter();
        kinds
            .map(|kind| {
                let mut files = Files::default();
                for file in files_below(&self.blobs_of(kind)) {
                    files.count += 1;
                    files.bytes += file.metadata().unwrap().len();
                }
                (kind.as_str().to_owned(), files)
            })
            .collect()
    }

    /// Gives blobs that were put since the last call the time of the test, which their store knows
    /// nothing of.
    pub fn age_blobs(&self) {
        let now = u64::try_from(self.app.now().as_millis()).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now);
        for path in Kind::ALL
            .map(|kind| files_below(&self.blobs_of(kind)))
            .concat()
        {
            let file = std::fs::File::open(path).unwrap();
            let put = file.metadata().unwrap().modified().unwrap();
            let put = put.duration_since(SystemTime::UNIX_EPOCH).unwrap();
            // The time of the test has no parts of a millisecond.
            if !put.subsec_nanos().is_multiple_of(1_000_000) {
                file.set_modified(now).unwrap();
            }
        }
    }

    fn blobs_of(&self, kind: Kind) -> PathBuf {
        self.folder.path().join("blobs").join(kind.as_str())
    }

    /// Closes what lost nodes left and forgets keys of requests whose time is over, as a node does;
    /// answers how many runs were lost.
    pub async fn reap(&self) -> usize {
        self.reap_beside(&[]).await
    }

    /// The same by a node that executes these runs itself.
    pub async fn reap_beside(&self, alive: &[RunId]) -> usize {
        idempotency::keys_reap(&self.app).await.unwrap();
        run_engine::runs_reap(&self.system(), run_engine::Lost::Overdue(alive))
            .await
            .unwrap()
    }

    /// A webhook of a tenant, which has no door yet.
    pub async fn webhook(&self, tenant: i64, body: Vec<u8>) {
        let input = TriggerInput {
            source: Source::Webhook,
            mode: Mode::Webhook,
            payload: Some(body),
            headers: Some(r#"{"content-type":"application/json"}"#.into()),
        };
        let accepted = trigger_accept(&self.system(), TenantId::new(tenant), input).await;
        accepted.unwrap();
    }

    /// Puts an artifact where they are, as a build does before it ends; its reference.
    pub async fn put_artifact(&self, bytes: Vec<u8>) -> String {
        let kept = self.app.blobs.put(Kind::Artifact, Bytes::from(bytes));
        kept.await.unwrap().to_string()
    }

    /// Ends a build that was taken, with one release of this artifact.
    pub async fn end_build_of(
        &self,
        claim: &BuildClaim,
        integration: i64,
        tag: &str,
        artifact: String,
    ) {
        let integration = IntegrationId::new(integration);
        let release = Release {
            artifact,
            ..release(claim.id, integration, tag, self.app.now())
        };
        self.finish_build_with(claim, release).await;
    }
}

fn number(connection: &Connection, sql: &str) -> u64 {
    let read: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    u64::try_from(read).unwrap()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        // A kind of which nothing was put has no folder.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found
}
