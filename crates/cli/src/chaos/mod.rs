//! A load on nodes of our own while they are killed, frozen and cut off, and an audit of what came of it.

mod audit;
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

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::try_join_all;
use marquetry_store::trial::TrialDatabase;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use crate::client::Client;
use crate::interrupt;
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
        let is_shared = self.database_url.is_some() || self.nodes > 1;
        plan::faults(self.seed, self.triggers, self.nodes, self.faults, is_shared)
    }
}

/// Runs of a node at once: enough to be at work, and few enough for three nodes on one machine.
const RUN_SLOTS: &str = "--run-slots=8";
/// What may wait is over by then: a lease of 30 s, others that look every 30 s, and time to work.
const DRAIN: Duration = Duration::from_secs(180);
/// How long the processes of runs that have ended may be seen.
const GONE: Duration = Duration::from_secs(10);

/// Tries it, on data of its own, which is gone afterwards unless a promise was broken; none when the user ends it
/// before.
///
/// # Errors
/// The nodes do not start here (`marquetry doctor` says why) or end by themselves, or nobody accepts a trigger.
pub(crate) async fn run(
    options: &ChaosOptions,
    to: &mut Printer,
) -> anyhow::Result<Option<Report>> {
    let trial = Trial {
        options,
        folder: tempfile::tempdir().context("cannot make a temporary folder")?,
        key: format!("mq_chaos_{}", random()?),
        database: match &options.database_url {
            Some(url) => {
                let name = format!("marquetry_chaos_{}", &random()?[..16]);
                let made = TrialDatabase::create(url, &name).await;
                Some(made.context("--database-url cannot be used")?)
            }
            None => None,
        },
    };
    let mut nodes = Vec::with_capacity(options.nodes);
    let done = interrupt::unless(trial.play(&mut nodes, to)).await;
    for node in &mut nodes {
        node.end().await;
    }
    let is_over = match &done {
        None => true,
        Some(Ok(report)) => report.is_good(),
        // Nobody has done anything yet.
        Some(Err(_)) => !nodes.iter().all(Node::has_listened),
    };
    if is_over {
        trial.remove(to).await;
    } else {
        trial.keep(to);
    }
    done.transpose()
}

/// Of which nobody else knows.
fn random() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    let filled = aws_lc_rs::rand::fill(&mut bytes);
    ensure!(filled.is_ok(), "this machine gives no random numbers");
    Ok(bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat())
}

/// What is tried, and on what.
struct Trial<'a> {
    options: &'a ChaosOptions,
    folder: TempDir,
    /// Of an owner of the nodes.
    key: String,
    database: Option<TrialDatabase>,
}

impl Trial<'_> {
    async fn remove(self, to: &mut Printer) {
        if let Some(database) = self.database {
            let name = database.name().to_owned();
            if let Err(error) = database.remove().await {
                to.warn(&format!(
                    "the database {name} could not be removed: {error}"
                ));
            }
        }
    }

    fn keep(self, to: &mut Printer) {
        let kept = self.folder.keep();
        let database = self.database.as_ref().map(TrialDatabase::name);
        let database =
            database.map_or_else(String::new, |name| format!(", and in the database {name}"));
        to.note(&format!(
            "what the nodes said and have is in {}{database}",
            kept.display()
        ));
    }

    async fn play(&self, nodes: &mut Vec<Node>, to: &mut Printer) -> anyhow::Result<Report> {
        let (options, began) = (self.options, Instant::now());
        let witness = Witness::start().await?;
        to.note(&format!(
            "starting nodes on temporary data: {}",
            options.nodes
        ));
        self.start(nodes).await?;
        let url = nodes[0].url();
        let client = || Client::new(&url.borrow(), Some(self.key.clone()));
        let tenants = prepare(&client()?, &witness, options.tenants).await?;
        let accepted = self.under_faults(nodes, &tenants, to).await?;
        to.note("all are accepted; waiting for the last run");
        let waiting = facts::drained(&client()?, &accepted, DRAIN).await?;
        to.note("looking at each run");
        let runs = facts::runs(&client()?, &tenants).await?;
        for node in &mut *nodes {
            node.stop().await?;
        }
        let waiting = waiting.into_iter();
        let mut left: Vec<String> = waiting
            .map(|trigger| format!("trigger {trigger} waits for ever"))
            .collect();
        left.extend(left_over(nodes, &witness, self.folder.path()).await);
        let facts = Facts {
            accepted,
            runs,
            seen: witness.seen(),
            had_faults: options.faults > 0,
            left,
        };
        Ok(Report::of(options, &facts, began.elapsed()))
    }

    async fn start(&self, nodes: &mut Vec<Node>) -> anyhow::Result<()> {
        let folder = self.folder.path();
        let master_key = BASE64.encode(
            random()?
                .as_bytes()
                .first_chunk::<32>()
                .context("long enough")?,
        );
        for number in 1..=self.options.nodes {
            let mut arguments = vec![RUN_SLOTS.to_owned(), "--allow-host-network".to_owned()];
            let mut environment = vec![("MARQUETRY_BOOTSTRAP_API_KEY", self.key.clone())];
            let mut gate = None;
            if let Some(database) = &self.database {
                let opened = Gate::open(database.address(), folder.join(format!("gate-{number}")))?;
                arguments.push(format!("--blobs=file:{}", folder.join("blobs").display()));
                environment.push(("MARQUETRY_DATABASE_URL", database.url_by(opened.folder())));
                environment.push(("MARQUETRY_MASTER_KEY", master_key.clone()));
                gate = Some(opened);
            }
            let parts = Parts {
                number,
                folder: folder.join(format!("node-{number}")),
                arguments,
                environment,
                gate,
            };
            // One after another: the first makes the tables.
            nodes.push(Node::new(parts));
            if let Some(node) = nodes.last_mut() {
                node.launch().await?;
            }
        }
        Ok(())
    }

    /// Asks for all triggers while the nodes suffer; answers those that were accepted.
    async fn under_faults(
        &self,
        nodes: &mut [Node],
        tenants: &[i64],
        to: &mut Printer,
    ) -> anyhow::Result<BTreeMap<i64, i64>> {
        let (options, faults) = (self.options, self.options.faults());
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
            key: &self.key,
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
            suffer(
                node,
                of_node,
                count.subscribe(),
                self.database.as_ref(),
                told.clone(),
            )
        });
        let suffering = try_join_all(suffering);
        let work = async move {
            // When one fails, nobody waits for the other.
            let done = tokio::try_join!(load.run(), suffering);
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
        let (done, ()) = tokio::join!(work, tell);
        done.map(|(accepted, _)| accepted)
    }
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
        accepted.wait_for(|count| *count >= fault.at).await?;
        // Who listens no more needs no word.
        let _ = told.send(fault);
        let suffered = node.suffer(fault, database).await;
        suffered.with_context(|| format!("what was to be done cannot be: {fault}"))?;
    }
    Ok(())
}

/// Processes, mounts and memory that are there although everything has ended.
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
    for memory in nodes
        .iter()
        .filter_map(Node::memory)
        .filter(|path| path.exists())
    {
        left.push(format!("files in memory are left: {}", memory.display()));
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let ours = folder.to_string_lossy();
    for mount in mounts.lines().filter(|line| line.contains(&*ours)) {
        left.push(format!("a mount is left: {mount}"));
    }
    left
}
