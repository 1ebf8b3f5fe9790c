//! `marquetry explain`.

use clap::Args;
use serde_json::Value;

use super::show;
use crate::client::{ConnectionArgs, find_tenant};
use crate::printer::Printer;

/// Why a tenant ran, waits, or did not run.
#[derive(Debug, Args)]
#[command(
    long_about = "Why a tenant ran, waits, or did not run.\n\nFirst what holds now: what waits and for what, and when \
        the schedule is due. Then, newest first, what was decided: triggers accepted, bundles and where they end, \
        runs ended, ticks passed over, requests refused.",
    after_long_help = "Examples:\n  \
        marquetry explain crm-sync/acme\n  \
        marquetry explain crm-sync/acme --trigger 41     only what happened to this trigger"
)]
pub(crate) struct ExplainArgs {
    /// The tenant: id, name, or integration/tenant.
    tenant: String,
    /// Only what concerns this trigger.
    #[arg(long, value_name = "ID")]
    trigger: Option<i64>,
    /// How many sentences.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: ExplainArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let as_json = args.connection.json;
    let client = args.connection.client()?;
    let id = find_tenant(&client, &args.tenant).await?;
    let mut query = vec![("limit", args.limit.to_string())];
    query.extend(args.trigger.map(|id| ("trigger_id", id.to_string())));
    let path = format!("/v2/tenants/{id}/explain");
    let found = client.get(&path, &query).await?;
    show::answer(&found, as_json, to, |value, to| {
        let sentences = value["sentences"].as_array().map(Vec::as_slice);
        for sentence in sentences.unwrap_or_default() {
            line(sentence, to);
        }
    });
    Ok(0)
}

fn line(sentence: &Value, to: &mut Printer) {
    let (at, text) = (show::time(sentence, "at"), show::text(sentence, "text"));
    to.line(&format!("{at}  {text}"));
}
