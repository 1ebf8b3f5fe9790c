//! R6: memory at rest, the time to the first answer, the size of the binary.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;

use crate::client::Client;
use crate::process::memory;
use crate::product::{ProductOptions, Served};
use crate::report::{Bar, Figure};
use crate::scenario::Scenario;
use crate::seed;
use crate::setup::Setup;

const RUNS: usize = 100_000;
/// After this long without a request, what is held is held for good.
pub(crate) const REST: Duration = Duration::from_secs(3);

pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let folder = setup.work.join("footprint");
    let stage = Scenario::make(&setup.binary, &folder, None, 1_000)?;
    let database = stage.data_dir.join("marquetry.db");
    seed::sqlite(&database, &stage, &stage.tenants, RUNS)?;
    let mut figures = [
        Figure::new(
            "R6",
            "first answer after the start of the process, 100,000 runs stored",
            "ms",
            Bar::at_most(100.0, 40.0),
        ),
        Figure::new(
            "R6",
            "anonymous memory at rest, server process",
            "MB",
            Bar::at_most(25.0, 15.0),
        ),
        Figure::note("R6", "the same, its spawner process", "MB"),
    ];
    setup.rounds(&mut figures, |_, figures| {
        let served = start(setup, &stage)?;
        let mut client = Client::connect(&served.address)?;
        let answer = client.get("/v2/runs/77777")?.json()?;
        figures[0].value(served.began.elapsed().as_secs_f64() * 1e3);
        ensure!(answer["id"] == 77_777, "{answer}");
        drop(client);
        std::thread::sleep(REST);
        let (server, others) = memory(served.pid())?;
        figures[1].value(server);
        figures[2].value(others);
        served.stop()
    })?;
    let mut size = Figure::new("R6", "binary, stripped", "MB", Bar::at_most(40.0, 20.0));
    size.value(stripped_size(setup)?);
    let mut all = Vec::from(figures);
    all.push(size);
    Ok(all)
}

fn start(setup: &Setup, stage: &Scenario) -> anyhow::Result<Served> {
    ProductOptions {
        binary: &setup.binary,
        data_dir: &stage.data_dir,
        database_url: None,
        roles: "api,scheduler,builder,runner",
        sandbox: "full",
        run_slots: setup.run_slots,
        pinned: false,
    }
    .start()
}

fn stripped_size(setup: &Setup) -> anyhow::Result<f64> {
    let copy: PathBuf = setup.work.join("marquetry.stripped");
    strip(&setup.binary, &copy)?;
    Ok(std::fs::metadata(&copy)?.len() as f64 / 1e6)
}

fn strip(from: &Path, to: &Path) -> anyhow::Result<()> {
    let status = Command::new("strip").arg("-o").arg(to).arg(from).status()?;
    ensure!(status.success(), "strip ended with {status}");
    Ok(())
}
