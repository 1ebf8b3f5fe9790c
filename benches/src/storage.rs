//! D1: what runs of a burst cost on the disk: how often it is waited for, and how many bytes stay.

use std::path::Path;
use std::process::Command;

use anyhow::{bail, ensure};

use crate::burst;
use crate::product::{ProductOptions, Served};
use crate::report::{Bar, Figure};
use crate::scenario::Scenario;
use crate::setup::Setup;

pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let folder = setup.work.join("storage");
    let stage = Scenario::make(&setup.binary, &folder, None, setup.burst)?;
    let database = stage.data_dir.join("marquetry.db");
    let Some(library) = &setup.fsyncs else {
        bail!("--fsyncs names the library that counts for D1");
    };
    let bytes = |of: &str| format!("bytes in the database, with trigger and log, {of}");
    let mut figures = [
        Figure::new(
            "D1",
            "fsyncs a run, in a burst",
            "",
            Bar::at_most(0.1, 0.03),
        ),
        Figure::new(
            "D1",
            bytes("a tenant's later run"),
            "B",
            Bar::at_most(600.0, 350.0),
        ),
        Figure::note("D1", "fsyncs a trigger, when it was accepted", ""),
        Figure::note("D1", "runs a second in these bursts", "/s"),
    ];
    let accepting = burst::options(setup, &stage, "off");
    let working = ProductOptions {
        roles: "api,scheduler,builder,runner",
        ..accepting.clone()
    };
    // A tenant's later runs are told of those before and say so in their log. They are the usual
    // ones, so no round has a first run.
    let before = used_bytes(&database)?;
    let first = burst::accept(accepting.start()?, &stage)?;
    let served = working.start()?;
    burst::work_off(&served, &first)?;
    served.stop()?;
    let mut first_run = Figure::note("D1", bytes("its first run"), "B");
    first_run.value((used_bytes(&database)? - before) / first.len() as f64);
    setup.rounds(&mut figures, |_, figures| {
        let before = used_bytes(&database)?;
        let accept = |served| burst::accept(served, &stage);
        let (triggers, accepts) = counted(setup, library, &accepting, accept)?;
        let (rate, syncs) = counted(setup, library, &working, |served| {
            let rate = burst::work_off(&served, &triggers)?;
            served.stop()?;
            Ok(rate)
        })?;
        let runs = triggers.len() as f64;
        figures[0].value(syncs / runs);
        figures[1].value((used_bytes(&database)? - before) / runs);
        figures[2].value(accepts / runs);
        figures[3].value(rate);
        Ok(())
    })?;
    let mut all = Vec::from(figures);
    all.push(first_run);
    Ok(all)
}

/// Starts a server, does something that ends it, and answers how often it waited for a disk from
/// its start to its end.
fn counted<T>(
    setup: &Setup,
    library: &Path,
    options: &ProductOptions<'_>,
    act: impl FnOnce(Served) -> anyhow::Result<T>,
) -> anyhow::Result<(T, f64)> {
    let counter = setup.work.join("fsyncs.count");
    std::fs::write(&counter, 0_u64.to_ne_bytes())?;
    let mut command = Command::new(options.binary);
    command
        .env("LD_PRELOAD", library)
        .env("BENCH_FSYNCS", &counter);
    let done = act(options.start_by(command)?)?;
    let bytes = std::fs::read(&counter)?;
    let count = u64::from_ne_bytes(bytes.as_slice().try_into()?);
    ensure!(
        count > 0,
        "nothing was counted: is the binary a static one?"
    );
    Ok((done, count as f64))
}

/// What a stopped server's database holds, without the pages that are free to be used again.
fn used_bytes(file: &Path) -> anyhow::Result<f64> {
    let connection = rusqlite::Connection::open(file)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    let (pages, free) = (number("page_count")?, number("freelist_count")?);
    ensure!(pages > free, "the database is empty: {}", file.display());
    Ok(f64::from(pages - free) * f64::from(number("page_size")?))
}
