//! `marquetry build`: ask for a build and, on a terminal, watch it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use marquetry_model::{Clock, SystemClock, Timestamp};
use serde_json::{Value, json};

use super::{builds, pack, show};
use crate::client::{Answer, Client, ConnectionArgs, find_integration, follow};
use crate::interrupt;
use crate::printer::{Printer, Style};

/// Between two looks at a build that writes no log any more.
const PAUSE: Duration = Duration::from_millis(300);

/// Build a release of an integration.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    marquetry build crm-sync                      the head of the tracking branch\n  \
    marquetry build crm-sync --tag v1.4           the Git tag v1.4, if there is one\n  \
    marquetry build crm-sync --branch fix --tag try-1 --wait\n  \
    marquetry build crm-sync --upload .           this folder, without a commit\n\n\
    With --wait or --follow the exit code is 0 when the build succeeded, 10 when it failed, \
    15 when it was cancelled. On a terminal --follow is the default.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct BuildArgs {
    /// The integration's id or name.
    integration: String,
    /// The label of the release, or a Git tag to build [default: the time, as 20260131-140509; of an
    /// upload: build-ID].
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// The branch to build [default: the tracking branch].
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// Build this folder, or this .tar.gz of one, instead of a commit. Git's own folder is left out.
    #[arg(long, value_name = "FOLDER|FILE", conflicts_with_all = ["branch", "latest"])]
    upload: Option<PathBuf>,
    /// Make the release the latest one although it is of another branch.
    #[arg(long)]
    latest: bool,
    /// Wait for the end, without the log.
    #[arg(long)]
    wait: bool,
    /// Show the log until the end.
    #[arg(long, short, conflicts_with = "wait")]
    follow: bool,
    /// Only ask for it, also on a terminal.
    #[arg(long, conflicts_with_all = ["wait", "follow"])]
    no_wait: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: BuildArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let client = args.connection.client()?;
    let as_json = args.connection.json;
    let integration = find_integration(&client, &args.integration).await?;
    let asked = ask(&client, &args, integration).await?;
    let id = show::text(&asked.value, "id");
    let live = args.follow || (to.is_terminal() && !args.wait && !args.no_wait && !as_json);
    if !live && !args.wait {
        show::answer(&asked, as_json, to, |_, to| {
            to.line(&format!("build {id} of {} waits", args.integration));
            to.note(&format!("follow it: marquetry builds log {id} -f"));
        });
        return Ok(0);
    }
    to.note(&format!("build {id} of {}", args.integration));
    let work = async {
        if live {
            let path = format!("/v2/builds/{id}/log?follow=true");
            follow(&client, &path, |piece| {
                if as_json {
                    to.note_text(piece);
                } else {
                    to.text(piece);
                }
                !to.is_closed()
            })
            .await?;
        }
        ended(&client, &id).await
    };
    match interrupt::unless(work).await {
        Some(done) => Ok(report(&done?, as_json, to)),
        None => {
            to.note(&format!(
                "build {id} goes on; stop it: marquetry builds cancel {id}"
            ));
            Ok(interrupt::CODE)
        }
    }
}

async fn ask(client: &Client, args: &BuildArgs, integration: i64) -> anyhow::Result<Answer> {
    let Some(path) = args.upload.clone() else {
        let body = body(args, integration, &default_tag(SystemClock.now()));
        let path = "/v2/sourcecontrol/build";
        return Ok(client.post(path, &[], Some(&body)).await?);
    };
    let archive = tokio::task::spawn_blocking(move || pack::archive(&path)).await??;
    let tag = args.tag.iter().map(|tag| ("tag", tag.clone()));
    let query: Vec<_> = tag.collect();
    let path = format!("/v2/integrations/{integration}/releases/upload");
    Ok(client.upload(&path, &query, archive).await?)
}

fn body(args: &BuildArgs, integration: i64, default_tag: &str) -> Value {
    let tag = args.tag.as_deref().unwrap_or(default_tag);
    let mut body = json!({ "integration_id": integration, "tag": tag });
    if let Some(branch) = &args.branch {
        body["branch"] = json!(branch);
    }
    if args.latest {
        body["latest"] = json!(true);
    }
    body
}

/// The API asks for a label: one that sorts by time and is no name of a Git tag.
fn default_tag(now: Timestamp) -> String {
    let digits = now.to_string().replace(['-', ':'], "");
    let mut parts = digits.split(['T', '.']);
    let day = parts.next().unwrap_or_default();
    format!("{day}-{}", parts.next().unwrap_or_default())
}

/// The build once it has ended.
pub(crate) async fn ended(client: &Client, id: &str) -> anyhow::Result<Answer> {
    loop {
        let build = client.get(&format!("/v2/builds/{id}"), &[]).await?;
        if !matches!(build.value["status"].as_str(), Some("Pending" | "Running")) {
            return Ok(build);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn report(build: &Answer, as_json: bool, to: &mut Printer) -> u8 {
    let status = show::text(&build.value, "status");
    show::answer(build, as_json, to, builds::one);
    let (code, style) = match status.as_str() {
        "Succeeded" => (0, Style::Good),
        "Cancelled" => (15, Style::Warn),
        _ => (10, Style::Bad),
    };
    let word = to.paint_note(style, &status);
    let took = show::between(&build.value["started_date"], &build.value["completed_date"]);
    to.note(format!("{word} {took}").trim_end());
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_a_tag_is_labelled_by_its_time() {
        let now = Timestamp::parse("2026-01-31T14:05:09.123Z").unwrap();
        assert_eq!(default_tag(now), "20260131-140509");
    }
}
