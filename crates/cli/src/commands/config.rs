//! `marquetry config`.

use clap::{Args, Subcommand};

use crate::config::{Environment, ServerConfig, ServerFlags, print_effective, print_faults};
use crate::printer::Printer;

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show the settings in effect and where each came from, or everything that is wrong.
    #[command(after_long_help = "Examples:\n  \
        marquetry config check --config /etc/marquetry.toml\n  \
        MARQUETRY_RUN_SLOTS=8 marquetry config check --json\n\n\
        Exit code 1 when something is wrong.")]
    Check(Box<CheckArgs>),
}

#[derive(Debug, Args)]
struct CheckArgs {
    #[command(flatten)]
    flags: ServerFlags,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ConfigArgs, environment: &Environment, to: &mut Printer) -> u8 {
    let ConfigCommand::Check(check) = &args.command;
    match ServerConfig::load(&check.flags, environment) {
        Ok(config) => {
            print_effective(&config, check.json, to);
            0
        }
        Err(error) => {
            print_faults(&error, check.json, to);
            1
        }
    }
}
