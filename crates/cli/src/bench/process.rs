//! The server under test: this program once more, in a process of its own.

use anyhow::{Context as _, ensure};
use reqwest::header::HeaderValue;
use tempfile::TempDir;
use tokio::process::Child;

use crate::client::Client;
use crate::own_server::{OwnServer, Start};

pub(super) struct Process {
    child: Child,
    url: String,
    key: String,
    http: reqwest::Client,
    _folder: TempDir,
}

/// What the server and its helpers hold and have used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    /// Anonymous memory, in MB.
    pub(super) memory_mb: f64,
    /// Processor time, in seconds.
    pub(super) cpu_s: f64,
}

impl Process {
    pub(super) async fn start(sandbox: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let started = Start {
            folder: folder.path(),
            arguments: &["--sandbox".to_owned(), sandbox.to_owned()],
            environment: &[],
            log: None,
        };
        let OwnServer { child, url } = started.launch().await?;
        let key = std::fs::read_to_string(folder.path().join("api-key"))
            .context("the server made no key")?;
        Ok(Self {
            child,
            url,
            key: key.trim().to_owned(),
            http: http()?,
            _folder: folder,
        })
    }

    pub(super) fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.url, Some(self.key.clone()))?)
    }

    /// Reads something and throws it away.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<()> {
        get(&self.http, &format!("{}{path}", self.url), Some(&self.key)).await
    }

    pub(super) fn used(&self) -> anyhow::Result<Used> {
        used(self.child.id().context("the server has ended")?)
    }

    /// Ends it as an operator does.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        let pid = pid
            .and_then(rustix::process::Pid::from_raw)
            .context("the server has ended")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        self.child.wait().await?;
        Ok(())
    }
}

pub(super) fn http() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

pub(super) async fn get(
    http: &reqwest::Client,
    url: &str,
    key: Option<&str>,
) -> anyhow::Result<()> {
    let mut request = http.get(url);
    if let Some(key) = key {
        request = request.header("X-API-KEY", HeaderValue::from_str(key)?);
    }
    let answer = request.send().await?;
    let status = answer.status();
    answer.bytes().await?;
    ensure!(status.is_success(), "{url} was answered {status}");
    Ok(())
}

fn used(pid: u32) -> anyhow::Result<Used> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}"));
    let status = read("status")?;
    let memory = status.lines().find_map(|line| {
        line.strip_prefix("RssAnon:")?
            .trim()
            .trim_end_matches(" kB")
            .trim()
            .parse::<f64>()
            .ok()
    });
    let stat = read("stat")?;
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    let mut used = Used {
        memory_mb: memory.unwrap_or(0.0) * 1024.0 / 1e6,
        cpu_s: ticks / 100.0,
    };
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children
            .split_whitespace()
            .filter_map(|child| child.parse().ok())
        {
            // One that has just ended uses nothing.
            if let Ok(child) = self::used(child) {
                used.memory_mb += child.memory_mb;
                used.cpu_s += child.cpu_s;
            }
        }
    }
    Ok(used)
}
