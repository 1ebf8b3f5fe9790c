//! The simulation's answer, for people.

use std::io::Write as _;

use anyhow::Context as _;

use super::{Installation, Outcome, simulate};

/// Plays one installation and prints what came of it.
pub(crate) fn main(installation: &Installation) -> anyhow::Result<()> {
    let outcome = simulate(installation);
    write!(std::io::stdout(), "{}", text(installation, &outcome))
        .context("standard output is closed")
}

fn text(installation: &Installation, outcome: &Outcome) -> String {
    let Installation {
        tenants,
        period,
        nodes,
        node_processors,
        run_slots,
        databases,
        database_processors,
        ..
    } = installation;
    let share = |part: f64| format!("{:.0} %", part * 100.0);
    let cycles = f64::from(*tenants) / period;
    let verdict = if outcome.falls_behind {
        "FALLS BEHIND: more becomes due than is done"
    } else {
        "keeps up"
    };
    let rows = [
        (
            "tenants",
            format!("{tenants}, each every {period} s: {cycles:.0} cycles a second"),
        ),
        (
            "databases",
            format!(
                "{databases} of {database_processors} processors, in use {}",
                share(outcome.databases)
            ),
        ),
        (
            "nodes",
            format!(
                "{nodes} of {node_processors} processors, in use {}",
                share(outcome.processors)
            ),
        ),
        (
            "places",
            format!("{run_slots} on each, in use {}", share(outcome.places)),
        ),
        (
            "late p50, p99",
            format!("{:.2} s, {:.2} s", outcome.late_p50, outcome.late_p99),
        ),
        ("verdict", verdict.to_owned()),
    ];
    let lines = rows.map(|(what, value)| format!("{what:<14} {value}\n"));
    lines.concat()
}
