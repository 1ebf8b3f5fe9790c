//! A load on nodes of our own while they are killed, frozen and cut off, and an audit of what came of it.

mod audit;
mod chance;
mod facts;
mod gate;
mod load;
mod node;
mod plan;
mod report;
mod witness;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::future::join_all;
use marquetry_store::trial::TrialDatabase;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use crate::client::Client;
use crate::printer::Printer;
use crate::trial;
use audit::Facts;
use gate::Gate;
use load::Load;
use node::{Node, Parts};
use plan::Fault;
pub(crate) use report::{Report, print_plan};
use witness::Witness;

/// What is tried.
#[derive(Debug, Clone)]
pub(crate) struct ChaosOptions {
    /// Of what happens when, and of whom is asked.
    pub(crate) seed: u64,
    /// How many triggers are to be accepted.
    pub(crate) triggers: u32,
    /// How many are asked for in a second, at most.
    pub(crate) rate: u32,
    /// Customers.
    pub(crate) tenants: u32,
    /// Nodes; several only on PostgreSQL.
    pub(crate) nodes: usize,
    /// How many faults there are.
    pub(crate) faults: usize,
    /// A PostgreSQL server of this machine; a file where there is none.
    pub(crate) database_url: Option<String>,
}

impl ChaosOptions {
    fn faults(&self) -> Vec<Fault> {
        plan::faults(self.seed, self.triggers, self.nodes, self.faults)
    }
}

/// Runs of a node at once: enough to be at work, and few enough for three nodes on one machine.
const RUN_SLOTS: &str = "--run-slots=8";
const KEY: &str = "mq_chaos_key_of_servers_that_live_for_minutes";
/// Of data that is gone in minutes.
const MASTER_KEY: &str = "Y2hhb3NjaGFvc2NoYW9zY2hhb3NjaGFvc2NoYW9zY2g=";
/// What may wait is over by then: a lease of 30 s, others that look every 30 s, and time to work.
const DRAIN: Duration = Duration::from_secs(180);
/// How long the processes of runs that have ended may be seen.
const GONE: Duration = Duration::from_secs(10);

/// Tries it, on data of its own, which is gone afterwards unless a promise was broken.
///
/// # Errors
/// The nodes do not start here (`marquetry doctor` says why), or nobody accepts a trigger.
pub(crate) async fn run(options: &ChaosOptions, to: &mut Printer) -> anyhow::Result<Report> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let database = match &options.database_url {
        Some(url) => {
            let name = format!("marquetry_chaos_{}", std::process::id());
            let made = TrialDatabase::create(url, &name).await;
            Some(made.context("--database-url cannot be used")?)
        }
        None => None,
    };
    let done = on(options, folder.path(), database.as_ref(), to).await;
    if let Some(database) = database {
        database.remove().await?;
    }
    match &done {
        Ok(report) if report.is_good() => {}
        Ok(_) | Err(_) => keep(folder, to),
    }
    done
}

fn keep(folder: TempDir, to: &mut Printer) {
    let kept = folder.keep();
    to.note(&format!(
        "what the nodes said and have is in {}",
        kept.display()
    ));
}

async fn on(
    options: &ChaosOptions,
    folder: &Path,
    database: Option<&TrialDatabase>,
    to: &mut Printer,
) -> anyhow::Result<Report> {
    let began = Instant::now();
    let witness = Witness::start().await?;
    to.note(&format!(
        "starting nodes on temporary data: {}",
        options.nodes
    ));
    let mut nodes = start(options, folder, database).await?;
    let url = nodes[0].url();
    let client = || Client::new(&url.borrow(), Some(KEY.to_owned()));
    let tenants = prepare(&client()?, &witness, options.tenants).await?;
    let accepted = under_faults(options, &mut nodes, &tenants, database, to).await?;
    to.note("all are accepted; waiting for the last run");
    let waiting = facts::drained(&client()?, &accepted, DRAIN).await?;
    to.note("looking at each run");
    let runs = facts::runs(&client()?, &tenants).await?;
    for node in &mut nodes {
        node.stop().await?;
    }
    let waiting = waiting.into_iter();
    let mut left: Vec<String> = waiting
        .map(|trigger| format!("trigger {trigger} waits for ever"))
        .collect();
    left.extend(left_over(&nodes, &witness, folder).await);
    let facts = Facts {
        accepted,
        runs,
        seen: witness.seen(),
        had_faults: options.faults > 0,
        left,
    };
    Ok(Report::of(options, &facts, began.elapsed()))
}

