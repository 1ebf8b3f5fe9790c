//! `marquetry triggers`.

use clap::{Args, Subcommand};

use super::show;
use crate::client::ConnectionArgs;
use crate::printer::Printer;

#[derive(Debug, Args)]
pub(crate) struct TriggersArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: TriggersCommand,
}

#[derive(Debug, Subcommand)]
enum TriggersCommand {
    /// Withdraw a trigger that waits for its run.
    #[command(
        long_about = "Withdraw a trigger that waits for its run.\n\nOne that a run has taken cannot be withdrawn: \
            the message names that run, which `marquetry runs cancel` stops.",
        after_long_help = "Examples:\n  \
            marquetry explain crm-sync/acme                 which triggers wait, and for what\n  \
            marquetry triggers cancel 41"
    )]
    Cancel {
        /// Its id, as `marquetry sync` says it.
        trigger: u64,
    },
}

pub(super) async fn run(args: TriggersArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let as_json = args.connection.json;
    let client = args.connection.client()?;
    match args.command {
        TriggersCommand::Cancel { trigger } => {
            let path = format!("/v2/runs/triggers/{trigger}/cancel");
            let cancelled = client.post(&path, &[], None).await?;
            show::answer(&cancelled, as_json, to, |_, to| {
                to.line(&format!("trigger {trigger} is cancelled"));
            });
        }
    }
    Ok(0)
}
