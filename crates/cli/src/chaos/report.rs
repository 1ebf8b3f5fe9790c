//! What came of it, for people and programs.

use std::time::Duration;

use serde::Serialize;

use super::ChaosOptions;
use super::audit::{Facts, LOST, SUCCEEDED, audit};
use super::plan::Fault;
use crate::printer::{Printer, Table};

/// Broken promises that are printed; there may be thousands of one kind.
const SHOWN: usize = 40;

/// Of one load.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    version: &'static str,
    seed: u64,
    database: &'static str,
    nodes: usize,
    faults: Vec<Fault>,
    triggers: usize,
    runs: usize,
    succeeded: usize,
    /// Runs that a fault has ended.
    lost: usize,
    seconds: f64,
    /// Promises that were not kept.
    broken: Vec<String>,
}

impl Report {
    /// Judges what is known.
    pub(super) fn of(options: &ChaosOptions, facts: &Facts, took: Duration) -> Self {
        let ended = |phase| facts.runs.iter().filter(|run| run.phase == phase).count();
        let database = options.database_url.as_ref();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            seed: options.seed,
            database: database.map_or("SQLite", |_| "PostgreSQL"),
            nodes: options.nodes,
            faults: options.faults(),
            triggers: facts.accepted.len(),
            runs: facts.runs.len(),
            succeeded: ended(SUCCEEDED),
            lost: ended(LOST),
            seconds: took.as_secs_f64().round(),
            broken: audit(facts),
        }
    }

    /// Whether all promises were kept.
    pub(crate) fn is_good(&self) -> bool {
        self.broken.is_empty()
    }

    /// As a table, and what is broken.
    pub(crate) fn print(&self, to: &mut Printer) {
        let mut table = Table::new(&["WHAT", "VALUE"]);
        for (what, value) in [
            ("seed", self.seed.to_string()),
            ("nodes", format!("{} on {}", self.nodes, self.database)),
            ("faults", self.faults.len().to_string()),
            ("triggers accepted", self.triggers.to_string()),
            ("runs", self.runs.to_string()),
            ("of these succeeded", self.succeeded.to_string()),
            ("of these lost to faults", self.lost.to_string()),
            ("seconds", self.seconds.to_string()),
            ("promises broken", self.broken.len().to_string()),
        ] {
            table.row(vec![what.to_owned(), value]);
        }
        table.print(to);
        for broken in self.broken.iter().take(SHOWN) {
            to.line(&format!("BROKEN  {broken}"));
        }
        if self.broken.len() > SHOWN {
            to.line(&format!("… and {} more", self.broken.len() - SHOWN));
        }
    }
}

/// The faults of a seed, before they happen.
pub(crate) fn print_plan(options: &ChaosOptions, to: &mut Printer) {
    for fault in options.faults() {
        to.line(&fault.to_string());
    }
}
