//! `marquetry doctor`.

use clap::Args;

use crate::config::{Environment, ServerFlags};
use crate::doctor;
use crate::printer::Printer;

/// Look at this machine: is everything there that the server and its runs need?
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    marquetry doctor\n  \
    marquetry doctor --config /etc/marquetry.toml --json\n\n\
    It looks at what `serve` with the same settings would use, and changes nothing. Exit code 1 when \
    something will not work.")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    flags: Box<ServerFlags>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    args: &DoctorArgs,
    environment: &Environment,
    to: &mut Printer,
) -> anyhow::Result<u8> {
    let Some(config) = super::load(&args.flags, environment, to) else {
        return Ok(1);
    };
    let report = doctor::gather(&config).await;
    if args.json {
        doctor::print_json(&report, to);
    } else {
        doctor::toolchains::print(&report.toolchains, to);
        doctor::print(&report.checks, to);
    }
    Ok(doctor::exit_code(&report.checks))
}
