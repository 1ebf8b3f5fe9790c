//! `docs/configuration.md` is the table of settings.

use std::fmt::Write as _;

use clap::Args as _;

use super::ServerFlags;
use super::spec::{Kind, SPECS, Spec};

/// Settings that are no flags, because a flag can be read by everybody on the machine or because
/// they belong together.
const WITHOUT_FLAG: [(&str, &str); 7] = [
    (
        "s3.endpoint",
        "The URL of an S3-compatible server; none: Amazon's",
    ),
    ("s3.region", "The region [default: us-east-1]"),
    (
        "s3.access_key",
        "The access key's id; none: `AWS_ACCESS_KEY_ID`",
    ),
    (
        "s3.secret",
        "The access key's secret; none: `AWS_SECRET_ACCESS_KEY`",
    ),
    (
        "s3.path_style",
        "Whether the bucket stands in the URL's path, not in its host name [default: true]",
    ),
    (
        "s3.allow_http",
        "Whether an http:// endpoint is accepted [default: false]",
    ),
    (
        "limits.upload_mb",
        "The largest archive that is taken for a build, in MiB [default: 100; 1 to 10240]",
    ),
];

const HEAD: &str = "# Configuration\n\n\
    <!-- Made from the table of settings: MARQUETRY_BLESS=1 cargo test -p marquetry --bin marquetry document -->\n\n\
    A setting is a flag, a variable of the environment, or a key of the TOML file that `--config` or\n\
    `MARQUETRY_CONFIG` names. A flag wins over the environment, the environment over the file; an empty variable says\n\
    nothing. Several values stand in a variable with commas between them, in the file as a list. A dot in a key is a\n\
    table: `[s3]`, then `region = \"…\"`. Unknown keys and wrong values are refused, all at once; `marquetry config\n\
    check` shows what is in effect and where it came from. Passwords belong into the environment or the file:\n\
    everybody on a machine can read flags.\n\n\
    | Key | Flag | Variable | Meaning |\n|---|---|---|---|\n";

const TAIL: &str = "\n## Variables that are no settings\n\n\
    | Variable | Meaning |\n|---|---|\n\
    | `MARQUETRY_BOOTSTRAP_API_KEY` | the owner key, instead of a random one; also added to storage that has other keys |\n\
    | `MARQUETRY_URL`, `MARQUETRY_API_KEY` | for client commands: the server and the key |\n\
    | `NO_COLOR` | no colours |\n\n\
    Any other variable that begins with `MARQUETRY_` is named in a warning.\n\n\
    ## A file\n\n\
    ```toml\n\
    listen = \"127.0.0.1:8080\"\n\
    data_dir = \"/var/lib/marquetry\"\n\
    public_url = \"https://marquetry.example.com\"\n\
    run_slots = 16\n\
    outbound_allow = [\"10.1.0.0/16\"]\n\
    blobs = \"s3://marquetry/prod\"\n\n\
    [s3]\n\
    endpoint = \"https://s3.example.com\"\n\n\
    [build]\n\
    allow_hosts = [\"mirror.example.com\"]\n\
    ```\n";

#[test]
fn every_setting_is_documented() {
    let flags = ServerFlags::augment_args(clap::Command::new("serve"));
    let mut text = HEAD.to_owned();
    for spec in SPECS {
        let flag = if spec.flag.is_empty() {
            String::new()
        } else {
            format!("`--{}`", spec.flag)
        };
        let meaning = meaning(spec, &flags).replace('|', "\\|");
        let Spec { key, variable, .. } = spec;
        writeln!(text, "| `{key}` | {flag} | `{variable}` | {meaning} |").unwrap();
    }
    text.push_str(TAIL);
    crate::document::check("configuration.md", &text);
}

#[test]
fn the_file_in_the_document_is_a_configuration() {
    let (_, rest) = TAIL.split_once("```toml\n").unwrap();
    let text = rest.split("```").next().unwrap();
    let (said, faults) = super::file::parse(std::path::Path::new("marquetry.toml"), text);
    assert_eq!(faults, []);
    assert_eq!(said.len(), 8);
}

fn meaning(spec: &Spec, flags: &clap::Command) -> String {
    let flag = flags
        .get_arguments()
        .find(|argument| argument.get_long() == Some(spec.flag));
    let text = match flag {
        Some(argument) => argument.get_help().unwrap().to_string(),
        None => {
            let found = WITHOUT_FLAG.iter().find(|(key, _)| *key == spec.key);
            found
                .expect("a setting without a flag is explained here")
                .1
                .to_owned()
        }
    };
    let text = text.trim_end_matches('.').replace("; may be repeated", "");
    match spec.kind {
        Kind::Many => format!("{text}; several"),
        Kind::One | Kind::Switch => text,
    }
}
