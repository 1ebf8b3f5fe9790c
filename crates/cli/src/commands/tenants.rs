//! `marquetry tenants`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{input, show};
use crate::client::{ConnectionArgs, PageArgs, find_integration, find_tenant, list};
use crate::failure::Failure;
use crate::printer::Printer;

#[derive(Debug, Args)]
pub(crate) struct TenantsArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: TenantsCommand,
}

#[derive(Debug, Subcommand)]
enum TenantsCommand {
    /// All tenants, or those of an integration.
    List {
        /// Only those of this integration (id or name).
        #[arg(long, value_name = "INTEGRATION")]
        integration: Option<String>,
        /// Only those of this user.
        #[arg(long, value_name = "NAME")]
        user_name: Option<String>,
        /// The archived ones instead.
        #[arg(long)]
        archived: bool,
        #[command(flatten)]
        pages: PageArgs,
    },
    /// One tenant.
    Get {
        /// Its id, its name, or integration/tenant.
        tenant: String,
    },
    /// Make a tenant.
    #[command(after_long_help = "Examples:\n  \
        marquetry tenants create crm-sync acme --config region=eu --config step=2\n  \
        marquetry tenants create crm-sync acme --configs settings.json --channel Latest\n  \
        marquetry tenants create crm-sync acme --schedule '0 6 * * *' --timezone Europe/Berlin")]
    Create {
        /// The integration's id or name.
        integration: String,
        /// Its name: lower-case letters, digits and -.
        name: String,
        #[command(flatten)]
        fields: Box<Fields>,
    },
    /// Change a tenant.
    #[command(after_long_help = "Examples:\n  \
        marquetry tenants update crm-sync/acme --config step=3      other settings stay\n  \
        marquetry tenants update acme --config step=null            remove one\n  \
        marquetry tenants update acme --schedule none --paused true")]
    Update {
        /// Its id, its name, or integration/tenant.
        tenant: String,
        /// Its new name.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        fields: Box<Fields>,
    },
    /// Set what a tenant's next run sees as the last successful output.
    #[command(after_long_help = "Examples:\n  \
        marquetry tenants set-state acme '{\"cursor\": 0}'\n  \
        marquetry tenants set-state acme null                      as if none had ever succeeded")]
    SetState {
        /// Its id, its name, or integration/tenant.
        tenant: String,
        /// The output: JSON, a file with JSON, or - for stdin; `null` for none.
        #[arg(value_name = "FILE|-|JSON")]
        std_out: String,
    },
    /// When a tenant's schedule is due next.
    SchedulePreview {
        /// Its id, its name, or integration/tenant.
        tenant: String,
        /// How many times, 100 at most.
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
        count: u32,
    },
    /// Archive a tenant.
    Archive {
        /// Its id, its name, or integration/tenant.
        tenant: String,
    },
}

#[derive(Debug, Args)]
struct Fields {
    /// One of its settings; may be repeated. A value that is JSON is taken as JSON.
    #[arg(long = "config", value_name = "NAME=VALUE")]
    config: Vec<String>,
    /// Its settings as a JSON object: the text, a file, or - for stdin.
    #[arg(long, value_name = "FILE|-|JSON")]
    configs: Option<String>,
    /// When it runs, as cron; `none` for never by itself.
    #[arg(long, value_name = "CRON")]
    schedule: Option<String>,
    /// The time zone of the schedule, as Europe/Berlin.
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// The release it stays on.
    #[arg(long, value_name = "ID", conflicts_with = "channel")]
    release: Option<i64>,
    /// The channel it follows.
    #[arg(long, value_name = "Latest|Default")]
    channel: Option<String>,
    /// Who it belongs to in your product.
    #[arg(long, value_name = "NAME")]
    user_name: Option<String>,
    /// Whether its schedule rests.
    #[arg(long, value_name = "true|false")]
    paused: Option<bool>,
}

impl Fields {
    fn body(&self) -> anyhow::Result<Map<String, Value>> {
        let mut body = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        put("configs", self.all_configs()?);
        let schedule = self.schedule.as_deref().map(|cron| match cron {
            "none" => Value::Null,
            cron => json!(cron),
        });
        put("user_schedule", schedule);
        put("timezone", self.timezone.clone().map(Value::from));
        put("integration_release_id", self.release.map(Value::from));
        put(
            "integration_release_channel",
            self.channel.clone().map(Value::from),
        );
        put("user_name", self.user_name.clone().map(Value::from));
        put("paused", self.paused.map(Value::from));
        Ok(body)
    }

    /// Single settings win over those of the object.
    fn all_configs(&self) -> anyhow::Result<Option<Value>> {
        if self.config.is_empty() && self.configs.is_none() {
            return Ok(None);
        }
        let mut all = match self.configs.as_deref().map(input::json).transpose()? {
            None => Map::new(),
            Some(Value::Object(all)) => all,
            Some(_) => {
                return Err(Failure::new("--configs is no JSON object")
                    .remedy("write it as '{\"step\": 2}'")
                    .into());
            }
        };
        all.extend(input::settings(&self.config)?);
        Ok(Some(Value::Object(all)))
    }
}

