//! What a measurement needs, and the order of its parts.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use crate::report::{Figure, table};
use crate::{accept, burst, footprint, latency, quiet, reads};

const ALL: &[&str] = &["R1", "R2", "R3", "R6", "A1", "A2", "A3", "A4", "A5"];

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
    /// Where data may be written: a real disk, or durability is not measured.
    #[arg(long)]
    pub(crate) work: PathBuf,
    /// A durable PostgreSQL server, for A1 to A4 on it.
    #[arg(long, env = "MARQUETRY_TEST_POSTGRES")]
    pub(crate) postgres: Option<String>,
    /// How many runs a burst has.
    #[arg(long, default_value_t = 5_000)]
    pub(crate) burst: usize,
    /// How many runs at the same time.
    #[arg(long, default_value_t = 8)]
    pub(crate) run_slots: usize,
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
    for bar in &setup.bars {
        let known = ALL.iter().any(|one| bar.eq_ignore_ascii_case(one));
        anyhow::ensure!(
            known,
            "there is no benchmark {bar}; there are {}",
            ALL.join(", ")
        );
    }
    std::fs::create_dir_all(&setup.work)?;
    let mut figures = Vec::new();
    if setup.wants("R1") || setup.wants("R2") {
        figures.extend(burst::measure(setup)?);
    }
    if setup.wants("R3") {
        figures.extend(latency::measure(setup)?);
    }
    if setup.wants("R6") {
        figures.extend(footprint::measure(setup)?);
    }
    if ["A1", "A2", "A3", "A4"].iter().any(|bar| setup.wants(bar)) {
        figures.extend(reads::measure(setup)?);
    }
    if setup.wants("A5") {
        figures.extend(accept::measure(setup)?);
    }
    if let Some(path) = &setup.json {
        let all = json!({"rounds": setup.rounds, "figures": figures});
        std::fs::write(path, serde_json::to_string_pretty(&all)?)?;
    }
    write!(std::io::stdout(), "{}", table(&figures)).context("standard output is closed")
}
