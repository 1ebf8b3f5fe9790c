//! `docs/configuration.md` is the table of settings.

use std::fmt::Write as _;

use clap::Args as _;

use super::ServerFlags;
use super::spec::{Kind, SPECS, Spec};

/// Settings that are no flags, because a flag can be read by everybody on the machine or because
/// they belong together.
const WITHOUT_FLAG: [(&str, &str); 33] = [
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
        "build.environment",
        "Variables of every build and fetch, as HTTPS_PROXY=http://proxy.internal:3128: proxies, mirrors, certificates",
    ),
    (
        "run.timeout_seconds",
        "How long a run of a new integration may take; each integration can say otherwise [default: 600; 1 to 86400]",
    ),
    (
        "run.max_timeout_seconds",
        "The longest time that an integration may ask for [default: 86400; 1 to 86400]",
    ),
    (
        "run.grace_seconds",
        "Between SIGTERM and SIGKILL [default: 10; 0 to 300]",
    ),
    (
        "run.memory_mb",
        "Memory of a run of a new integration, in MiB; each integration can say otherwise [default: 1024; 16 to 1048576]",
    ),
    (
        "run.max_memory_mb",
        "The most memory that an integration may ask for, in MiB [default: 65536; 16 to 1048576]",
    ),
    (
        "run.processes",
        "Processes and threads of a run [default: 256; 8 to 65536]",
    ),
    (
        "run.open_files",
        "Open files of each process of a run [default: 1024; 64 to 1048576]",
    ),
    (
        "run.disk_mb",
        "What a run may write in its home and /tmp together, in MiB [default: 512; 1 to 1048576]",
    ),
    (
        "run.stdout_kb",
        "The longest last line of stdout that is kept, in KiB; an environment string cannot be longer than 128 KiB [default: 120; 1 to 120]",
    ),
    (
        "run.log_mb",
        "How much of the log of a run is kept, in MiB [default: 50; 1 to 512]",
    ),
    (
        "build.timeout_seconds",
        "How long a build may take [default: 1800; 1 to 86400]",
    ),
    (
        "build.memory_mb",
        "Memory of a build, in MiB [default: 4096; 64 to 1048576]",
    ),
    (
        "build.processes",
        "Processes and threads of a build [default: 2048; 8 to 65536]",
    ),
    (
        "build.artifact_mb",
        "The largest folder that a build may make, in MiB [default: 1024; 1 to 1048576]",
    ),
    (
        "build.cache_mb",
        "The package cache of each integration, in MiB [default: 5120; 1 to 1048576]",
    ),
    (
        "build.log_mb",
        "How much of the log of a build is kept, in MiB [default: 50; 1 to 512]",
    ),
    (
        "limits.body_mb",
        "The largest body of a request, in MiB [default: 6; 1 to 64]",
    ),
    (
        "limits.waiting_triggers",
        "Triggers that may wait for one tenant; further ones are answered 429 [default: 10000; 1 to 1000000]",
    ),
    (
        "limits.bundle_triggers",
        "Triggers that one run takes at most [default: 1000; 1 to 1000]",
    ),
    (
        "limits.artifact_cache_mb",
        "Unpacked releases that a node keeps, in MiB; those not used for longest leave, never one in use [default: 10240; 1 to 1048576]",
    ),
    (
        "limits.upload_mb",
        "The largest archive that is taken for a build, in MiB [default: 100; 1 to 10240]",
    ),
    (
        "retention.runs_days",
        "How long runs are kept, with their triggers, payloads and logs [default: 90; 1 to 36500]",
    ),
    (
        "retention.webhook_bodies_days",
        "How long bodies and headers of webhooks are kept [default: 14; 1 to 36500]",
    ),
    (
        "retention.decisions_days",
        "How long it is known why something did not run [default: 30; 1 to 36500]",
    ),
    (
        "retention.build_logs_days",
        "How long logs of builds are kept, and archives that were sent to be built [default: 90; 1 to 36500]",
    ),
    (
        "retention.artifacts_days",
        "How long a release that nothing uses can still be chosen: then its artifact is removed [default: 365; 1 to 36500]",
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
    | `MARQUETRY_MASTER_KEY` | the master key itself, 32 bytes in base64, where no `master_key_file` is named |\n\
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
    environment = [\"NO_PROXY=localhost,.internal\", \"NPM_CONFIG_REGISTRY=https://mirror.example.com/npm\"]\n\n\
    [run]\n\
    memory_mb = 512\n\
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
    assert_eq!(said.len(), 10);
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