pub(super) async fn run(args: TenantsArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let as_json = args.connection.json;
    let client = args.connection.client()?;
    match args.command {
        TenantsCommand::List {
            integration,
            user_name,
            archived,
            pages,
        } => {
            let mut query = vec![("archived", archived.to_string())];
            if let Some(name) = integration {
                let id = find_integration(&client, &name).await?;
                query.push(("integration_id", id.to_string()));
            }
            query.extend(user_name.map(|name| ("user_name", name)));
            let found = list(&client, "/v2/tenants", &query, &pages).await?;
            show::answer(&found, as_json, to, |value, to| {
                let empty = "no tenants; make one: marquetry tenants create INTEGRATION NAME";
                let headings = [
                    "ID",
                    "NAME",
                    "INTEGRATION",
                    "RELEASE",
                    "SCHEDULE",
                    "PAUSED",
                    "LAST RUN",
                ];
                show::rows(value, &headings, row, empty, to);
            });
        }
        TenantsCommand::Get { tenant } => {
            let id = find_tenant(&client, &tenant).await?;
            let found = client.get(&format!("/v2/tenants/{id}"), &[]).await?;
            show::answer(&found, as_json, to, one);
        }
        TenantsCommand::Create {
            integration,
            name,
            fields,
        } => {
            let mut body = fields.body()?;
            let id = find_integration(&client, &integration).await?;
            body.insert("name".to_owned(), json!(name));
            body.insert("integration_id".to_owned(), json!(id));
            let body = Value::Object(body);
            let made = client.post("/v2/tenants", &[], Some(&body)).await?;
            show::answer(&made, as_json, to, one);
            if !as_json {
                let id = show::text(&made.value, "id");
                to.note(&format!("next, run it: marquetry sync {id} --wait"));
            }
        }
        TenantsCommand::Update {
            tenant,
            name,
            fields,
        } => {
            let mut body = fields.body()?;
            if let Some(name) = name {
                body.insert("name".to_owned(), json!(name));
            }
            if body.is_empty() {
                return Err(Failure::new("there is nothing to change")
                    .remedy("name a field; marquetry tenants update --help lists them")
                    .into());
            }
            let id = find_tenant(&client, &tenant).await?;
            let path = format!("/v2/tenants/{id}");
            let changed = client.patch(&path, &Value::Object(body)).await?;
            show::answer(&changed, as_json, to, one);
        }
        TenantsCommand::SetState { tenant, std_out } => {
            let output = input::raw(&std_out)?;
            let text = Some(output.get()).filter(|text| *text != "null");
            let id = find_tenant(&client, &tenant).await?;
            let path = format!("/v2/tenants/{id}/state");
            let body = json!({ "std_out": text });
            let state = client.put(&path, &body).await?;
            show::answer(&state, as_json, to, |_, to| {
                to.line(&format!("the next run of tenant {tenant} sees this"));
            });
        }
        TenantsCommand::SchedulePreview { tenant, count } => {
            let id = find_tenant(&client, &tenant).await?;
            let path = format!("/v2/tenants/{id}/schedule/preview");
            let found = client.get(&path, &[("count", count.to_string())]).await?;
            show::answer(&found, as_json, to, preview);
        }
        TenantsCommand::Archive { tenant } => {
            let id = find_tenant(&client, &tenant).await?;
            let gone = client.delete(&format!("/v2/tenants/{id}"), &[]).await?;
            show::answer(&gone, as_json, to, |_, to| {
                to.line(&format!("tenant {tenant} is archived"));
            });
        }
    }
    Ok(0)
}

fn one(tenant: &Value, to: &mut Printer) {
    let first = [
        "id",
        "name",
        "integration_id",
        "user_name",
        "configs",
        "user_schedule",
        "schedule",
    ];
    show::block(tenant, &first, &["status"], to);
    let last = &tenant["status"]["last_run"];
    if last.as_object().is_some_and(|run| !run.is_empty()) {
        let phase = show::phase(last);
        to.note(&format!(
            "last run {} {phase}; its log: marquetry logs {}",
            show::text(last, "id"),
            show::text(last, "id")
        ));
    }
}

fn preview(found: &Value, to: &mut Printer) {
    let times = found["next"].as_array().map(Vec::as_slice);
    let times = times.unwrap_or_default();
    let (schedule, zone) = (show::text(found, "schedule"), show::text(found, "timezone"));
    if schedule.is_empty() {
        to.note("no schedule; set one: marquetry tenants update TENANT --schedule '0 6 * * *'");
        return;
    }
    for at in times {
        to.line(&show::plain(at));
    }
    let never = if times.is_empty() {
        " is never due"
    } else {
        ""
    };
    to.note(&format!("{schedule} in {zone}{never}"));
    if found["paused"] == true {
        to.note("the tenant or its integration is paused: these times pass without a run");
    }
}

fn row(tenant: &Value) -> Vec<String> {
    let release = match show::text(tenant, "integration_release_id") {
        id if id.is_empty() => show::text(tenant, "integration_release_channel"),
        id => id,
    };
    vec![
        show::text(tenant, "id"),
        show::text(tenant, "name"),
        show::text(tenant, "integration_id"),
        release,
        show::text(tenant, "schedule"),
        show::text(tenant, "paused"),
        show::phase(&tenant["status"]["last_run"]),
    ]
}
