//! `marquetry keys`.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::show;
use crate::client::{ConnectionArgs, PageArgs, list};
use crate::failure::Failure;
use crate::printer::{Printer, Style};

#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// The keys that are not revoked.
    List(PageArgs),
    /// Make a key; its text is shown once.
    #[command(after_long_help = "Examples:\n  \
        marquetry keys create ci --scopes write,sync\n  \
        marquetry keys create reports --scopes read --expires 2027-01-01T00:00:00Z")]
    Create {
        /// What to call it.
        name: String,
        /// What it may do: read, sync, write, credentials, proxy, local_run, admin; may be repeated
        /// [default: admin].
        #[arg(
            long,
            visible_alias = "scope",
            value_name = "SCOPE,…",
            value_delimiter = ','
        )]
        scopes: Vec<String>,
        /// When it stops working, as 2027-01-01T00:00:00Z.
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// Take a key's power away.
    Revoke {
        /// Its id.
        id: i64,
    },
    /// The keys that secrets are sealed with, and how much an exchange has left to do.
    Vault,
    /// Exchange keys that secrets are sealed with, while the server works.
    #[command(after_long_help = "To exchange the master key:\n  \
        1. start every node with --other-master-key-file NEW\n  \
        2. start every node with --master-key-file NEW --other-master-key-file OLD\n  \
        3. marquetry keys rotate master\n  \
        4. leave OLD out at the next start\n\n\
        To exchange the data keys, which what is kept is then sealed with anew in the background:\n  \
        marquetry keys rotate data; marquetry keys vault")]
    Rotate {
        /// What is exchanged.
        what: Keys,
    },
    /// Print a new master key: 32 random bytes in base64. Needs no server.
    #[command(after_long_help = "Example:\n  (umask 077; marquetry keys master > master.key)")]
    Master,
}

/// Keys that can be exchanged.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Keys {
    /// What wraps the data keys.
    Master,
    /// What secrets are sealed with.
    Data,
}

impl Keys {
    fn word(self) -> &'static str {
        match self {
            Self::Master => "master_key",
            Self::Data => "data_keys",
        }
    }

    fn said(self, done: &Value) -> String {
        let keys = &done["keys"];
        match self {
            Self::Master => format!("{keys} data keys were put under the server's master key"),
            Self::Data => format!(
                "{keys} new data keys are used in a minute, and what is kept is sealed with them then; \
                 see how far it is: marquetry keys vault"
            ),
        }
    }
}

fn vault(found: &Value, to: &mut Printer) {
    let empty = "nothing is sealed yet";
    let headings = ["KIND", "KEY", "MASTER KEY", "MADE", "SEALED", "LEFT"];
    let row = |it: &Value| {
        [
            "kind",
            "key_id",
            "master_key_id",
            "created_date",
            "sealed",
            "left",
        ]
        .map(|name| match &it[name] {
            Value::String(text) => text.clone(),
            other @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_)) => other.to_string(),
        })
        .to_vec()
    };
    show::rows(&found["kinds"], &headings, row, empty, to);
}

pub(super) async fn run(args: KeysArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let as_json = args.connection.json;
    match args.command {
        KeysCommand::Master => master(to)?,
        KeysCommand::Vault => {
            let client = args.connection.client()?;
            let found = client.get("/v2/settings/vault", &[]).await?;
            show::answer(&found, as_json, to, vault);
        }
        KeysCommand::Rotate { what } => {
            let client = args.connection.client()?;
            let body = json!({"what": what.word()});
            let done = client
                .post("/v2/settings/vault/rotate", &[], Some(&body))
                .await?;
            show::answer(&done, as_json, to, |value, to| to.line(&what.said(value)));
        }
        KeysCommand::List(pages) => {
            let client = args.connection.client()?;
            let found = list(&client, "/v2/keys", &[], &pages).await?;
            show::answer(&found, as_json, to, |value, to| {
                let empty = "no keys; make one: marquetry keys create NAME";
                let headings = ["ID", "NAME", "PREFIX", "SCOPES", "CREATED", "LAST USED"];
                show::rows(value, &headings, row, empty, to);
            });
        }
        KeysCommand::Create {
            name,
            scopes,
            expires,
        } => {
            let body = body(&name, &scopes, expires.as_deref());
            let client = args.connection.client()?;
            let made = client.post("/v2/keys", &[], Some(&body)).await?;
            show::answer(&made, as_json, to, created);
        }
        KeysCommand::Revoke { id } => {
            let client = args.connection.client()?;
            let gone = client.delete(&format!("/v2/keys/{id}"), &[]).await?;
            show::answer(&gone, as_json, to, |_, to| {
                to.line(&format!("key {id} is revoked"));
            });
        }
    }
    Ok(0)
}

fn body(name: &str, scopes: &[String], expires: Option<&str>) -> Value {
    let mut body = json!({ "name": name });
    if !scopes.is_empty() {
        body["scopes"] = json!(scopes);
    }
    if let Some(expires) = expires {
        body["expires_date"] = json!(expires);
    }
    body
}

fn created(key: &Value, to: &mut Printer) {
    to.line(&show::text(key, "key"));
    let note = format!(
        "key {} ({}) is made; this is the only time that its text is shown",
        show::text(key, "id"),
        show::text(key, "name")
    );
    let note = to.paint_note(Style::Faint, &note);
    to.note(&note);
}

fn row(key: &Value) -> Vec<String> {
    vec![
        show::text(key, "id"),
        show::text(key, "name"),
        show::text(key, "prefix"),
        show::text(key, "scopes"),
        show::time(key, "created_date"),
        show::time(key, "last_used_date"),
    ]
}

fn master(to: &mut Printer) -> anyhow::Result<()> {
    let key = marquetry_app::MasterKey::generate();
    to.line(&key.map_err(|error| Failure::new(error.to_string()))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;
    use crate::printer::captured::printer;

    #[derive(clap::Parser)]
    struct Line {
        #[command(subcommand)]
        command: KeysCommand,
    }

    #[test]
    fn scopes_have_the_name_of_the_api_and_a_short_one() {
        for words in [
            vec!["--scopes", "read,sync"],
            vec!["--scopes=read", "--scopes=sync"],
            vec!["--scope", "read", "--scope", "sync"],
        ] {
            let line = ["keys", "create", "ci"].into_iter().chain(words);
            let line = <Line as clap::Parser>::try_parse_from(line).unwrap();
            let KeysCommand::Create { name, scopes, .. } = line.command else {
                panic!("another command");
            };
            let wanted = json!({"name": "ci", "scopes": ["read", "sync"]});
            assert_eq!(body(&name, &scopes, None), wanted);
        }
    }

    #[test]
    fn a_master_key_is_32_bytes_and_never_the_same() {
        let (mut to, out, _) = printer(false);
        master(&mut to).unwrap();
        master(&mut to).unwrap();
        let text = out.text();
        let keys: Vec<_> = text.lines().collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(keys[0]);
        assert_eq!(bytes.unwrap().len(), 32);
        assert_ne!(keys[0], keys[1]);
    }
}
