//! S1 and S2: a minute in which schedules are due one after another, and the beginning of the next,
//! when all of them are due again.

use std::collections::HashMap;

use super::ROLES;
use super::clock::{MINUTE, Millis, next_minute, sleep_until};
use super::stage::Stage;
use super::watch::{Watch, lateness};
use crate::process::cpu_seconds;
use crate::report::{Bar, Figure};
use crate::setup::Setup;

/// The last second is left free: who fires when the next minute has begun misses a tick of it.
const SPREAD: Millis = 59_000;
/// For writing when each is due and for starting the server.
const PREPARATION: Millis = 8_000;

pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let stage = Stage::make(setup)?;
    let count = stage.count;
    let what = |what: &str| format!("{count} schedules, {what}");
    let late = Bar::at_most(25.0, 10.0);
    let share = Bar::at_most(10.0, 4.0);
    let whole = Bar::at_most(1.5, 0.7);
    let mut figures = [
        Figure::new("S1", what("once a minute, p99 of the lateness"), "ms", late),
        Figure::new("S1", what("the same, share of a processor"), "%", share),
        Figure::note("S1", "the same, p50 of the lateness", "ms"),
        Figure::note("S1", "the same, the latest", "ms"),
        Figure::new("S2", what("all due at once, durable in"), "s", whole),
        Figure::note("S2", "the same, processor time", "s"),
    ];
    setup.rounds(&mut figures, |_, figures| round(setup, &stage, figures))?;
    Ok(figures
        .into_iter()
        .filter(|it| setup.wants(&it.id))
        .collect())
}

fn round(setup: &Setup, stage: &Stage, figures: &mut [Figure]) -> anyhow::Result<()> {
    let minute = next_minute(PREPARATION)?;
    let due = stage.spread(minute, SPREAD)?;
    let served = stage.start(setup, ROLES)?;
    let mut watch = Watch::open(&stage.database)?;
    sleep_until(minute)?;
    let cpu = || cpu_seconds(served.pid());
    let before = cpu()?;
    let seen = watch.collect(stage.count, minute + MINUTE)?;
    sleep_until(minute + SPREAD)?;
    let used = cpu()? - before;
    let late = lateness(&seen, &due)?;
    let at = |percent: usize| late[(late.len() - 1) * percent / 100];
    figures[0].value(at(99));
    figures[1].value(used * 1e3 / SPREAD as f64 * 100.0);
    figures[2].value(at(50));
    figures[3].value(at(100));

    // By their own expression all of them are due when the next minute begins.
    let next: HashMap<i64, Millis> = due.keys().map(|id| (*id, minute + MINUTE)).collect();
    sleep_until(minute + MINUTE)?;
    let before = cpu()?;
    let seen = watch.collect(stage.count, minute + 2 * MINUTE)?;
    let late = lateness(&seen, &next)?;
    figures[4].value(late[late.len() - 1] / 1e3);
    figures[5].value(cpu()? - before);
    drop(watch);
    served.stop()
}
