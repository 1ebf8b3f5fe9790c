//! Asking other programs something: their version, or a step of Git.
//!
//! These are the operator's own tools, started with fixed arguments and for seconds; code of
//! integrations is never started here but in the sandbox.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// What a program said.
#[derive(Debug)]
pub(crate) struct Said {
    /// Whether it ended with 0.
    pub(crate) ok: bool,
    /// Its stdout, or its stderr where that is empty.
    pub(crate) text: String,
}

/// Runs a program to its end, at most for `limit`; it is killed then.
pub(crate) async fn ask(
    program: &str,
    arguments: &[&OsStr],
    folder: Option<&Path>,
    variables: &[(&str, &str)],
    limit: Duration,
) -> io::Result<Said> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    let output = tokio::time::timeout(limit, command.output()).await;
    let output = output.map_err(|_| {
        let why = format!("{program} did not end within {} s", limit.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, why)
    })??;
    let spoken = if output.stdout.is_empty() {
        &output.stderr
    } else {
        &output.stdout
    };
    Ok(Said {
        ok: output.status.success(),
        text: String::from_utf8_lossy(spoken).trim().to_owned(),
    })
}
