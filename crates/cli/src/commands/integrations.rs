//! `marquetry integrations`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{input, show};
use crate::client::{ConnectionArgs, PageArgs, find_integration, list};
use crate::failure::Failure;
use crate::printer::Printer;

#[derive(Debug, Args)]
pub(crate) struct IntegrationsArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: IntegrationsCommand,
}

#[derive(Debug, Subcommand)]
enum IntegrationsCommand {
    /// All integrations.
    List {
        #[command(flatten)]
        pages: PageArgs,
        /// The archived ones instead.
        #[arg(long)]
        archived: bool,
    },
    /// One integration.
    Get {
        /// Its id or name.
        integration: String,
    },
    /// Make an integration.
    #[command(after_long_help = "Examples:\n  \
        marquetry integrations create crm-sync --repository-url https://git.example.com/crm.git\n  \
        marquetry integrations create crm-sync --repository-url git@git.example.com:crm.git --ssh-key-file deploy_key\n  \
        marquetry integrations create crm-sync --repository-url … --path crm/PANDIUM.yaml --set schedule_randomization=off")]
    Create {
        /// Its name in URLs: lower-case letters, digits and -.
        name: String,
        #[command(flatten)]
        fields: Box<Fields>,
    },
    /// Change an integration.
    #[command(after_long_help = "Examples:\n  \
        marquetry integrations update crm-sync --branch develop\n  \
        marquetry integrations update crm-sync --paused true\n  \
        marquetry integrations update crm-sync --set retry=platform")]
    Update {
        /// Its id or name.
        integration: String,
        #[command(flatten)]
        fields: Box<Fields>,
    },
    /// Archive an integration.
    Archive {
        /// Its id or name.
        integration: String,
        /// Archive its tenants too.
        #[arg(long)]
        cascade: bool,
    },
    /// Say which release tenants on the channel Default run.
    #[command(after_long_help = "Examples:\n  \
        marquetry integrations set-default crm-sync 12        this release\n  \
        marquetry integrations set-default crm-sync latest    always the newest")]
    SetDefault {
        /// Its id or name.
        integration: String,
        /// The id of a release, or `latest`.
        release: String,
    },
}

#[derive(Debug, Args)]
struct Fields {
    /// Its name for people [default: its name].
    #[arg(long, value_name = "TEXT")]
    long_name: Option<String>,
    /// Where the code is.
    #[arg(long, value_name = "URL")]
    repository_url: Option<String>,
    /// The branch whose builds are the latest [default: main].
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// The manifest in the repository; may be repeated for several releases from one build
    /// [default: PANDIUM.yaml].
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<String>,
    /// When tenants without a schedule of their own run, as cron.
    #[arg(long, value_name = "CRON")]
    default_schedule: Option<String>,
    /// How long a run may take, in seconds.
    #[arg(long, value_name = "SECONDS")]
    timeout_seconds: Option<u32>,
    /// How much memory a run may take, in MiB.
    #[arg(long, value_name = "MIB")]
    memory_mb: Option<u32>,
    /// What runs may reach.
    #[arg(long, value_name = "public|connectors|none|host")]
    egress: Option<String>,
    /// Whether nothing of it runs.
    #[arg(long, value_name = "true|false")]
    paused: Option<bool>,
    /// The user for https repositories; the token comes from --repository-token-file.
    #[arg(long, value_name = "NAME", requires = "repository_token_file")]
    repository_user: Option<String>,
    /// A file with the token for https repositories, or - for stdin.
    #[arg(long, value_name = "FILE", conflicts_with = "ssh_key_file")]
    repository_token_file: Option<String>,
    /// A file with the private key for ssh repositories, or - for stdin.
    #[arg(long, value_name = "FILE")]
    ssh_key_file: Option<String>,
    /// A file with NAME=VALUE lines: variables of the build, kept secret.
    #[arg(long, value_name = "FILE")]
    build_env_file: Option<String>,
    /// Any other field of the API, as retry=platform or 'connectors=[{"name":"slack"}]'; may be
    /// repeated.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    other: Vec<String>,
}

impl Fields {
    fn body(&self) -> anyhow::Result<Map<String, Value>> {
        let mut body = input::settings(&self.other)?;
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        put("long_name", self.long_name.clone().map(Value::from));
        put(
            "repository_url",
            self.repository_url.clone().map(Value::from),
        );
        put(
            "repository_tracking_branch",
            self.branch.clone().map(Value::from),
        );
        put(
            "repository_path",
            match self.paths.as_slice() {
                [] => None,
                [one] => Some(json!(one)),
                several => Some(json!(several)),
            },
        );
        put(
            "default_schedule",
            self.default_schedule.clone().map(Value::from),
        );
        put("timeout_seconds", self.timeout_seconds.map(Value::from));
        put("memory_mb", self.memory_mb.map(Value::from));
        put("egress", self.egress.clone().map(Value::from));
        put("paused", self.paused.map(Value::from));
        put("repository_credential", self.credential()?);
        let variables = self.build_env_file.as_deref().map(input::variables);
        put("build_env", variables.transpose()?.map(Value::Object));
        Ok(body)
    }

