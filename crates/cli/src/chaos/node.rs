//! A node of the installation under test, and what is done to it.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use marquetry_store::trial::TrialDatabase;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::gate::{Gate, Passage};
use super::plan::{Fault, Kind};
use crate::own_server::Start;
use crate::server::memory_of;

/// How long processes may take to be gone that were killed.
const GONE: Duration = Duration::from_secs(10);
/// How long a node may take to stop: its runs get 30 s, its requests 10 s.
const STOP: Duration = Duration::from_secs(90);

/// One node.
pub(super) struct Node {
    number: usize,
    folder: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    gate: Option<Gate>,
    process: Option<Child>,
    /// Processes that it started beside runs, over all its starts, and when the kernel says that they began: a number is
    /// given to others later.
    helpers: BTreeSet<(i32, u64)>,
    url: watch::Sender<String>,
}

/// What a node is made of.
pub(super) struct Parts {
    pub(super) number: usize,
    pub(super) folder: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) gate: Option<Gate>,
}

impl Node {
    /// One that is not started yet.
    pub(super) fn new(parts: Parts) -> Self {
        let Parts {
            number,
            folder,
            arguments,
            environment,
            gate,
        } = parts;
        Self {
            number,
            folder,
            arguments,
            environment,
            gate,
            process: None,
            helpers: BTreeSet::new(),
            url: watch::Sender::default(),
        }
    }

    /// Whether it has ever been started.
    pub(super) fn has_listened(&self) -> bool {
        !self.url.borrow().is_empty()
    }

    /// Where it listens now.
    pub(super) fn url(&self) -> watch::Receiver<String> {
        self.url.subscribe()
    }

    /// Starts it, and waits until it listens.
    pub(super) async fn launch(&mut self) -> anyhow::Result<()> {
        let log = self.folder.with_extension("log");
        let log = File::options().create(true).append(true).open(log)?;
        let environment: Vec<_> = self
            .environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let start = Start {
            folder: &self.folder,
            arguments: &self.arguments,
            environment: &environment,
            log: Some(log),
        };
        let started = start.launch().await;
        let server = started.with_context(|| format!("node {} did not start", self.number))?;
        self.process = Some(server.child);
        self.url.send_replace(server.url);
        Ok(())
    }

    /// Does it, and what ends it.
    pub(super) async fn suffer(
        &mut self,
        fault: Fault,
        database: Option<&TrialDatabase>,
    ) -> anyhow::Result<()> {
        self.check()?;
        match fault.kind {
            Kind::Kill | Kind::PowerCut => {
                self.kill().await?;
                if fault.kind == Kind::PowerCut {
                    self.kill_helpers().await;
                }
                sleep(fault.lasts()).await;
                self.launch_again().await
            }
            Kind::Stop => {
                self.stop().await?;
                self.launch_again().await
            }
            Kind::Freeze | Kind::FreezeBeyondLease => {
                self.signal(Signal::STOP)?;
                sleep(fault.lasts()).await;
                self.signal(Signal::CONT)
            }
            Kind::Cut => self.passage(Passage::Cut, fault.lasts()).await,
            Kind::Stall => self.passage(Passage::Stalled, fault.lasts()).await,
            Kind::EndSessions => match database {
                Some(database) => Ok(database.end_sessions().await?),
                None => Ok(()),
            },
        }
    }

    /// Another fault may keep it from its database server at that moment; from a file nothing does.
    async fn launch_again(&mut self) -> anyhow::Result<()> {
        for _ in 0..5 {
            if self.gate.is_none() {
                break;
            }
            if self.launch().await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_secs(1)).await;
        }
        self.launch().await
    }

    async fn passage(&self, closed: Passage, lasts: Duration) -> anyhow::Result<()> {
        if let Some(gate) = &self.gate {
            gate.set(closed);
            sleep(lasts).await;
            gate.set(Passage::Open);
        }
        Ok(())
    }

    async fn kill(&mut self) -> anyhow::Result<()> {
        self.note_helpers();
        let mut process = self.process.take().context("the node has ended")?;
        process.kill().await?;
        Ok(())
    }

    /// It must not have ended by itself.
    fn check(&mut self) -> anyhow::Result<()> {
        let process = self.process.as_mut().context("the node has ended")?;
        match process.try_wait()? {
            Some(status) => bail!("node {} has ended by itself: {status}", self.number),
            None => Ok(()),
        }
    }

    /// Ends it in order.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        self.check()?;
        self.note_helpers();
        self.signal(Signal::TERM)?;
        if let Some(mut process) = self.process.take() {
            let ended = timeout(STOP, process.wait()).await;
            let status = ended.with_context(|| format!("node {} does not stop", self.number))??;
            ensure!(
                status.success(),
                "node {} was stopped, and ended with {status}",
                self.number
            );
        }
        Ok(())
    }

    /// Ends it with all that it started, however the trial has ended.
    pub(super) async fn end(&mut self) {
        if self.process.is_some() {
            // What was killed in the meantime is gone already.
            let _ = self.kill().await;
        }
        self.kill_helpers().await;
        if let Some(memory) = self.memory() {
            // Most often there is none any more.
            let _ = std::fs::remove_dir_all(memory);
        }
    }

    /// Where it has files in memory.
    pub(super) fn memory(&self) -> Option<PathBuf> {
        memory_of(&self.folder)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = self.pid().context("the node has ended by itself")?;
        kill_process(pid, signal).context("the node has ended by itself")
    }

    fn pid(&self) -> Option<Pid> {
        let id = self.process.as_ref()?.id()?;
        Pid::from_raw(i32::try_from(id).ok()?)
    }

    fn note_helpers(&mut self) {
        let Some(pid) = self.pid() else { return };
        let tasks = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()));
        for task in tasks.into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children"));
            let children = children.unwrap_or_default();
            let children = children
                .split_whitespace()
                .filter_map(|id| id.parse().ok())
                .filter_map(|id| Some((id, helper_since(id)?)));
            self.helpers.extend(children);
        }
    }

    async fn kill_helpers(&mut self) {
        for helper in std::mem::take(&mut self.helpers) {
            let until = Instant::now() + GONE;
            while is_there(helper) && Instant::now() < until {
                if let Some(pid) = Pid::from_raw(helper.0) {
                    // One that has gone is what it shall be.
                    let _ = kill_process(pid, Signal::KILL);
                }
                sleep(Duration::from_millis(2)).await;
            }
        }
    }

    /// Its processes that are still there, of a node that was stopped.
    pub(super) fn left(&self) -> Vec<i32> {
        let left = self.helpers.iter().filter(|helper| is_there(**helper));
        left.map(|(id, _)| *id).collect()
    }
}

fn is_there((id, since): (i32, u64)) -> bool {
    helper_since(id) == Some(since)
}

/// When this process began, if it is one that a server starts beside runs.
fn helper_since(id: i32) -> Option<u64> {
    let line = std::fs::read(format!("/proc/{id}/cmdline")).ok()?;
    let mut parts = line.split(|byte| *byte == 0);
    parts.find(|part| *part == b"__sandbox")?;
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name of a program may hold spaces and brackets; what follows it may not.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}
