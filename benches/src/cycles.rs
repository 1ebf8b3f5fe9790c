//! C1: what one cycle costs on each database: a trigger waits, becomes a run, is executed, and its end is stored.
//!
//! No bar is about it; `docs/scaling.md` and the simulation count with it.

use anyhow::Context as _;
use tokio_postgres::Client;

use crate::burst;
use crate::postgres::{connect, database, runtime};
use crate::process::{cpu_seconds, own_cpu_seconds};
use crate::product::ProductOptions;
use crate::report::Figure;
use crate::scenario::Scenario;
use crate::setup::{Setup, say};

/// What was used up to now.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    server_s: f64,
    database_s: f64,
    written: f64,
}

pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let mut all = on(setup, None)?;
    match &setup.postgres {
        Some(server) => all.extend(on(setup, Some(server))?),
        None => say("there is no PostgreSQL: C1 is measured on SQLite alone")?,
    }
    Ok(all)
}

fn on(setup: &Setup, server: Option<&String>) -> anyhow::Result<Vec<Figure>> {
    let name = server.map_or("SQLite", |_| "PostgreSQL");
    let template = server.map(|server| database(server, "bench_cycles", None));
    let template = template.transpose()?;
    let folder = setup.work.join(format!("cycles-{name}"));
    let stage = Scenario::make(&setup.binary, &folder, template.as_deref(), setup.burst)?;
    let note = |what: &str, unit| Figure::note("C1", format!("{what}, {name}"), unit);
    let mut figures = [
        note("cycles in a burst, sandbox off", "/s"),
        note("processor time of the server in a cycle", "ms"),
        note("processor time of the database in a cycle", "ms"),
        note("bytes that the database writes ahead in a cycle", "B"),
    ];
    setup.rounds(&mut figures, |_, figures| {
        let url = server.map(|server| database(server, "bench_round", Some("bench_cycles")));
        let url = url.transpose()?;
        let options = ProductOptions {
            database_url: url.as_deref(),
            ..burst::options(setup, &stage, "off")
        };
        let triggers = burst::accept(options.start()?, &stage)?;
        let roles = "api,scheduler,builder,runner";
        let before = used(url.as_deref(), None)?;
        let served = ProductOptions { roles, ..options }.start()?;
        let rate = burst::work_off(&served, &triggers)?;
        let after = used(url.as_deref(), Some(served.pid()))?;
        served.stop()?;
        let each = |before: f64, after: f64| (after - before) / triggers.len() as f64;
        figures[0].value(rate);
        figures[1].value(each(before.server_s, after.server_s) * 1e3);
        figures[2].value(each(before.database_s, after.database_s) * 1e3);
        figures[3].value(each(before.written, after.written));
        Ok(())
    })?;
    // SQLite works in the server, and its log is a file that begins anew again and again.
    let shown = if server.is_some() { 4 } else { 2 };
    Ok(figures.into_iter().take(shown).collect())
}

fn used(url: Option<&str>, server: Option<u32>) -> anyhow::Result<Used> {
    let mut used = Used::default();
    if let Some(pid) = server {
        used.server_s = own_cpu_seconds(pid)?;
    }
    if let Some(url) = url {
        let runtime = runtime()?;
        (used.database_s, used.written) = runtime.block_on(async {
            let client = connect(url).await?;
            anyhow::Ok((
                cpu_seconds(postmaster(&client).await?)?,
                written(&client).await?,
            ))
        })?;
    }
    Ok(used)
}

/// The process that started the one which serves us.
async fn postmaster(client: &Client) -> anyhow::Result<u32> {
    let row = client.query_one("SELECT pg_backend_pid()", &[]).await?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", row.get::<_, i32>(0)))?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    Ok(parent.context("the kernel tells PPid")?.trim().parse()?)
}

async fn written(client: &Client) -> anyhow::Result<f64> {
    const SQL: &str = "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8";
    Ok(client.query_one(SQL, &[]).await?.get(0))
}
