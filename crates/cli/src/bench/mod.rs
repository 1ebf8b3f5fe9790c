//! How fast the product is on this machine, beside what the machine can do at all.

mod bare;
mod minimal;
mod process;
mod report;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::client::Client;
use crate::load;
use crate::printer::Printer;
use crate::trial;
use process::Process;
pub(crate) use report::Report;

/// What is measured, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BenchOptions {
    /// The sandbox of the runs, in the words of `serve`.
    pub(crate) sandbox: &'static str,
    /// How long each rate is measured.
    pub(crate) seconds: u64,
    /// Customers whose runs make the burst.
    pub(crate) tenants: usize,
}

/// One after another, for latencies.
const ONE_BY_ONE: usize = 200;
/// Requests at once, for rates.
const AT_ONCE: usize = 16;
/// Processes at once, for the limit.
const PROCESSES: usize = 4;
/// How long nothing is asked, for what it costs to wait.
const IDLE: Duration = Duration::from_secs(10);
/// What every run executes.
const COMMAND: &str = "echo hi";

/// Measures on data of its own, which is gone afterwards.
///
/// # Errors
///
/// The server does not start here (`marquetry doctor` says why), or answers what it should not.
pub(crate) async fn run(options: &BenchOptions, to: &mut Printer) -> anyhow::Result<Report> {
    let span = Duration::from_secs(options.seconds);
    let mut report = Report::new(options);
    to.note("starting a server on temporary data");
    let process = Process::start(options.sandbox).await?;
    let client = process.client()?;
    let settings = json!({"name": "bench", "long_name": "Benchmark"});
    let integration = trial::integration(&client, &settings, COMMAND, &[]).await?;
    let tenants = trial::tenants(&client, integration, options.tenants).await?;

    to.note("what the machine can do: processes, and a server that does nothing");
    let (spawn, spawn_rate) = bare::measure(COMMAND, ONE_BY_ONE, PROCESSES, span).await?;
    report.add_times("a process, started by itself", &spawn);
    report.add("processes started by a loop", spawn_rate, "/s");
    let minimal = minimal::serve().await?;
    let rate = load::rate(AT_ONCE, span, || minimal.get("/v2/tenants/1")).await?;
    report.add("GET from a server that does nothing", rate, "/s");

    to.note("the API");
    let one = format!("/v2/tenants/{}", tenants[0]);
    let rate = load::rate(AT_ONCE, span, || process.get(&one)).await?;
    report.add("GET of a tenant", rate, "/s");
    let rate = load::rate(AT_ONCE, span, || process.get("/v2/tenants?limit=50")).await?;
    report.add("GET of 50 tenants", rate, "/s");

    to.note(&format!("{ONE_BY_ONE} runs, one after another"));
    let times = one_by_one(&client, tenants[0]).await?;
    report.add_times("from a trigger until status and log can be read", &times);

    to.note(&format!("{} runs at once", tenants.len()));
    let (accepted, ended) = burst(&client, &tenants).await?;
    report.add("triggers accepted, each durable", accepted, "/s");
    report.add("runs", ended, "/s");

    to.note(&format!("nothing, for {} s", IDLE.as_secs()));
    let before = process.used()?;
    tokio::time::sleep(IDLE).await;
    let after = process.used()?;
    let idle = (after.cpu_s - before.cpu_s) / IDLE.as_secs_f64() * 60.0;
    report.add("processor time of a minute with nothing to do", idle, "s");
    report.add("memory of the server", after.memory_mb, "MB");
    process.stop().await?;
    Ok(report)
}

async fn trigger(client: &Client, tenant: i64) -> anyhow::Result<String> {
    let path = format!("/v2/tenants/{tenant}/sync");
    let mode = [("mode", "normal".to_owned())];
    let made = client.post(&path, &mode, None).await?.value;
    let id = made["trigger_id"].as_str().map(str::to_owned);
    id.with_context(|| format!("no trigger_id in {made}"))
}

/// Waits for the end of the run that took a trigger.
async fn end(client: &Client, trigger: &str) -> anyhow::Result<()> {
    let path = format!("/v2/runs/triggers/{trigger}/status");
    let wait = [("wait", "60".to_owned())];
    let status = client.get(&path, &wait).await?.value;
    ensure!(status["status"] == "Succeeded", "a run ended as {status}");
    Ok(())
}

/// How long each run takes until its status and its log can be read by a fresh request.
async fn one_by_one(client: &Client, tenant: i64) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(ONE_BY_ONE);
    for n in 0..=ONE_BY_ONE {
        let began = Instant::now();
        let asked = trigger(client, tenant).await?;
        end(client, &asked).await?;
        let runs = format!("/v2/tenants/{tenant}/runs");
        let run = client.get(&runs, &[("limit", "1".to_owned())]).await?.value;
        let log = client
            .text(&format!("/v2/runs/{}/log", trial::id(&run[0])?))
            .await?;
        ensure!(!log.is_empty(), "a run has no log");
        // The first one unpacks the release.
        if n > 0 {
            times.push(began.elapsed());
        }
    }
    Ok(times)
}

/// One run of each tenant, all asked for at once: how many triggers are accepted in a second, and
/// how many runs end.
async fn burst(client: &Client, tenants: &[i64]) -> anyhow::Result<(f64, f64)> {
    let count = f64::from(u32::try_from(tenants.len())?);
    let began = Instant::now();
    let ask = |tenant| async move { trigger(client, tenant).await };
    let triggers = load::each(AT_ONCE, tenants.to_vec(), ask).await?;
    let accepted = count / began.elapsed().as_secs_f64();
    let wait = |trigger: String| async move { end(client, &trigger).await };
    load::each(AT_ONCE, triggers, wait).await?;
    Ok((accepted, count / began.elapsed().as_secs_f64()))
}
