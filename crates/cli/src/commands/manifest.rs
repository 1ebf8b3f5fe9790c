//! `marquetry manifest`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use marquetry_manifest::{MANIFEST_LIMIT, Problem, manifest_schema, parse};
use serde_json::{Value, json};

use crate::printer::Printer;

/// How a manifest may be called, the original's name first.
const NAMES: [&str; 2] = ["PANDIUM.yaml", "marquetry.yaml"];

#[derive(Debug, Args)]
pub(crate) struct ManifestArgs {
    #[command(subcommand)]
    command: ManifestCommand,
}

#[derive(Debug, Subcommand)]
enum ManifestCommand {
    /// Read a manifest as a build would, and show everything that is wrong with it.
    #[command(after_long_help = "Examples:\n  \
        marquetry manifest check\n  \
        marquetry manifest check sync/PANDIUM.yaml --json\n\n\
        Exit code 1 when something is wrong; warnings alone are 0.")]
    Check(CheckArgs),
    /// Print the JSON Schema of manifests, for an editor.
    #[command(after_long_help = "Examples:\n  \
        marquetry manifest schema > pandium.schema.json\n\n\
        Then begin the manifest with:\n  \
        # yaml-language-server: $schema=./pandium.schema.json")]
    Schema,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// The manifest; none: `PANDIUM.yaml` or `marquetry.yaml` here.
    file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ManifestArgs, to: &mut Printer) -> anyhow::Result<u8> {
    match &args.command {
        ManifestCommand::Check(args) => check(args, to),
        ManifestCommand::Schema => {
            to.line(&format!("{:#}", manifest_schema()));
            Ok(0)
        }
    }
}

fn check(args: &CheckArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let file = match &args.file {
        Some(file) => file.clone(),
        None => find()?,
    };
    let name = file.display().to_string();
    let (problems, warnings) = match parse(&name, &read(&file)?) {
        Ok(parsed) => (Vec::new(), parsed.warnings),
        Err(problems) => (problems, Vec::new()),
    };
    if args.json {
        let answer =
            json!({"file": name, "problems": shown(&problems), "warnings": shown(&warnings)});
        to.line(&answer.to_string());
        return Ok(u8::from(!problems.is_empty()));
    }
    for problem in &problems {
        to.line(&problem.to_string());
    }
    for warning in &warnings {
        to.line(&format!("{warning} (a warning)"));
    }
    if problems.is_empty() {
        to.note(&format!("{name} can be built"));
        return Ok(0);
    }
    to.error(&format!("{name} cannot be built"), &[], None);
    Ok(1)
}

fn find() -> anyhow::Result<PathBuf> {
    let found = NAMES
        .into_iter()
        .map(PathBuf::from)
        .find(|file| file.exists());
    let Some(found) = found else {
        bail!("there is no {} here; name the file", NAMES.join(" or "));
    };
    Ok(found)
}

/// Not more of it than the parser looks at.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    use std::io::Read as _;
    let limit = u64::try_from(MANIFEST_LIMIT).unwrap_or(u64::MAX);
    let cannot = || format!("cannot read {}", file.display());
    let mut text = Vec::new();
    std::fs::File::open(file)
        .with_context(cannot)?
        .take(limit + 1)
        .read_to_end(&mut text)
        .with_context(cannot)?;
    Ok(text)
}

fn shown(problems: &[Problem]) -> Vec<Value> {
    let one = |problem: &Problem| {
        json!({
            "line": problem.line, "column": problem.column,
            "key": problem.key, "message": problem.message,
        })
    };
    problems.iter().map(one).collect()
}