/// Asks for all triggers while the nodes suffer; answers those that were accepted.
async fn under_faults(
    options: &ChaosOptions,
    nodes: &mut [Node],
    tenants: &[i64],
    database: Option<&TrialDatabase>,
    to: &mut Printer,
) -> anyhow::Result<BTreeMap<i64, i64>> {
    let faults = options.faults();
    to.note(&format!(
        "{} triggers for {} tenants, and {} faults meanwhile",
        options.triggers,
        tenants.len(),
        faults.len()
    ));
    let began = Instant::now();
    let count = watch::Sender::new(0);
    let load = Load {
        seed: options.seed,
        key: KEY,
        nodes: nodes.iter().map(Node::url).collect(),
        tenants,
        triggers: options.triggers,
        rate: options.rate,
        accepted: &count,
    };
    let (told, mut heard) = mpsc::unbounded_channel();
    let suffering = nodes.iter_mut().enumerate().map(|(place, node)| {
        let of_node = |fault: &&Fault| fault.node == place + 1;
        let of_node = faults.iter().filter(of_node).copied().collect();
        suffer(node, of_node, count.subscribe(), database, told.clone())
    });
    let suffering = join_all(suffering);
    let work = async move {
        let done = tokio::join!(load.run(), suffering);
        drop(told);
        done
    };
    let tell = async {
        while let Some(fault) = heard.recv().await {
            to.note(&format!(
                "{:>5.0} s  {fault}",
                began.elapsed().as_secs_f64()
            ));
        }
    };
    let ((accepted, suffered), ()) = tokio::join!(work, tell);
    suffered.into_iter().collect::<anyhow::Result<()>>()?;
    accepted
}

async fn start(
    options: &ChaosOptions,
    folder: &Path,
    database: Option<&TrialDatabase>,
) -> anyhow::Result<Vec<Node>> {
    let mut nodes = Vec::with_capacity(options.nodes);
    for number in 1..=options.nodes {
        let mut arguments = vec![RUN_SLOTS.to_owned(), "--allow-host-network".to_owned()];
        let mut environment = vec![("MARQUETRY_BOOTSTRAP_API_KEY", KEY.to_owned())];
        let mut gate = None;
        if let Some(database) = database {
            let opened = Gate::open(database.address()).await?;
            arguments.push(format!("--blobs=file:{}", folder.join("blobs").display()));
            environment.push(("MARQUETRY_DATABASE_URL", database.url_by(opened.port())));
            environment.push(("MARQUETRY_MASTER_KEY", MASTER_KEY.to_owned()));
            gate = Some(opened);
        }
        let folder = folder.join(format!("node-{number}"));
        let parts = Parts {
            number,
            folder,
            arguments,
            environment,
            gate,
        };
        // One after another: the first makes the tables.
        nodes.push(Node::start(parts).await?);
    }
    Ok(nodes)
}

/// An integration that the witness sees, its release, and tenants of it.
async fn prepare(client: &Client, witness: &Witness, tenants: u32) -> anyhow::Result<Vec<i64>> {
    let settings = json!({"name": "chaos", "long_name": "Chaos", "egress": "host"});
    let script = witness.script();
    let files = [("run.sh", script.as_str())];
    let integration = trial::integration(client, &settings, "bash run.sh", &files).await?;
    trial::tenants(client, integration, usize::try_from(tenants)?).await
}

/// Lets a node suffer its faults one after another, each when so many triggers are accepted.
async fn suffer(
    node: &mut Node,
    faults: Vec<Fault>,
    mut accepted: watch::Receiver<u32>,
    database: Option<&TrialDatabase>,
    told: mpsc::UnboundedSender<Fault>,
) -> anyhow::Result<()> {
    for fault in faults {
        if accepted.wait_for(|count| *count >= fault.at).await.is_err() {
            return Ok(());
        }
        // Who listens no more needs no word.
        let _ = told.send(fault);
        let suffered = node.suffer(fault, database).await;
        suffered.with_context(|| format!("what was to be done cannot be: {fault}"))?;
    }
    Ok(())
}

/// Processes, mounts and files that are there although everything has ended.
async fn left_over(nodes: &[Node], witness: &Witness, folder: &Path) -> Vec<String> {
    let until = Instant::now() + GONE;
    let any = || witness.live() > 0 || nodes.iter().any(|node| !node.left().is_empty());
    while any() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut left = Vec::new();
    if witness.live() > 0 {
        left.push(format!("{} processes of runs are left", witness.live()));
    }
    for id in nodes.iter().flat_map(Node::left) {
        left.push(format!("process {id} of a node is left"));
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let ours = folder.to_string_lossy();
    for mount in mounts.lines().filter(|line| line.contains(&*ours)) {
        left.push(format!("a mount is left: {mount}"));
    }
    left
}
