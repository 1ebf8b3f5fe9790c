//! `marquetry demo`.

use clap::Args;

use crate::config::{Environment, ServerFlags};
use crate::demo::{self, DemoOptions};
use crate::interrupt;
use crate::printer::Printer;
use crate::server;

/// See everything work once, with example integrations on this machine.
#[derive(Debug, Args)]
#[command(
    long_about = "See everything work once, with example integrations on this machine.\n\n\
        Starts a server with a data folder, puts two small integrations (one in Node, one in Python) into \
        local Git repositories, builds them, makes a customer of each, runs them, and shows every step with \
        its log. It then keeps serving, so that you can try the API. A second demo goes on with the same folder.",
    after_long_help = "Examples:\n  \
        marquetry demo\n  \
        marquetry demo --once --data-dir /tmp/try\n\n\
        Exit code 0 only when every step went well."
)]
pub(crate) struct DemoArgs {
    /// End after the last step, also on a terminal.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    flags: Box<ServerFlags>,
}

pub(super) async fn run(
    args: DemoArgs,
    environment: &Environment,
    to: &mut Printer,
) -> anyhow::Result<u8> {
    let Some(config) = super::load(&args.flags, environment, to) else {
        return Ok(1);
    };
    let stays = !args.once && to.is_terminal();
    let options = DemoOptions {
        repositories_dir: config.local_repositories.clone(),
        data_dir: config.data_dir.clone(),
        languages: None,
        stays,
    };
    let running = server::start_for_demo(config, to).await?;
    let told = interrupt::unless(demo::run(&running.client, options, to)).await;
    let code = match &told {
        None => interrupt::CODE,
        Some(Ok(report)) => u8::from(!report.succeeded),
        Some(Err(_)) => 1,
    };
    if stays && matches!(told, Some(Ok(_))) {
        running.until_stopped().await?;
    } else {
        running.stop().await?;
    }
    told.transpose()?;
    Ok(code)
}
