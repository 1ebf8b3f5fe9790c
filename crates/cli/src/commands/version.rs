//! `marquetry version`.

use clap::Args;
use serde_json::json;

use crate::client::{ClientError, ConnectionArgs};
use crate::printer::Printer;

/// Versions of this program and of the server's API.
#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: &VersionArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let client = args.connection.client()?;
    let server = match client.get("/openapi.json", &[]).await {
        Ok(description) => description.value["info"]["version"]
            .as_str()
            .map_or_else(|| Err("tells no version".to_owned()), |v| Ok(v.to_owned())),
        Err(ClientError::Unreachable { .. }) => Err("not reachable".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let own = env!("CARGO_PKG_VERSION");
    if args.connection.json {
        let line = json!({ "client": own, "server_api": server.as_ref().ok() });
        to.line(&line.to_string());
        return Ok(0);
    }
    to.line(&format!("marquetry {own}"));
    let base = client.base();
    match server {
        Ok(version) => to.line(&format!("server    API {version} at {base}")),
        Err(why) => to.note(&format!("the server at {base}: {why}")),
    }
    Ok(0)
}
