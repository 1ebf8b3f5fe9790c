//! A5: triggers accepted durably, against single rows committed one after another.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::client::raw;
use crate::load;
use crate::product::{ProductOptions, on_cpu};
use crate::report::{Bar, Figure};
use crate::scenario::Scenario;
use crate::setup::Setup;

const TENANTS: usize = 5_000;

pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let folder = setup.work.join("accept");
    let stage = Scenario::make(&setup.binary, &folder, None, TENANTS)?;
    let requests: Vec<String> = stage
        .tenants
        .iter()
        .map(|id| raw("POST", &format!("/v2/tenants/{id}/sync?mode=normal"), None))
        .collect();
    let file = setup.work.join("accept.json");
    std::fs::write(&file, serde_json::to_string(&requests)?)?;
    let what = "durable accepts, 64 connections ÷ single-row FULL commits";
    let mut figures = [
        Figure::new("A5", what, "×", Bar::at_least(1.5, 4.0)),
        Figure::note("A5", "p99 of an accept", "ms"),
    ];
    setup.rounds(&mut figures, |_, figures| {
        let limit = commit_rate(setup)?;
        let served = ProductOptions {
            binary: &setup.binary,
            data_dir: &stage.data_dir,
            database_url: None,
            roles: "api",
            sandbox: "off",
            run_slots: 1,
            pinned: true,
        }
        .start()?;
        let ours = load::apart(&served.address, &file, setup.seconds)?;
        served.stop()?;
        figures[0].ratio(ours.per_second, limit);
        figures[1].value(ours.p99_us / 1e3);
        Ok(())
    })?;
    Ok(figures.into())
}

fn commit_rate(setup: &Setup) -> anyhow::Result<f64> {
    let output = on_cpu(true, &std::env::current_exe()?)
        .arg("commits")
        .arg(setup.work.join("commits.db"))
        .args(["--seconds", &setup.seconds.to_string()])
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Commits single rows as durably as the product does, and prints how many a second.
pub(crate) fn commits(file: &Path, seconds: f64) -> anyhow::Result<()> {
    for name in ["", "-wal", "-shm"] {
        let path = format!("{}{name}", file.display());
        if Path::new(&path).exists() {
            std::fs::remove_file(path)?;
        }
    }
    let connection = rusqlite::Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(
        "CREATE TABLE rows (id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, at INTEGER NOT NULL)",
    )?;
    let mut insert = connection.prepare("INSERT INTO rows (tenant, at) VALUES (?1, ?2)")?;
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let begun = Instant::now();
    let mut count = 0_i64;
    while Instant::now() < until {
        insert.execute([count % 5_000, count])?;
        count += 1;
    }
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    writeln!(std::io::stdout(), "{rate}")?;
    Ok(())
}
