//! R4: the same command as a run of ours and as an execution of n8n's.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::client::Client;
use crate::latency;
use crate::product::{Served, free_address};
use crate::report::{Bar, Figure, median};
use crate::scenario::{self, Scenario};
use crate::setup::{Setup, say};
use crate::{bare, burst};

/// A webhook whose one further node executes the command, and which answers when that has ended.
const WORKFLOW: &str = include_str!("../n8n/workflow.json");
const ID: &str = "benchmarquetryhi";
const PATH: &str = "/webhook/hi";
/// Executions whose rate and times are measured in a round.
const BURST: usize = 400;
const SINGLE: usize = 100;
/// It loads hundreds of kinds of nodes before it listens.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let Some(program) = &setup.n8n else {
        say("there is no n8n: R4 is not measured; ask for it by name")?;
        return Ok(Vec::new());
    };
    let folder = setup.work.join("n8n");
    let stage = Scenario::make(&setup.binary, &folder.join("ours"), None, setup.burst)?;
    let home = folder.join("theirs");
    prepare(program, &home)?;
    let mut figures = [
        Figure::new(
            "R4",
            "burst, sandbox off ÷ n8n",
            "×",
            Bar::at_least(30.0, 45.0),
        ),
        Figure::new(
            "R4",
            "latency p50: n8n ÷ trigger → visible (ms)",
            "×",
            Bar::at_least(8.0, 12.0),
        ),
        Figure::note("R4", "burst, sandbox full ÷ n8n", "×"),
    ];
    setup.rounds(&mut figures, |_, figures| {
        let rate = burst::burst(setup, &stage, "off")?;
        let confined = burst::burst(setup, &stage, "full")?;
        let served = latency::options(setup, &stage).start()?;
        let tenants = &stage.tenants[..SINGLE.min(stage.tenants.len())];
        let (_, whole, _) = latency::visible(&served, tenants)?;
        served.stop()?;
        let theirs = start(program, &home)?;
        let (their_rate, their_time) = (executions(&theirs)?, times(&theirs)?);
        theirs.stop()?;
        figures[0].ratio(rate, their_rate);
        figures[1].ratio_to(median(&their_time), median(&whole));
        figures[2].ratio(confined, their_rate);
        Ok(())
    })?;
    Ok(figures.into())
}

/// n8n with what it advises for SQLite, without what it would tell its makers, and with the quicker of its engines
/// for expressions, which the workflow has none of.
fn command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("N8N_USER_FOLDER", home)
        .env("DB_SQLITE_POOL_SIZE", "4")
        .env("N8N_EXPRESSION_ENGINE", "legacy")
        .env("N8N_DIAGNOSTICS_ENABLED", "false")
        .env("N8N_VERSION_NOTIFICATIONS_ENABLED", "false")
        .env("N8N_TEMPLATES_ENABLED", "false")
        .env("N8N_PERSONALIZATION_ENABLED", "false")
        .env("N8N_LOG_LEVEL", "warn");
    command
}

/// A new database with the workflow in it.
fn prepare(program: &Path, home: &Path) -> anyhow::Result<()> {
    if home.exists() {
        std::fs::remove_dir_all(home)?;
    }
    std::fs::create_dir_all(home)?;
    let file = home.join("workflow.json");
    std::fs::write(&file, WORKFLOW)?;
    let import = format!("--input={}", file.display());
    let activate = format!("--id={ID}");
    for arguments in [
        &["import:workflow", &import][..],
        &["update:workflow", &activate, "--active=true"],
    ] {
        let done = command(program, home).args(arguments).output()?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "n8n {arguments:?}: {said}");
    }
    Ok(())
}

/// It listens before it knows its webhooks.
fn start(program: &Path, home: &Path) -> anyhow::Result<Served> {
    let address = free_address()?;
    let (_, port) = address.rsplit_once(':').context("an address has a port")?;
    let mut command = command(program, home);
    command
        .arg("start")
        .env("N8N_LISTEN_ADDRESS", "127.0.0.1")
        .env("N8N_PORT", port);
    let log = home.with_extension("log");
    let served = Served::start_within(command, address, &log, PATIENCE)?;
    let until = served.began + PATIENCE;
    while execute(&mut Client::connect(&served.address)?).is_err() {
        if Instant::now() > until {
            bail!("n8n does not know its webhook; see {}", log.display());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(served)
}

/// One execution; it must have done what a run does.
fn execute(client: &mut Client) -> anyhow::Result<()> {
    let answer = client.post(PATH, None)?.json()?;
    let said = answer["stdout"].as_str();
    ensure!(said == Some("hi"), "{} said {answer}", bare::COMMAND);
    Ok(())
}

/// Executions a second that are asked for over several connections.
fn executions(served: &Served) -> anyhow::Result<f64> {
    let begun = Instant::now();
    scenario::each(&served.address, &[(); BURST], |client, ()| execute(client))?;
    Ok(BURST as f64 / begun.elapsed().as_secs_f64())
}

/// What each of some executions took, one after another, in ms.
fn times(served: &Served) -> anyhow::Result<Vec<f64>> {
    let mut client = Client::connect(&served.address)?;
    let mut times = Vec::with_capacity(SINGLE);
    for _ in 0..SINGLE {
        let begun = Instant::now();
        execute(&mut client)?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}
