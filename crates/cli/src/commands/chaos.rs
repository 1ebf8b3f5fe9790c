//! `marquetry chaos`.

use clap::Args;

use crate::chaos::{self, ChaosOptions};
use crate::interrupt;
use crate::printer::Printer;

/// Break nodes of its own under load, and check that every promise is kept.
#[derive(Debug, Args)]
#[command(
    long_about = "Break nodes of its own under load, and check that every promise is kept.\n\n\
        Starts servers on temporary data and asks for triggers, each until it is accepted, while nodes are killed (alone, or \
        with all they have started), stopped, frozen (also beyond their lease), cut off from the database, and the \
        database ends all sessions. The processes of the runs are watched without the platform. In the end it is checked \
        that each accepted trigger ran in exactly one run and nothing else did, that no tenant ever had two live \
        processes and no run more than one, that each run was given the state of the last one that succeeded and has \
        its own output and each line of its log once, that nobody waits for ever, and that no process or mount is left.\n\n\
        Without --database-url it is one node on SQLite. With it a database is made for the occasion on that server, \
        which must be of this machine, and dropped in the end, unless a promise was broken; others of the server are not touched. What must be there: \
        bash, and the full sandbox (`marquetry doctor`).",
    after_long_help = "Examples:\n  \
        marquetry chaos\n  \
        marquetry chaos --seed 7 --plan                  which faults that seed has\n  \
        marquetry chaos --nodes 3 --database-url postgres://postgres@127.0.0.1/postgres\n\n\
        Exit code 0 only when every promise was kept; 1 when one was broken, and then the nodes' data, logs and database are kept."
)]
pub(crate) struct ChaosArgs {
    /// Chooses the faults, their order, nodes and lengths, and who is asked for what.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many triggers are to be accepted.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    triggers: u32,
    /// How many triggers are asked for in a second, at most.
    #[arg(long, value_name = "N", default_value_t = 250, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// How many tenants there are.
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    tenants: u32,
    /// How many nodes there are; several need --database-url [default: 1, with a database 3].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    nodes: Option<u8>,
    /// How many faults there are.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    faults: u32,
    /// A PostgreSQL server of this machine, whose user may make databases.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Only say which faults there would be.
    #[arg(long)]
    plan: bool,
    /// Print what came of it as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: ChaosArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let usual = if args.database_url.is_some() { 3 } else { 1 };
    let nodes = args.nodes.unwrap_or(usual);
    if nodes > 1 && args.database_url.is_none() && !args.plan {
        anyhow::bail!(
            "several nodes share a PostgreSQL: name one with --database-url, or leave --nodes away"
        );
    }
    let options = ChaosOptions {
        seed: args.seed,
        triggers: args.triggers,
        rate: args.rate,
        tenants: args.tenants,
        nodes: usize::from(nodes),
        faults: usize::try_from(args.faults).unwrap_or(usize::MAX),
        database_url: args.database_url,
    };
    if args.plan {
        chaos::print_plan(&options, to);
        return Ok(0);
    }
    let Some(report) = chaos::run(&options, to).await? else {
        return Ok(interrupt::CODE);
    };
    if args.json {
        to.line(&serde_json::to_string_pretty(&report)?);
    } else {
        report.print(to);
    }
    Ok(u8::from(!report.is_good()))
}
