//! The stage: an integration whose run prints one word, and tenants of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::bare::COMMAND;
use crate::client::Client;
use crate::product::ProductOptions;

/// Connections that prepare at once.
const PREPARERS: usize = 16;

/// What a run executes.
pub(crate) struct Job {
    /// The `base` of its manifest.
    pub(crate) base: &'static str,
    /// The command.
    pub(crate) run: &'static str,
}

const SHELL_JOB: Job = Job {
    base: "python:3.11",
    run: COMMAND,
};

/// A data folder with a released integration and tenants that have never run.
pub(crate) struct Scenario {
    pub(crate) data_dir: PathBuf,
    pub(crate) integration: i64,
    pub(crate) release: i64,
    pub(crate) tenants: Vec<i64>,
}

impl Scenario {
    /// Makes it through the product's own API, in a folder made anew.
    pub(crate) fn make(
        binary: &Path,
        data_dir: &Path,
        database_url: Option<&str>,
        tenants: usize,
    ) -> anyhow::Result<Self> {
        Self::make_of(&SHELL_JOB, binary, data_dir, database_url, tenants)
    }

    /// The same with another job.
    pub(crate) fn make_of(
        job: &Job,
        binary: &Path,
        data_dir: &Path,
        database_url: Option<&str>,
        tenants: usize,
    ) -> anyhow::Result<Self> {
        if data_dir.exists() {
            std::fs::remove_dir_all(data_dir)?;
        }
        let repository = data_dir.join("repositories").join("bench");
        commit(&repository, job)?;
        let served = ProductOptions {
            binary,
            data_dir,
            database_url,
            roles: "api,scheduler,builder,runner",
            sandbox: "off",
            run_slots: 4,
            pinned: false,
        }
        .start()?;
        let mut client = Client::connect(&served.address)?;
        let body = json!({"name": "bench", "long_name": "Bench", "repository_url": repository});
        let made = client.post("/v2/integrations", Some(&body))?.json()?;
        let integration = made["id"].as_i64().context("an integration has an id")?;
        let release = build(&mut client, integration)?;
        let numbers: Vec<usize> = (0..tenants).collect();
        let mut tenants = each(&served.address, &numbers, |client, number| {
            let body = json!({
                "name": format!("tenant-{number}"),
                "integration_id": integration,
                "integration_release_channel": "Latest",
                "user_name": format!("user-{number}"),
                "configs": {"shop": format!("shop-{number}.example.com"), "batch": 50, "dry_run": false},
            });
            let made = client.post("/v2/tenants", Some(&body))?.json()?;
            made["id"].as_i64().context("a tenant has an id")
        })?;
        served.stop()?;
        // Several connections made them; the product lists them by id.
        tenants.sort_unstable();
        Ok(Self {
            data_dir: data_dir.to_owned(),
            integration,
            release,
            tenants,
        })
    }
}

fn commit(repository: &Path, job: &Job) -> anyhow::Result<()> {
    std::fs::create_dir_all(repository)?;
    let Job { base, run } = job;
    let manifest = format!("version: 0.4\nbase: {base}\nbuild: 'true'\nrun: {run}\n");
    std::fs::write(repository.join("PANDIUM.yaml"), manifest)?;
    // A program that does nothing, for whoever runs a file.
    std::fs::write(repository.join("main.js"), "0\n")?;
    for arguments in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &["commit", "-q", "-m", "bench"],
    ] {
        let status = Command::new("git")
            .arg("-C")
            .arg(repository)
            .args([
                "-c",
                "user.name=Bench",
                "-c",
                "user.email=bench@example.com",
            ])
            .args(arguments)
            .status()?;
        ensure!(status.success(), "git {arguments:?} ended with {status}");
    }
    Ok(())
}

fn build(client: &mut Client, integration: i64) -> anyhow::Result<i64> {
    let body = json!({"integration_id": integration, "tag": "1.0.0"});
    let made = client
        .post("/v2/sourcecontrol/build", Some(&body))?
        .json()?;
    let path = format!("/v2/builds/{}", made["id"]);
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        let build = client.get(&path)?.json()?;
        match build["status"].as_str() {
            Some("Pending" | "Running") => std::thread::sleep(Duration::from_millis(20)),
            Some("Succeeded") => {
                return build["release_ids"][0].as_i64().context("it has a release");
            }
            _ => bail!("the build failed: {build}"),
        }
    }
    bail!("the build does not end")
}

/// Does something with each item over several connections; the answers are in order.
pub(crate) fn each<T: Sync, R: Send>(
    address: &str,
    items: &[T],
    act: impl Fn(&mut Client, &T) -> anyhow::Result<R> + Sync,
) -> anyhow::Result<Vec<R>> {
    let share = items.len().div_ceil(PREPARERS).max(1);
    std::thread::scope(|scope| {
        let parts: Vec<_> = items
            .chunks(share)
            .map(|part| {
                scope.spawn(|| {
                    let mut client = Client::connect(address)?;
                    part.iter().map(|item| act(&mut client, item)).collect()
                })
            })
            .collect();
        let mut all = Vec::with_capacity(items.len());
        for part in parts {
            let part: anyhow::Result<Vec<R>> = part.join().expect("a preparer does not panic");
            all.extend(part?);
        }
        Ok(all)
    })
}

/// Asks for a run; answers the trigger.
pub(crate) fn sync(client: &mut Client, tenant: i64) -> anyhow::Result<String> {
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let answer = client.post(&path, None)?.json()?;
    Ok(answer["trigger_id"]
        .as_str()
        .context("a trigger has an id")?
        .to_owned())
}

/// Waits until the run of a trigger has ended; it must have succeeded.
pub(crate) fn wait_for(client: &mut Client, trigger: &str) -> anyhow::Result<()> {
    let path = format!("/v2/runs/triggers/{trigger}/status?wait=60");
    let until = Instant::now() + Duration::from_secs(300);
    while Instant::now() < until {
        let answer = client.get(&path)?;
        if answer.status == 404 {
            continue;
        }
        let answer: Value = answer.json()?;
        match answer["status"].as_str() {
            Some("Pending" | "Running") => {}
            Some("Succeeded") => return Ok(()),
            _ => {
                let failed = client.get("/v2/runs?phase=Failed%20(Platform%20Issue)&limit=1")?;
                let failed: Value = failed.json()?;
                bail!("trigger {trigger}: {answer}; for example {failed}")
            }
        }
    }
    bail!("trigger {trigger} has no end")
}

/// The log of a run, by the signed link, as a client reads it.
pub(crate) fn log(client: &mut Client, run: i64) -> anyhow::Result<String> {
    let link = client.get(&format!("/v2/runs/{run}/log"))?;
    let place = link.location.context("the log's route answers a link")?;
    let from = place.find("/logs/").context("the link leads to the log")?;
    let answer = client.get(&place[from..])?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(String::from_utf8(answer.body)?)
}

/// The newest run, 0 when there is none.
pub(crate) fn last_run(client: &mut Client) -> anyhow::Result<i64> {
    let runs = client.get("/v2/runs?limit=1")?.json()?;
    Ok(runs[0]["id"].as_i64().unwrap_or(0))
}
