//! `marquetry bench`.

use clap::{Args, ValueEnum};

use crate::bench::{self, BenchOptions};
use crate::interrupt;
use crate::printer::Printer;

/// Measure how fast it is on this machine.
#[derive(Debug, Args)]
#[command(
    long_about = "Measure how fast it is on this machine.\n\n\
        Starts a server on temporary data and measures it from outside: rates of the API, how long a trigger takes \
        until its run can be read, how many runs end in a second, and what it costs to wait. Beside that, what the \
        machine can do at all: a loop that starts the same process, and a server that does nothing. Takes less than \
        two minutes; close other programs meanwhile. The data is gone afterwards.",
    after_long_help = "Examples:\n  \
        marquetry bench\n  \
        marquetry bench --sandbox off --json > figures.json"
)]
pub(crate) struct BenchArgs {
    /// The sandbox of the runs.
    #[arg(long, value_enum, default_value_t = Isolation::Full)]
    sandbox: Isolation,
    /// How long each rate is measured, in seconds.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=10))]
    seconds: u64,
    /// How many tenants have a run at once.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    tenants: u32,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Isolation {
    /// All of it; refused where a part is missing.
    Full,
    /// What there is.
    Degraded,
    /// None.
    Off,
}

pub(super) async fn run(args: BenchArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let options = BenchOptions {
        sandbox: match args.sandbox {
            Isolation::Full => "full",
            Isolation::Degraded => "degraded",
            Isolation::Off => "off",
        },
        seconds: args.seconds,
        tenants: usize::try_from(args.tenants).unwrap_or(1),
    };
    let Some(report) = interrupt::unless(bench::run(&options, to)).await else {
        return Ok(interrupt::CODE);
    };
    let report = report?;
    if args.json {
        to.line(&serde_json::to_string_pretty(&report)?);
    } else {
        report.print(to);
    }
    Ok(0)
}
