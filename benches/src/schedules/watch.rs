//! Sees triggers as they become durable, from outside of the server.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use rusqlite::Connection;

use super::clock::{Millis, exactly_now, now};

/// Between two looks; so much later than it happened a trigger may be seen.
const PAUSE: Duration = Duration::from_micros(500);

/// A reader of the server's database. SQLite shows a transaction to other processes when it is on
/// the disk, not before (`synchronous=FULL`), so what is seen is durable.
pub(super) struct Watch {
    connection: Connection,
    last: i64,
}

/// A trigger that was seen: whose, and when, in milliseconds since 1970.
pub(super) type Seen = (i64, f64);

impl Watch {
    /// From now on; the server may or may not run.
    pub(super) fn open(database: &Path) -> anyhow::Result<Self> {
        let connection = Connection::open(database)?;
        connection.pragma_update(None, "query_only", true)?;
        let last =
            connection.query_row("SELECT COALESCE(MAX(id), 0) FROM triggers", [], |row| {
                row.get(0)
            })?;
        Ok(Self { connection, last })
    }

    /// What came since the last look.
    pub(super) fn look(&mut self) -> anyhow::Result<Vec<Seen>> {
        const SQL: &str = "SELECT id, tenant_id FROM triggers WHERE id > ?1 ORDER BY id";
        let mut query = self.connection.prepare_cached(SQL)?;
        let rows: Vec<(i64, i64)> = query
            .query_map([self.last], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let at = exactly_now()?;
        self.last = rows.last().map_or(self.last, |(id, _)| *id);
        Ok(rows.into_iter().map(|(_, tenant)| (tenant, at)).collect())
    }

    /// Looks until so many were seen, or until a time.
    pub(super) fn collect(&mut self, count: usize, until: Millis) -> anyhow::Result<Vec<Seen>> {
        let mut all = Vec::with_capacity(count);
        while all.len() < count {
            let seen = self.look()?;
            all.extend(seen);
            ensure!(
                now()? < until,
                "only {} of {count} schedules fired in time",
                all.len()
            );
            std::thread::sleep(PAUSE);
        }
        Ok(all)
    }
}

/// How late each was, in order; each tenant must have fired once, and none too early.
pub(super) fn lateness(seen: &[Seen], due: &HashMap<i64, Millis>) -> anyhow::Result<Vec<f64>> {
    let mut left = due.clone();
    let mut late = Vec::with_capacity(seen.len());
    for (tenant, at) in seen {
        let due = left.remove(tenant);
        ensure!(due.is_some(), "tenant {tenant} fired twice");
        late.extend(due.map(|due| at - due as f64));
    }
    ensure!(left.is_empty(), "{} tenants did not fire", left.len());
    late.sort_by(f64::total_cmp);
    ensure!(late.first().is_none_or(|least| *least >= 0.0), "too early");
    Ok(late)
}
