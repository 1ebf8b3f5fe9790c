//! `marquetry runs`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{input, show};
use crate::client::{ConnectionArgs, PageArgs, find_integration, find_tenant, list};
use crate::failure::Failure;
use crate::printer::{Block, Printer};

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: RunsCommand,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// Runs, newest first.
    #[command(after_long_help = "Examples:\n  \
        marquetry runs list --tenant crm-sync/acme\n  \
        marquetry runs list --phase 'Failed (Integration Issue)' --from 2026-01-01T00:00:00Z")]
    List(Filter),
    /// One run.
    Get {
        /// Its id.
        run: i64,
    },
    /// Run a past run once more.
    #[command(after_long_help = "Examples:\n  \
        marquetry runs rerun 41                                    as it was, with today's release\n  \
        marquetry runs rerun 41 --configs current --save\n  \
        marquetry runs rerun 41 --std-out '{\"cursor\": 0}' --release original")]
    Rerun {
        /// Its id.
        run: i64,
        /// The settings: original, current, or a JSON object (the text, a file, or - for stdin).
        #[arg(long, value_name = "original|current|JSON", default_value = "original")]
        configs: String,
        /// The state that it is given, in the same way.
        #[arg(long, value_name = "original|current|JSON", default_value = "original")]
        std_out: String,
        /// Let later runs see what it prints.
        #[arg(long)]
        save: bool,
        /// Whose release it runs.
        #[arg(long, default_value = "current", value_parser = ["current", "original"])]
        release: String,
    },
    /// Stop a run.
    Cancel {
        /// Its id.
        run: i64,
    },
}

#[derive(Debug, Args)]
struct Filter {
    /// Only those of this tenant (id, name, or integration/tenant).
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Only those of this integration (id or name).
    #[arg(long, value_name = "INTEGRATION")]
    integration: Option<String>,
    /// Only those in this phase, as Succeeded or 'Failed (Timeout)'.
    #[arg(long, value_name = "PHASE")]
    phase: Option<String>,
    /// Only those of this mode: init, normal or webhook.
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// Only those started by this: api, cron, webhook, …
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Only those made at this instant or later, as 2026-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only those made before this instant.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    #[command(flatten)]
    pages: PageArgs,
}

pub(super) async fn run(args: RunsArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let as_json = args.connection.json;
    let client = args.connection.client()?;
    match args.command {
        RunsCommand::List(filter) => {
            let mut query = Vec::new();
            if let Some(name) = &filter.tenant {
                query.push(("tenant_id", find_tenant(&client, name).await?.to_string()));
            }
            if let Some(name) = &filter.integration {
                let id = find_integration(&client, name).await?;
                query.push(("integration_id", id.to_string()));
            }
            query.extend(filter.phase.map(|phase| ("phase", phase)));
            query.extend(filter.mode.map(|mode| ("mode", mode)));
            query.extend(filter.source.map(|source| ("source", source)));
            query.extend(filter.from.map(|from| ("from", from)));
            query.extend(filter.to.map(|until| ("to", until)));
            let found = list(&client, "/v2/runs", &query, &filter.pages).await?;
            show::answer(&found, as_json, to, |value, to| {
                let empty = "no runs; start one: marquetry sync TENANT --wait";
                let headings = [
                    "ID", "TENANT", "MODE", "PHASE", "TRIGGERS", "STARTED", "TOOK",
                ];
                show::rows(value, &headings, row, empty, to);
            });
        }
        RunsCommand::Get { run } => {
            let found = client.get(&format!("/v2/runs/{run}"), &[]).await?;
            show::answer(&found, as_json, to, one);
        }
        RunsCommand::Rerun {
            run,
            configs,
            std_out,
            save,
            release,
        } => {
            let body = json!({
                "configs": origin("--configs", &configs)?,
                "std_out": origin("--std-out", &std_out)?,
                "save": save,
                "release": release,
            });
            let path = format!("/v2/runs/{run}/rerun");
            let accepted = client.post(&path, &[], Some(&body)).await?;
            show::answer(&accepted, as_json, to, |accepted, to| {
                let trigger = show::text(accepted, "trigger_id");
                to.line(&format!("trigger {trigger} is accepted"));
                to.note("see its run: marquetry runs list --limit 5");
            });
        }
        RunsCommand::Cancel { run } => {
            let path = format!("/v2/runs/{run}/cancel");
            let found = client.post(&path, &[], None).await?;
            show::answer(&found, as_json, to, one);
        }
    }
    Ok(0)
}

/// How settings and state of a rerun are given.
const ORIGINS: &str = "original, current, a JSON object such as '{\"cursor\": 0}', the name of a file with one, or - for stdin";

/// One of two words, or a JSON object.
fn origin(option: &str, text: &str) -> anyhow::Result<Value> {
    if matches!(text, "original" | "current") {
        return Ok(Value::from(text));
    }
    let given = input::json_among(text, ORIGINS)?;
    if !given.is_object() {
        return Err(Failure::new(format!("{option} is no JSON object"))
            .remedy(format!("give {ORIGINS}"))
            .into());
    }
    Ok(given)
}

/// One run for people.
pub(super) fn one(run: &Value, to: &mut Printer) {
    let mut block = Block::default();
    block
        .add("id", show::text(run, "id"))
        .add("phase", show::phase(run))
        .add("message", show::text(run, "message"))
        .add("mode", show::text(run, "mode"))
        .add("tenant", show::text(run, "tenant_id"))
        .add("integration", show::text(run, "integration_id"))
        .add("release", show::text(run, "release_id"))
        .add("started", show::time(run, "started_date"))
        .add(
            "took",
            show::between(&run["started_date"], &run["completed_date"]),
        )
        .add("exit code", show::text(run, "exit_code"))
        .add("triggers", triggers(run))
        .add("output", show::text(run, "std_out"))
        .add("rerun of", show::text(run, "rerun_of"));
    block.print(to);
}

fn triggers(run: &Value) -> String {
    let list = run["triggers"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let words = list.iter().map(|trigger| {
        let id = show::text(trigger, "id");
        format!("{id} ({})", show::text(trigger, "source"))
    });
    words.collect::<Vec<_>>().join(", ")
}

fn row(run: &Value) -> Vec<String> {
    let triggers = run["triggers"].as_array().map_or(0, Vec::len);
    vec![
        show::text(run, "id"),
        show::text(run, "tenant_id"),
        show::text(run, "mode"),
        show::phase(run),
        triggers.to_string(),
        show::time(run, "started_date"),
        show::between(&run["started_date"], &run["completed_date"]),
    ]
}
