//! Checks of this workspace that the compiler cannot make. `cargo xtask check` runs all of them,
//! `cargo xtask help` lists them.

mod checks;
mod findings;
mod repository;
mod rust_text;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use crate::checks::Check;
use crate::repository::Repository;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut out = io::stdout().lock();
    match arguments.as_slice() {
        ["check"] => run(checks::ALL, &mut out),
        ["help" | "--help" | "-h"] => {
            out.write_all(help().as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        [name] if let Some(check) = checks::ALL.iter().find(|check| check.name == *name) => {
            run(std::slice::from_ref(check), &mut out)
        }
        _ => {
            io::stderr().lock().write_all(help().as_bytes())?;
            Ok(ExitCode::from(2))
        }
    }
}

/// The root of the project. Cargo says where we are when it runs us; what it said when it compiled
/// us may be another checkout that shares the target folder.
fn workspace() -> anyhow::Result<PathBuf> {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").context("run it as `cargo xtask`")?;
    let root = Path::new(&own)
        .parent()
        .context("xtask has no folder above it")?;
    Ok(root.to_owned())
}

/// Runs the checks in order, prints one line each and every finding, and fails if any check did.
fn run(checks: &[Check], out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let repository = Repository::open(&workspace()?)?;
    let mut green = true;
    for check in checks {
        let findings = (check.run)(&repository)?;
        green &= findings.failures.is_empty();
        findings.print(check.name, out)?;
    }
    Ok(if green {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn help() -> String {
    let mut text = String::from(
        "usage: cargo xtask COMMAND\n\n  check                 all of the following\n",
    );
    for check in checks::ALL {
        text.extend(["  ", &format!("{:<22}", check.name), check.about, "\n"]);
    }
    text
}
