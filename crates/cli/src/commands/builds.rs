//! `marquetry builds`.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::show;
use crate::client::{Client, ConnectionArgs, PageArgs, find_integration, follow, list};
use crate::interrupt;
use crate::printer::Printer;

#[derive(Debug, Args)]
pub(crate) struct BuildsArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: BuildsCommand,
}

#[derive(Debug, Subcommand)]
enum BuildsCommand {
    /// Builds, newest first.
    List {
        /// Only those of this integration (id or name).
        #[arg(long, value_name = "INTEGRATION")]
        integration: Option<String>,
        #[command(flatten)]
        pages: PageArgs,
    },
    /// One build.
    Get {
        /// Its id.
        build: i64,
    },
    /// The log of a build.
    Log {
        /// Its id.
        build: i64,
        /// Go on until the build has ended.
        #[arg(long, short)]
        follow: bool,
    },
    /// Stop a build.
    Cancel {
        /// Its id.
        build: i64,
    },
}

pub(super) async fn run(args: BuildsArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let as_json = args.connection.json;
    let client = args.connection.client()?;
    match args.command {
        BuildsCommand::List { integration, pages } => {
            let mut query = Vec::new();
            if let Some(name) = integration {
                let id = find_integration(&client, &name).await?;
                query.push(("integration_id", id.to_string()));
            }
            let found = list(&client, "/v2/builds", &query, &pages).await?;
            show::answer(&found, as_json, to, |value, to| {
                let empty = "no builds yet; ask for one: marquetry build INTEGRATION";
                let headings = [
                    "ID",
                    "INTEGRATION",
                    "STATUS",
                    "TAG",
                    "COMMIT",
                    "RELEASES",
                    "CREATED",
                    "TOOK",
                ];
                show::rows(value, &headings, row, empty, to);
            });
        }
        BuildsCommand::Get { build } => {
            let found = client.get(&format!("/v2/builds/{build}"), &[]).await?;
            show::answer(&found, as_json, to, one);
        }
        BuildsCommand::Log { build, follow } => return log(&client, build, follow, to).await,
        BuildsCommand::Cancel { build } => {
            let path = format!("/v2/builds/{build}/cancel");
            let found = client.post(&path, &[], None).await?;
            show::answer(&found, as_json, to, one);
        }
    }
    Ok(0)
}

async fn log(client: &Client, build: i64, live: bool, to: &mut Printer) -> anyhow::Result<u8> {
    let path = format!("/v2/builds/{build}/log");
    if !live {
        let text = client.text(&path).await?;
        to.text(&text);
        return Ok(0);
    }
    let path = format!("{path}?follow=true");
    let following = follow(client, &path, |piece| {
        to.text(piece);
        !to.is_closed()
    });
    match interrupt::unless(following).await {
        Some(done) => done.map(|_| 0).map_err(Into::into),
        None => Ok(interrupt::CODE),
    }
}

/// One build for people.
pub(super) fn one(build: &Value, to: &mut Printer) {
    let first = [
        "id",
        "integration_id",
        "status",
        "message",
        "tag",
        "branch",
        "commit",
        "release_ids",
    ];
    show::block(build, &first, &[], to);
}

fn row(build: &Value) -> Vec<String> {
    let commit = show::text(build, "commit");
    vec![
        show::text(build, "id"),
        show::text(build, "integration_id"),
        show::text(build, "status"),
        show::text(build, "tag"),
        commit.chars().take(10).collect(),
        show::text(build, "release_ids"),
        show::time(build, "created_date"),
        show::between(&build["started_date"], &build["completed_date"]),
    ]
}
