//! `marquetry bulk`.

use clap::Args;
use serde_json::{Map, Value, json};

use super::show;
use crate::client::{Client, ConnectionArgs, find_integration, find_tenant};
use crate::printer::Printer;

/// Do the same to many tenants.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    marquetry bulk pause --integration crm-sync --dry-run\n  \
    marquetry bulk release --integration crm-sync --to 12\n  \
    marquetry bulk sync --tenant crm-sync/acme --tenant crm-sync/globex --mode init\n\n\
    Exit code 1 when it failed for one of them.")]
pub(crate) struct BulkArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// What is done to each.
    #[arg(value_parser = ["sync", "pause", "resume", "release", "archive"])]
    action: String,
    /// Those of this integration (id or name).
    #[arg(long, value_name = "INTEGRATION")]
    integration: Option<String>,
    /// This tenant; may be repeated.
    #[arg(long = "tenant", value_name = "TENANT")]
    tenants: Vec<String>,
    /// Those of this user of the host product.
    #[arg(long, value_name = "NAME")]
    user_name: Option<String>,
    /// Paused ones, or others.
    #[arg(long, value_name = "true|false")]
    paused: Option<bool>,
    /// Those that run this release and no other.
    #[arg(long, value_name = "ID")]
    on_release: Option<i64>,
    /// Those that follow this channel.
    #[arg(long, value_name = "CHANNEL", value_parser = ["Latest", "Default"])]
    on_channel: Option<String>,
    /// All of them, of all integrations.
    #[arg(long, conflicts_with_all = ["integration", "tenants", "user_name", "paused", "on_release", "on_channel"])]
    all: bool,
    /// How runs behave, for `sync`.
    #[arg(long, value_parser = ["init", "normal"])]
    mode: Option<String>,
    /// For `release`: the id of a release, `latest` or `default`.
    #[arg(long, value_name = "RELEASE", value_parser = target)]
    to: Option<Target>,
    /// Only say what would come of it.
    #[arg(long)]
    dry_run: bool,
}

/// What tenants run from now on.
#[derive(Debug, Clone, Copy)]
enum Target {
    Release(i64),
    Latest,
    Default,
}

fn target(text: &str) -> Result<Target, &'static str> {
    match text {
        "latest" => Ok(Target::Latest),
        "default" => Ok(Target::Default),
        id => match id.parse() {
            Ok(id) => Ok(Target::Release(id)),
            Err(_) => Err("give the id of a release, `latest` or `default`"),
        },
    }
}

impl BulkArgs {
    async fn body(&self, client: &Client) -> anyhow::Result<Value> {
        let mut filter = Map::new();
        if let Some(name) = &self.integration {
            filter.insert(
                "integration_id".to_owned(),
                json!(find_integration(client, name).await?),
            );
        }
        if !self.tenants.is_empty() {
            let mut ids = Vec::new();
            for name in &self.tenants {
                ids.push(find_tenant(client, name).await?);
            }
            filter.insert("ids".to_owned(), json!(ids));
        }
        if let Some(name) = &self.user_name {
            filter.insert("user_name".to_owned(), json!(name));
        }
        if let Some(paused) = self.paused {
            filter.insert("paused".to_owned(), json!(paused));
        }
        if let Some(id) = self.on_release {
            filter.insert("integration_release_id".to_owned(), json!(id));
        }
        if let Some(channel) = &self.on_channel {
            filter.insert("integration_release_channel".to_owned(), json!(channel));
        }
        if filter.is_empty() && !self.all {
            anyhow::bail!(
                "say which: --integration, --tenant, --user-name, --paused, --on-release or --on-channel, or --all"
            );
        }
        let mut body = json!({"action": self.action, "filter": filter, "dry_run": self.dry_run});
        if let Some(mode) = &self.mode {
            body["mode"] = json!(mode);
        }
        match self.to {
            None => {}
            Some(Target::Latest) => body["integration_release_channel"] = json!("Latest"),
            Some(Target::Default) => body["integration_release_channel"] = json!("Default"),
            Some(Target::Release(id)) => body["integration_release_id"] = json!(id),
        }
        Ok(body)
    }
}

fn items(done: &Value, to: &mut Printer) {
    let row = |item: &Value| {
        let ok = if item["ok"] == true { "ok" } else { "failed" };
        vec![
            show::text(item, "id"),
            ok.to_owned(),
            show::text(item, "message"),
        ]
    };
    let empty = "no tenant fits";
    show::rows(&done["items"], &["TENANT", "", "WHAT"], row, empty, to);
}

pub(super) async fn run(args: BulkArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let client = args.connection.patient_client()?;
    let body = args.body(&client).await?;
    let done = client.post("/v2/bulk", &[], Some(&body)).await?;
    show::answer(&done, args.connection.json, to, items);
    let found = done.value["items"].as_array().map(Vec::as_slice);
    let all_ok = found
        .unwrap_or_default()
        .iter()
        .all(|item| item["ok"] == true);
    Ok(u8::from(!all_ok))
}
