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

    /// Looks until there is something.
    pub(super) fn first(&mut self, until: Millis) -> anyhow::Result<Vec<Seen>> {
        loop {
            let seen = self.look()?;
            if !seen.is_empty() {
                return Ok(seen);
            }
            ensure!(now()? < until, "no schedule fired in time");
            std::thread::sleep(PAUSE);
        }
    }

    /// Looks until every tenant was seen, or until a time.
    pub(super) fn fired(
        &mut self,
        due: &HashMap<i64, Millis>,
        until: Millis,
    ) -> anyhow::Result<Fired> {
        let mut left = due.clone();
        let (mut late, mut again) = (Vec::with_capacity(due.len()), 0);
        while !left.is_empty() && now()? < until {
            for (tenant, at) in self.look()? {
                match left.remove(&tenant) {
                    Some(due) => late.push(at - due as f64),
                    None => again += 1,
                }
            }
            std::thread::sleep(PAUSE);
        }
        let missing = left.len();
        late.extend(left.values().map(|due| (until - due) as f64));
        late.sort_by(f64::total_cmp);
        ensure!(late.first().is_none_or(|least| *least >= 0.0), "too early");
        Ok(Fired {
            late,
            missing,
            again,
        })
    }
}

/// What became of schedules that were due.
pub(super) struct Fired {
    /// How late each was, in milliseconds, in order; one that is missing is as late as it was when
    /// nobody looked any more.
    pub(super) late: Vec<f64>,
    pub(super) missing: usize,
    /// Triggers of a tenant that had fired, or that was not due.
    pub(super) again: usize,
}

impl Fired {
    pub(super) fn percentile(&self, percent: usize) -> f64 {
        self.late[(self.late.len() - 1) * percent / 100]
    }
}
