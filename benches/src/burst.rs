//! R1 and R2: many runs that wait at once, against a loop that only starts the command.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::bare;
use crate::client::Client;
use crate::product::{ProductOptions, Served};
use crate::report::{Bar, Figure};
use crate::scenario::{self, Scenario};
use crate::setup::Setup;

/// The peer of R2 is slow; its rate does not need as many.
const BWRAP_COUNT: usize = 1_500;
/// How many of the last triggers are waited for before the clock is read.
const LAST: usize = 32;

pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let folder = setup.work.join("burst");
    let stage = Scenario::make(&setup.binary, &folder, None, setup.burst)?;
    let mut all = Vec::new();
    if setup.wants("R1") {
        let what = "burst, sandbox off ÷ bare spawn loop";
        let mut figures = [Figure::new("R1", what, "×", Bar::at_least(0.70, 0.85))];
        setup.rounds(&mut figures, |_, figures| {
            let limit = bare::rate(bare::SHELL, setup.burst, 4)?;
            let ours = burst(setup, &stage, "off")?;
            figures[0].ratio(ours, limit);
            Ok(())
        })?;
        all.extend(figures);
    }
    if setup.wants("R2") {
        let what = "burst, sandbox full ÷ bwrap --unshare-all loop";
        let mut figures = [Figure::new("R2", what, "×", Bar::at_least(1.2, 1.8))];
        setup.rounds(&mut figures, |_, figures| {
            let ours = burst(setup, &stage, "full")?;
            let peer = bare::rate(bare::BWRAP, BWRAP_COUNT.min(setup.burst), 4)?;
            figures[0].ratio(ours, peer);
            Ok(())
        })?;
        all.extend(figures);
    }
    Ok(all)
}

/// Runs a second, from the first dispatch until the last run is seen to be over. A server that
/// only accepts takes one trigger for each tenant and is stopped; the one that is started then
/// finds them all waiting.
pub(crate) fn burst(setup: &Setup, stage: &Scenario, sandbox: &str) -> anyhow::Result<f64> {
    let options = options(setup, stage, sandbox);
    let triggers = accept(options.start()?, stage)?;
    let roles = "api,scheduler,builder,runner";
    let served = ProductOptions { roles, ..options }.start()?;
    let rate = work_off(&served, &triggers)?;
    served.stop()?;
    Ok(rate)
}

/// A server that only accepts.
pub(crate) fn options<'a>(
    setup: &'a Setup,
    stage: &'a Scenario,
    sandbox: &'a str,
) -> ProductOptions<'a> {
    ProductOptions {
        binary: &setup.binary,
        data_dir: &stage.data_dir,
        database_url: None,
        roles: "api",
        sandbox,
        run_slots: setup.run_slots,
        pinned: false,
    }
}

/// One trigger for each tenant, by a server that is stopped then; their ids in order.
pub(crate) fn accept(accepting: Served, stage: &Scenario) -> anyhow::Result<Vec<u64>> {
    let triggers = scenario::each(&accepting.address, &stage.tenants, |client, tenant| {
        scenario::sync(client, *tenant)
    })?;
    accepting.stop()?;
    let mut numbers: Vec<u64> = triggers
        .iter()
        .map(|id| id.parse())
        .collect::<Result<_, _>>()?;
    numbers.sort_unstable();
    Ok(numbers)
}

/// Waits until a server has worked off the triggers that it found, and looks at every run; answers
/// how many a second.
pub(crate) fn work_off(served: &Served, triggers: &[u64]) -> anyhow::Result<f64> {
    let mut client = Client::connect(&served.address)?;
    for trigger in triggers.iter().rev().take(LAST).rev() {
        scenario::wait_for(&mut client, &trigger.to_string())?;
    }
    let seen = SystemTime::now().duration_since(UNIX_EPOCH)?;
    for trigger in triggers {
        scenario::wait_for(&mut client, &trigger.to_string())?;
    }
    let runs = newest(&mut client, triggers.len())?;
    let (first, last) = check(&runs, triggers)?;
    let ids: Vec<i64> = runs.iter().filter_map(|run| run["id"].as_i64()).collect();
    // A fresh look at every log: a run whose log cannot be read is not over.
    scenario::each(&served.address, &ids, |client, run| {
        let log = scenario::log(client, *run)?;
        ensure!(log.contains("variables:"), "run {run} has no log: {log}");
        Ok(())
    })?;
    let taken = seen.max(last).saturating_sub(first);
    Ok(runs.len() as f64 / taken.as_secs_f64())
}

fn newest(client: &mut Client, count: usize) -> anyhow::Result<Vec<Value>> {
    let mut runs = Vec::with_capacity(count);
    while runs.len() < count {
        let limit = (count - runs.len()).min(500);
        let path = format!("/v2/runs?limit={limit}&skip={}", runs.len());
        let page = client.get(&path)?.json()?;
        let page = page.as_array().context("runs are a list")?;
        ensure!(!page.is_empty(), "there are only {} runs", runs.len());
        runs.extend(page.iter().cloned());
    }
    Ok(runs)
}

/// Each trigger has a run of its own that succeeded; answers when the first began and the last
/// ended.
fn check(runs: &[Value], triggers: &[u64]) -> anyhow::Result<(Duration, Duration)> {
    let mut taken: Vec<u64> = Vec::with_capacity(runs.len());
    let (mut first, mut last) = (Duration::MAX, Duration::ZERO);
    for run in runs {
        ensure!(run["status"]["phase"] == "Succeeded", "{run}");
        ensure!(run["std_out"] == "hi", "{run}");
        taken.push(
            run["triggers"][0]["id"]
                .as_u64()
                .context("a run has a trigger")?,
        );
        first = first.min(instant(&run["started_date"])?);
        last = last.max(instant(&run["completed_date"])?);
    }
    taken.sort_unstable();
    ensure!(taken == triggers, "the runs are not those of the triggers");
    Ok((first, last))
}

/// Since 1970, of `2026-11-23T20:00:00.000Z`.
fn instant(value: &Value) -> anyhow::Result<Duration> {
    let text = value.as_str().context("a time is a text")?;
    let number = |from: usize, to: usize| -> anyhow::Result<u64> {
        Ok(text
            .get(from..to)
            .context("a time is long enough")?
            .parse()?)
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    // Days since 1970, counted in years that begin in March.
    let shifted = if month > 2 { year } else { year - 1 };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + of_year - 719_468;
    let seconds = ((days * 24 + number(11, 13)?) * 60 + number(14, 16)?) * 60 + number(17, 19)?;
    let fraction = text.get(19..).and_then(|rest| rest.strip_prefix('.'));
    let digits = fraction.unwrap_or_default().trim_end_matches('Z');
    let millis: u64 = format!("{digits:0<3}")[..3].parse()?;
    Ok(Duration::from_millis(seconds * 1000 + millis))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::instant;

    #[test]
    fn a_time_is_read_to_the_millisecond() {
        let millis = |text: &str| instant(&json!(text)).unwrap().as_millis();
        assert_eq!(millis("1970-01-01T00:00:00.001Z"), 1);
        assert_eq!(millis("2026-11-23T20:00:00.250Z"), 1_795_464_000_250);
        assert_eq!(millis("2024-02-29T00:00:00Z"), 1_709_164_800_000);
    }
}
