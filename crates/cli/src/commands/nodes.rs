//! `marquetry nodes`.

use clap::Args;
use serde_json::Value;

use super::show;
use crate::client::{ConnectionArgs, PageArgs, list};
use crate::printer::Printer;

#[derive(Debug, Args)]
#[command(
    after_long_help = "STATUS is Live, Draining (it takes nothing more and will end), WrongClock (its clock \
    differs by more than 2 s from the database's, so it claims nothing) or Lost (no sign of life for 90 s; what it ran \
    is closed). RUNS and BUILDS are what it does, of what it can do at once. A node that has ended in order is not \
    listed; a lost one is for a day.\n\nExamples:\n  \
    marquetry nodes\n  \
    marquetry nodes --json"
)]
pub(crate) struct NodesArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    pages: PageArgs,
}

pub(super) async fn run(args: NodesArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let client = args.connection.client()?;
    let found = list(&client, "/v2/nodes", &[], &args.pages).await?;
    show::answer(&found, args.connection.json, to, |value, to| {
        let headings = [
            "NODE", "STATUS", "ROLES", "RUNS", "BUILDS", "CLOCK", "VERSION", "SEEN",
        ];
        show::rows(value, &headings, row, "no nodes", to);
    });
    Ok(0)
}

fn row(node: &Value) -> Vec<String> {
    let of = |live, slots| {
        let slots = show::text(node, slots);
        if slots == "0" {
            "-".to_owned()
        } else {
            format!("{}/{slots}", show::text(node, live))
        }
    };
    let clock = node["clock_difference_ms"].as_i64();
    vec![
        show::text(node, "name"),
        show::text(node, "status"),
        show::text(node, "roles"),
        of("live_runs", "run_slots"),
        of("live_builds", "build_slots"),
        clock.map_or_else(|| "-".to_owned(), |ms| format!("{ms:+} ms")),
        show::text(node, "version"),
        show::time(node, "seen_date"),
    ]
}
