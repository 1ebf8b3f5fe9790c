//! Brings a database's schema up to the program's.
//!
//! Migrations only ever add files. Each is applied once, in order, in one transaction, and its
//! text is remembered by a checksum so that a changed one is noticed instead of trusted.

use marquetry_model::Timestamp;

use crate::dialect::Dialect;
use crate::value::values;
use crate::{Error, Result, Store, Tx};

struct Migration {
    version: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal),+ $(,)?) => {
        &[$(Migration {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!("../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../migrations/postgres/", $name, ".sql")),
        }),+]
    };
}

const MIGRATIONS: &[Migration] = migrations![
    1 "0001_first_light", 2 "0002_lists", 3 "0003_schedules", 4 "0004_one_build",
    5 "0005_idempotency", 6 "0006_metadata", 7 "0007_sources", 8 "0008_sealed",
    9 "0009_reruns", 10 "0010_given_state", 11 "0011_turns", 12 "0012_decisions",
    13 "0013_tenant_secrets", 14 "0014_retention", 15 "0015_lanes", 16 "0016_artifacts",
    17 "0017_nodes", 18 "0018_connections", 19 "0019_key_generations", 20 "0020_audit"
];

/// Two nodes that start at once must not both migrate.
const POSTGRES_LOCK: &str = "SELECT CAST(1 AS BIGINT) FROM pg_advisory_xact_lock(724811931)";
const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum BIGINT NOT NULL, applied_at BIGINT NOT NULL)";
const APPLIED: &str = "SELECT version, checksum FROM schema_migrations ORDER BY version";
const REMEMBER: &str =
    "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";

pub(crate) async fn run(store: &Store, now: Timestamp) -> Result<()> {
    let mut tx = store.write().await?;
    if tx.dialect() == Dialect::Postgres {
        tx.rows(POSTGRES_LOCK, &[]).await?;
    }
    tx.execute(TABLE, &[]).await?;
    let applied = applied(&mut tx).await?;
    let known = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
    if let Some((found, _)) = applied.iter().find(|(version, _)| *version > known) {
        return Err(Error::Newer {
            found: *found,
            known,
        });
    }
    for migration in MIGRATIONS {
        let text = match tx.dialect() {
            Dialect::Sqlite => migration.sqlite,
            Dialect::Postgres => migration.postgres,
        };
        let checksum = i64::from(crc32fast::hash(text.as_bytes()));
        match applied
            .iter()
            .find(|(version, _)| *version == migration.version)
        {
            Some((_, before)) if *before != checksum => {
                return Err(Error::Altered(migration.version));
            }
            Some(_) => {}
            None => {
                tx.script(text).await?;
                let row = values![migration.version, migration.name, checksum, now];
                tx.execute(REMEMBER, &row).await?;
            }
        }
    }
    tx.commit().await
}

async fn applied(tx: &mut Tx) -> Result<Vec<(i64, i64)>> {
    let rows = tx.rows(APPLIED, &[]).await?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok((row.i64()?, row.i64()?))
        })
        .collect()
}
