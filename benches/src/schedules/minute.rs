//! S1 and S2: a minute in which schedules are due one after another, and the beginning of the next,
//! when all of them are due again.

use std::collections::HashMap;

use anyhow::ensure;

use super::ROLES;
use super::clock::{MINUTE, Millis, next_minute, sleep_until};
use super::stage::Stage;
use super::watch::Watch;
use crate::process::cpu_seconds;
use crate::report::{Bar, Figure};
use crate::setup::Setup;

/// The last second is left free: who fires when the next minute has begun misses a tick of it.
const SPREAD: Millis = 59_000;
/// So long after the last was due, nobody looks for more of this minute.
const REST: Millis = 900;
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
        Figure::note("S1", "the same, not fired before the minute ended", ""),
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
    // A server that is too slow for a minute must not spoil the measurement of the next.
    let fired = watch.fired(&due, minute + SPREAD + REST)?;
    sleep_until(minute + SPREAD)?;
    let used = cpu()? - before;
    ensure!(fired.again == 0, "{} schedules fired twice", fired.again);
    figures[0].value(fired.percentile(99));
    figures[1].value(used * 1e3 / SPREAD as f64 * 100.0);
    figures[2].value(fired.percentile(50));
    figures[3].value(fired.percentile(100));
    figures[4].value(fired.missing as f64);

    // By their own expression all of them are due when the next minute begins.
    let next: HashMap<i64, Millis> = due.keys().map(|id| (*id, minute + MINUTE)).collect();
    // Shortly before, because a look that is late itself would take away the first.
    sleep_until(minute + MINUTE - 20)?;
    watch.look()?;
    sleep_until(minute + MINUTE)?;
    let before = cpu()?;
    let all = watch.fired(&next, minute + 2 * MINUTE)?;
    // Who had not fired before fires once for both.
    let in_order = all.missing == 0 && (all.again == 0 || fired.missing > 0);
    ensure!(
        in_order,
        "{} are missing, {} fired twice",
        all.missing,
        all.again
    );
    figures[5].value(all.percentile(100) / 1e3);
    figures[6].value(cpu()? - before);
    drop(watch);
    served.stop()
}
