//! What a measurement needs, and the order of its parts.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use crate::report::{Figure, table};
use crate::{
    accept, burst, claims, cycles, footprint, growth, latency, n8n, quiet, reads, schedules,
    storage,
};

type Part = fn(&Setup) -> anyhow::Result<Vec<Figure>>;

/// The bars, with what measures them.
const PARTS: &[(&[&str], Part)] = &[
    (&["R1", "R2"], burst::measure),
    (&["R3"], latency::measure),
    (&["R4"], n8n::measure),
    (&["R5"], latency::measure_node),
    (&["R6"], footprint::measure),
    (&["R7"], growth::measure),
    (&["A1", "A2", "A3", "A4"], reads::measure),
    (&["A5"], accept::measure),
    (&["S1", "S2"], schedules::measure_minute),
    (&["S3"], schedules::measure_idle),
    (&["D1"], storage::measure),
    (&["D2"], claims::measure),
    (&["C1"], cycles::measure),
];

/// The options of a measurement.
#[derive(Debug, Args)]
pub(crate) struct Setup {
    /// Which bars; none: all.
    bars: Vec<String>,
    /// How many rounds.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// The product.
    #[arg(long)]
    pub(crate) binary: PathBuf,
    /// A Python with FastAPI, for A1, A2 and A4.
    #[arg(long)]
    pub(crate) python: Option<PathBuf>,
    /// The folder of the FastAPI program.
    #[arg(long)]
    pub(crate) fastapi: Option<PathBuf>,
    /// The program of n8n, for R4.
    #[arg(long)]
    pub(crate) n8n: Option<PathBuf>,
    /// The library that counts how often a program waits for a disk, for D1.
    #[arg(long)]
    pub(crate) fsyncs: Option<PathBuf>,
    /// Where data may be written: a real disk, or durability is not measured.
    #[arg(long)]
    pub(crate) work: PathBuf,
    /// A durable PostgreSQL server, for A1 to A4 on it and D2.
    #[arg(long, env = "MARQUETRY_TEST_POSTGRES")]
    pub(crate) postgres: Option<String>,
    /// How many runs a burst has.
    #[arg(long, default_value_t = 5_000)]
    pub(crate) burst: usize,
    /// How many runs at the same time.
    #[arg(long, default_value_t = 32)]
    pub(crate) run_slots: usize,
    /// How many runs memory is compared after.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) runs: usize,
    /// How many tenants have a schedule.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) schedules: usize,
    /// How long each load lasts, in seconds.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) seconds: f64,
    /// How long to wait for a quiet machine before each round, in seconds.
    #[arg(long, default_value_t = 120)]
    patience: u64,
    /// Where to write the figures as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Setup {
    pub(crate) fn wants(&self, bar: &str) -> bool {
        self.bars.is_empty() || self.bars.iter().any(|one| one.eq_ignore_ascii_case(bar))
    }

    /// Does one round per call, with the machine's quiet before and after each noted.
    pub(crate) fn rounds(
        &self,
        figures: &mut [Figure],
        mut round: impl FnMut(usize, &mut [Figure]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for number in 0..self.rounds {
            let before = quiet::wait(Duration::from_secs(self.patience))?;
            round(number, figures)?;
            // Our own last writes may still be on their way to the disk.
            let after = quiet::wait(Duration::from_secs(2))?;
            for figure in &mut *figures {
                figure.disturbed += usize::from(!(before && after));
            }
            let name = figures.first().map_or("", |figure| figure.id.as_str());
            say(&format!("{name}: round {} of {}", number + 1, self.rounds))?;
        }
        Ok(())
    }
}

/// Progress, on standard error.
pub(crate) fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stderr(), "bench: {line}").context("standard error is closed")
}

/// Measures what is wanted and prints it.
pub(crate) fn measure(setup: &Setup) -> anyhow::Result<()> {
    let all: Vec<&str> = PARTS.iter().flat_map(|(bars, _)| *bars).copied().collect();
    for bar in &setup.bars {
        let known = all.iter().any(|one| bar.eq_ignore_ascii_case(one));
        let names = all.join(", ");
        anyhow::ensure!(known, "there is no benchmark {bar}; there are {names}");
    }
    std::fs::create_dir_all(&setup.work)?;
    let mut figures = Vec::new();
    for (bars, part) in PARTS {
        if bars.iter().any(|bar| setup.wants(bar)) {
            figures.extend(part(setup)?);
        }
    }
    if let Some(path) = &setup.json {
        let all = json!({"rounds": setup.rounds, "figures": figures});
        std::fs::write(path, serde_json::to_string_pretty(&all)?)?;
    }
    write!(std::io::stdout(), "{}", table(&figures)).context("standard output is closed")
}
