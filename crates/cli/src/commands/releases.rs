//! `marquetry releases`.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::show;
use crate::client::{ConnectionArgs, PageArgs, find_integration, list};
use crate::failure::Failure;
use crate::printer::Printer;

#[derive(Debug, Args)]
pub(crate) struct ReleasesArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: ReleasesCommand,
}

#[derive(Debug, Subcommand)]
enum ReleasesCommand {
    /// The releases of an integration.
    List {
        /// The integration's id or name.
        integration: String,
        #[command(flatten)]
        pages: PageArgs,
    },
    /// One release of an integration.
    Get {
        /// The integration's id or name.
        integration: String,
        /// `latest`, `default`, or its id.
        release: String,
    },
}

pub(super) async fn run(args: ReleasesArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let as_json = args.connection.json;
    let client = args.connection.client()?;
    match args.command {
        ReleasesCommand::List { integration, pages } => {
            let id = find_integration(&client, &integration).await?;
            let path = format!("/v2/integrations/{id}/releases");
            let found = list(&client, &path, &[], &pages).await?;
            show::answer(&found, as_json, to, |value, to| {
                let empty = format!("no releases yet; build one: marquetry build {integration}");
                let headings = ["ID", "NAME", "TAG", "BRANCH", "CREATED"];
                show::rows(value, &headings, row, &empty, to);
            });
        }
        ReleasesCommand::Get {
            integration,
            release,
        } => {
            let release = release.to_lowercase();
            if !matches!(release.as_str(), "latest" | "default") && release.parse::<i64>().is_err()
            {
                return Err(Failure::new(format!("`{release}` is no release"))
                    .remedy("write latest, default or an id; see marquetry releases list")
                    .into());
            }
            let id = find_integration(&client, &integration).await?;
            let path = format!("/v2/integrations/{id}/releases/{release}");
            let found = client.get(&path, &[]).await?;
            show::answer(&found, as_json, to, |value, to| {
                show::block(value, &["id", "name", "tag"], &[], to);
            });
        }
    }
    Ok(0)
}

fn row(release: &Value) -> Vec<String> {
    vec![
        show::text(release, "id"),
        show::text(release, "name"),
        show::text(release, "tag"),
        show::text(release, "repository_tracking_branch"),
        show::time(release, "created_date"),
    ]
}