    fn credential(&self) -> anyhow::Result<Option<Value>> {
        if let Some(file) = &self.repository_token_file {
            let token = input::file(file)?;
            let user = self.repository_user.as_deref().unwrap_or("git");
            return Ok(Some(json!({ "username": user, "token": token.trim() })));
        }
        let Some(file) = &self.ssh_key_file else {
            return Ok(None);
        };
        Ok(Some(json!({ "ssh_private_key": input::file(file)? })))
    }
}

pub(super) async fn run(args: IntegrationsArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let as_json = args.connection.json;
    let client = args.connection.client()?;
    match args.command {
        IntegrationsCommand::List { pages, archived } => {
            let query = [("archived", archived.to_string())];
            let found = list(&client, "/v2/integrations", &query, &pages).await?;
            show::answer(&found, as_json, to, |value, to| {
                let empty = "no integrations yet; make one: marquetry integrations create NAME --repository-url URL";
                let headings = ["ID", "NAME", "LONG NAME", "REPOSITORY", "BRANCH"];
                show::rows(value, &headings, row, empty, to);
            });
        }
        IntegrationsCommand::Get { integration } => {
            let id = find_integration(&client, &integration).await?;
            let found = client.get(&format!("/v2/integrations/{id}"), &[]).await?;
            show::answer(&found, as_json, to, one);
        }
        IntegrationsCommand::Create { name, fields } => {
            let mut body = fields.body()?;
            let long_name = body.remove("long_name").unwrap_or_else(|| json!(name));
            body.insert("long_name".to_owned(), long_name);
            body.insert("name".to_owned(), json!(name));
            let body = Value::Object(body);
            let made = client.post("/v2/integrations", &[], Some(&body)).await?;
            show::answer(&made, as_json, to, one);
            if !as_json {
                to.note(&format!("next, build it: marquetry build {name}"));
            }
        }
        IntegrationsCommand::Update {
            integration,
            fields,
        } => {
            let body = fields.body()?;
            if body.is_empty() {
                return Err(Failure::new("there is nothing to change")
                    .remedy("name a field; marquetry integrations update --help lists them")
                    .into());
            }
            let id = find_integration(&client, &integration).await?;
            let path = format!("/v2/integrations/{id}");
            let changed = client.patch(&path, &Value::Object(body)).await?;
            show::answer(&changed, as_json, to, one);
        }
        IntegrationsCommand::Archive {
            integration,
            cascade,
        } => {
            let id = find_integration(&client, &integration).await?;
            let query = [("cascade", cascade.to_string())];
            let gone = client
                .delete(&format!("/v2/integrations/{id}"), &query)
                .await?;
            show::answer(&gone, as_json, to, |_, to| {
                to.line(&format!("integration {integration} is archived"));
            });
        }
        IntegrationsCommand::SetDefault {
            integration,
            release,
        } => {
            let body = default_body(&release)?;
            let id = find_integration(&client, &integration).await?;
            let path = format!("/v2/integrations/{id}/releases/default");
            let changed = client.patch(&path, &body).await?;
            show::answer(&changed, as_json, to, |_, to| {
                to.line(&format!("the default of {integration} is now {release}"));
            });
        }
    }
    Ok(0)
}

fn default_body(release: &str) -> anyhow::Result<Value> {
    if release.eq_ignore_ascii_case("latest") {
        return Ok(json!({ "channel": "Latest" }));
    }
    match release.parse::<i64>() {
        Ok(id) => Ok(json!({ "release_id": id })),
        Err(_) => Err(Failure::new(format!("`{release}` is no release"))
            .remedy("give the id of a release, or `latest`; see marquetry releases list")
            .into()),
    }
}

fn one(integration: &Value, to: &mut Printer) {
    let first = [
        "id",
        "name",
        "long_name",
        "type",
        "repository_url",
        "repository_tracking_branch",
        "repository_path",
        "default_release_channel",
        "default_release_id",
    ];
    show::block(integration, &first, &[], to);
}

fn row(integration: &Value) -> Vec<String> {
    vec![
        show::text(integration, "id"),
        show::text(integration, "name"),
        show::text(integration, "long_name"),
        show::text(integration, "repository_url"),
        show::text(integration, "repository_tracking_branch"),
    ]
}
