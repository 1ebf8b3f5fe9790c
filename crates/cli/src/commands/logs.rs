//! `marquetry logs`.

use clap::Args;

use crate::client::{ConnectionArgs, follow};
use crate::interrupt;
use crate::printer::Printer;

/// The log of a run.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  marquetry logs 12\n  marquetry logs 12 -f | grep trigger"
)]
pub(crate) struct LogsArgs {
    /// The run's id.
    run: i64,
    /// Go on until the run has ended.
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: LogsArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let client = args.connection.client()?;
    let run = args.run;
    if !args.follow {
        let text = client.text(&format!("/v2/runs/{run}/log")).await?;
        to.text(&text);
        return Ok(0);
    }
    let path = format!("/v2/runs/{run}/log/stream");
    let following = follow(&client, &path, |piece| {
        to.text(piece);
        !to.is_closed()
    });
    match interrupt::unless(following).await {
        Some(done) => done.map(|_| 0).map_err(Into::into),
        None => Ok(interrupt::CODE),
    }
}
