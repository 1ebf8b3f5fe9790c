//! S3: what schedules cost while none is due, and how soon a server that starts fires.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;

use super::ROLES;
use super::clock::{Millis, exactly_now, next_minute, now, sleep_until};
use super::stage::Stage;
use super::watch::{Seen, Watch};
use crate::footprint::REST;
use crate::process::{cpu_seconds, memory};
use crate::product::ProductOptions;
use crate::report::{Bar, Figure};
use crate::setup::Setup;

/// For how long nothing is due.
const NOTHING_DUE: Duration = Duration::from_secs(60);
const DAY: Millis = 86_400_000;
/// Since when schedules have been due when the server starts: too short to count as missed.
const OVERDUE: Millis = 40_000;
/// All that is overdue must have fired by then.
const PATIENCE: Millis = 20_000;
/// For writing when each is due.
const SEEDING: Millis = 5_000;

pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let stage = Stage::make(setup)?;
    let empty = setup.work.join("schedules-none");
    let count = stage.count;
    let what = |what: &str| format!("{count} schedules, {what}");
    let megabytes = Bar::at_most(40.0, 10.0);
    let restart = Bar::at_most(500.0, 200.0);
    let seconds = Bar::at_most(0.05, 0.01);
    let mut figures = [
        Figure::new(
            "S3",
            what("anonymous memory above a server without"),
            "MB",
            megabytes,
        ),
        Figure::new(
            "S3",
            what("start to first fire that is right"),
            "ms",
            restart,
        ),
        Figure::note("S3", "the same, until all that were due are durable", "ms"),
        Figure::new(
            "S3",
            what("processor time of 60 s with nothing due"),
            "s",
            seconds,
        ),
    ];
    setup.rounds(&mut figures, |_, figures| {
        let idle = without_schedules(setup, &empty)?;
        let fired = restart_overdue(setup, &stage, figures)?;
        figures[0].difference(fired, idle);
        figures[3].value(nothing_due(setup, &stage)?);
        Ok(())
    })?;
    Ok(figures.into())
}

/// Memory of a server with an empty database.
fn without_schedules(setup: &Setup, folder: &Path) -> anyhow::Result<f64> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    let served = ProductOptions {
        binary: &setup.binary,
        data_dir: folder,
        database_url: None,
        roles: ROLES,
        sandbox: "off",
        run_slots: 1,
        pinned: false,
    }
    .start()?;
    std::thread::sleep(REST);
    let (server, _) = memory(served.pid())?;
    served.stop()?;
    Ok(server)
}

/// Starts a server when all schedules have been due for a while. Answers its memory after all have
/// fired.
fn restart_overdue(setup: &Setup, stage: &Stage, figures: &mut [Figure]) -> anyhow::Result<f64> {
    // Those that have fired are due again when a minute begins: not before the others have.
    if next_minute(0)? - now()? < PATIENCE + SEEDING {
        sleep_until(next_minute(0)?)?;
    }
    let mut due = stage.spread(now()? - OVERDUE, OVERDUE)?;
    let mut watch = Watch::open(&stage.database)?;
    let served = stage.start(setup, ROLES)?;
    let until = now()? + PATIENCE;
    let started = exactly_now()? - served.began.elapsed().as_secs_f64() * 1e3;
    let first = watch.first(until)?;
    check_longest_due(&first, &due)?;
    figures[1].value(first[0].1 - started);
    let seen: HashSet<i64> = first.iter().map(|(tenant, _)| *tenant).collect();
    ensure!(seen.len() == first.len(), "a tenant fired twice");
    due.retain(|tenant, _| !seen.contains(tenant));
    let rest = watch.fired(&due, until)?;
    let in_order = rest.missing == 0 && rest.again == 0;
    ensure!(
        in_order,
        "{} are missing, {} fired twice",
        rest.missing,
        rest.again
    );
    figures[2].value(exactly_now()? - started);
    drop(watch);
    std::thread::sleep(REST);
    let (server, _) = memory(served.pid())?;
    served.stop()?;
    Ok(server)
}

/// Those that fire first must be those that have been due longest.
fn check_longest_due(seen: &[Seen], due: &HashMap<i64, Millis>) -> anyhow::Result<()> {
    let mut all: Vec<Millis> = due.values().copied().collect();
    all.sort_unstable();
    let bound = all[seen.len() - 1];
    let right = seen.iter().all(|(tenant, _)| due[tenant] <= bound);
    ensure!(right, "others than those that were due longest fired first");
    Ok(())
}

/// Time on a processor, of a server whose schedules are due tomorrow.
fn nothing_due(setup: &Setup, stage: &Stage) -> anyhow::Result<f64> {
    stage.spread(now()? + DAY, OVERDUE)?;
    let served = stage.start(setup, ROLES)?;
    std::thread::sleep(REST);
    let before = cpu_seconds(served.pid())?;
    std::thread::sleep(NOTHING_DUE);
    let used = cpu_seconds(served.pid())? - before;
    served.stop()?;
    Ok(used)
}
