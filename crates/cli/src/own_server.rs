//! This program once more, as a server in a process of its own.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a server is started with.
pub(crate) struct Start<'a> {
    /// Its data folder.
    pub(crate) folder: &'a Path,
    /// Further arguments of `serve`.
    pub(crate) arguments: &'a [String],
    /// Further variables; of this process's own it has none but `PATH` and `HOME`.
    pub(crate) environment: &'a [(&'a str, &'a str)],
    /// Where what it says is added, if anywhere.
    pub(crate) log: Option<File>,
}

/// A server that listens.
pub(crate) struct OwnServer {
    /// Its process, which ends when this is dropped.
    pub(crate) child: Child,
    /// Where it listens.
    pub(crate) url: String,
}

impl Start<'_> {
    /// Starts one on a free port and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started, ends, or does not listen in time; with what it said.
    pub(crate) async fn launch(self) -> anyhow::Result<OwnServer> {
        let program = std::env::current_exe().context("cannot find this program")?;
        // Of the operator's own server, which this is not.
        let inherited = std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME");
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(self.folder)
            .args(self.arguments.iter().map(OsStr::new))
            .env_clear()
            .envs(inherited)
            .envs(self.environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start this program once more")?;
        let stderr = child.stderr.take().context("it has a pipe")?;
        let mut said = Vec::new();
        let announced = announced(stderr, self.log, &mut said);
        let announced = tokio::time::timeout(PATIENCE, announced).await;
        let url = announced.unwrap_or(Ok(None))?;
        let url = url.with_context(|| {
            let said = said.join("\n");
            format!("the server did not listen; it said:\n{said}")
        })?;
        Ok(OwnServer { child, url })
    }
}

/// The URL that the server announces; it goes on to be read, or the server would wait for us.
async fn announced(
    stderr: tokio::process::ChildStderr,
    mut log: Option<File>,
    said: &mut Vec<String>,
) -> anyhow::Result<Option<String>> {
    let mut lines = BufReader::new(stderr).split(b'\n');
    let mut keep = move |line: &[u8]| {
        if let Some(log) = &mut log {
            // A log that cannot be kept is no reason to stop.
            let _ = log.write_all(&[line, b"\n"].concat());
        }
    };
    while let Some(line) = lines.next_segment().await? {
        keep(&line);
        let line = String::from_utf8_lossy(&line).into_owned();
        if let Some((_, url)) = line.split_once("listening on ") {
            let url = url.trim().to_owned();
            tokio::spawn(async move {
                while let Ok(Some(line)) = lines.next_segment().await {
                    keep(&line);
                }
            });
            return Ok(Some(url));
        }
        said.push(line);
    }
    Ok(None)
}
