//! What came of it, for people and programs.

use std::time::Duration;

use serde::Serialize;

use super::BenchOptions;
use crate::printer::{Printer, Table};

/// All figures, in the order in which they were measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The program's version.
    version: &'static str,
    /// Processors of the machine.
    processors: usize,
    /// The sandbox of the runs.
    sandbox: &'static str,
    figures: Vec<Figure>,
}

/// One figure.
#[derive(Debug, Serialize)]
struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
}

impl Report {
    pub(super) fn new(options: &BenchOptions) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            sandbox: options.sandbox,
            figures: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, what: &str, value: f64, unit: &'static str) {
        self.figures.push(Figure {
            what: what.to_owned(),
            value: rounded(value),
            unit,
        });
    }

    /// The median and the 99th percentile.
    pub(super) fn add_times(&mut self, what: &str, times: &[Duration]) {
        for (name, part) in [("p50", 50), ("p99", 99)] {
            let value = percentile(times, part).as_secs_f64() * 1e3;
            self.add(&format!("{what}, {name}"), value, "ms");
        }
    }

    /// As a table.
    pub(crate) fn print(&self, to: &mut Printer) {
        let mut table = Table::new(&["WHAT", "VALUE", "UNIT"]);
        for figure in &self.figures {
            let cells = [
                figure.what.clone(),
                shown(figure.value),
                figure.unit.to_owned(),
            ];
            table.row(cells.to_vec());
        }
        table.print(to);
        to.note(&format!(
            "version {}, {} processors, sandbox {}, SQLite with synchronous=FULL; the load runs on the same machine",
            self.version, self.processors, self.sandbox
        ));
    }
}

/// The smallest that so many percent do not exceed; zero of none.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

/// Three digits are more than such figures are worth.
fn rounded(value: f64) -> f64 {
    if value >= 100.0 {
        value.round()
    } else {
        (value * 1000.0).round() / 1000.0
    }
}

fn shown(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Duration::from_millis(100));
        assert_eq!(percentile(&times, 99), Duration::from_millis(198));
        assert_eq!(percentile(&times[..1], 99), Duration::from_millis(200));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
