//! Benchmarks of the product against what it is compared with. `benches/run` builds everything
//! and calls this; `docs/benchmarks.md` says what each number means.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts programs, reads the clock and speaks to this machine's own servers"
)]
#![expect(
    clippy::cast_precision_loss,
    reason = "counts and sizes of a benchmark are far below 2 to the 52nd"
)]

mod accept;
mod bare;
mod burst;
mod claims;
mod client;
mod cycles;
mod footprint;
mod growth;
mod latency;
mod load;
mod n8n;
mod peer;
mod postgres;
mod process;
mod product;
mod quiet;
mod reads;
mod report;
mod scenario;
mod schedules;
mod seed;
mod setup;
mod simulation;
mod storage;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The same allocator as the product's, so that the minimal programs do not lose by theirs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures and prints a table.
    Measure(setup::Setup),
    /// Sends requests over kept connections for a time and prints what came back, as JSON.
    Load(load::LoadOptions),
    /// The minimal axum program.
    Axum(peer::PeerOptions),
    /// Says what a number of tenants needs, by the measured cost of a cycle (C1).
    Simulate(simulation::Installation),
    /// Commits single rows one after another for a time and prints how many a second.
    Commits {
        /// The file of the database; made anew.
        file: PathBuf,
        /// For how long.
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
}

fn main() -> anyhow::Result<()> {
    match CommandLine::parse().command {
        Command::Measure(setup) => setup::measure(&setup),
        Command::Load(options) => load::main(&options),
        Command::Axum(options) => peer::main(&options),
        Command::Simulate(installation) => simulation::main(&installation),
        Command::Commits { file, seconds } => accept::commits(&file, seconds),
    }
}
