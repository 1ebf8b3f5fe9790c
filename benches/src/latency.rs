//! R3 and R5: one run after another, from the request until status and log are seen.

use std::process::Command;
use std::time::Instant;

use anyhow::ensure;

use crate::bare;
use crate::client::Client;
use crate::product::{ProductOptions, Served};
use crate::report::{Bar, Figure, median};
use crate::scenario::{self, Job, Scenario};
use crate::setup::{Setup, say};

const COUNT: usize = 300;
/// A start of Node takes as long as fifty of a shell.
const NODE_COUNT: usize = 100;
const NODE_TURN: usize = 5;
/// The run does what the peer does, as a file: options of Node's are not for one that was started
/// ahead.
const NODE_JOB: Job = Job {
    base: "node:20",
    run: "node main.js",
};

pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let folder = setup.work.join("latency");
    let stage = Scenario::make(&setup.binary, &folder, None, COUNT)?;
    let served = options(setup, &stage).start()?;
    let what = "trigger → visible, p50 minus bare start p50";
    let mut figures = [
        Figure::new("R3", what, "ms", Bar::at_most(1.5, 0.8)),
        Figure::note("R3", "of it: the trigger's durable accept, p50", "ms"),
        Figure::note("R3", "of it: reading the log (link and text), p50", "ms"),
    ];
    setup.rounds(&mut figures, |_, figures| {
        let mut limit = Vec::with_capacity(COUNT);
        for _ in 0..COUNT {
            limit.push(bare::once(bare::SHELL)?.as_secs_f64() * 1e3);
        }
        let (accept, whole, log) = visible(&served, &stage.tenants)?;
        let (ours, limit) = (median(&whole), median(&limit));
        figures[0].difference(ours, limit);
        figures[1].value(median(&accept));
        figures[2].value(median(&log));
        Ok(())
    })?;
    served.stop()?;
    Ok(figures.into())
}

/// R5: the same with a job of Node's, against Node alone.
pub(crate) fn measure_node(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    if bare::node().is_err() {
        say("there is no node: R5 is not measured")?;
        return Ok(Vec::new());
    }
    let folder = setup.work.join("node");
    let stage = Scenario::make_of(&NODE_JOB, &setup.binary, &folder, None, NODE_COUNT)?;
    let mut figures = Vec::new();
    let off = "Node job, sandbox off ÷ cold node -e 0, p50 (ms)";
    let ahead = "Node job, sandbox full, --prestart 2 ÷ cold node -e 0, p50 (ms)";
    for (what, prestart) in [(off, 0), (ahead, 2)] {
        let served = start_node(setup, &stage, prestart)?;
        let mut figure = [Figure::new("R5", what, "×", Bar::at_most(1.05, 0.35))];
        setup.rounds(&mut figure, |_, figure| {
            let (mut limit, mut ours) = (Vec::new(), Vec::new());
            // In small turns: the bar is closer to 1 than a machine is steady for some seconds.
            for tenants in stage.tenants.chunks(NODE_TURN) {
                for _ in tenants {
                    limit.push(bare::node()?.as_secs_f64() * 1e3);
                }
                let (_, whole, _) = visible(&served, tenants)?;
                ours.extend(whole);
            }
            figure[0].ratio(median(&ours), median(&limit));
            Ok(())
        })?;
        served.stop()?;
        figures.extend(figure);
    }
    Ok(figures)
}

fn start_node(setup: &Setup, stage: &Scenario, prestart: usize) -> anyhow::Result<Served> {
    let options = ProductOptions {
        sandbox: if prestart > 0 { "full" } else { "off" },
        ..options(setup, stage)
    };
    let mut command = Command::new(&setup.binary);
    command.env("MARQUETRY_PRESTART", prestart.to_string());
    options.start_by(command)
}

pub(crate) fn options<'a>(setup: &'a Setup, stage: &'a Scenario) -> ProductOptions<'a> {
    ProductOptions {
        binary: &setup.binary,
        data_dir: &stage.data_dir,
        database_url: None,
        roles: "api,scheduler,builder,runner",
        sandbox: "off",
        run_slots: setup.run_slots,
        pinned: false,
    }
}

type Times = (Vec<f64>, Vec<f64>, Vec<f64>);

/// How long each took from the request for it: until it was accepted, until status and log were seen, and of that the
/// log.
pub(crate) fn visible(served: &Served, tenants: &[i64]) -> anyhow::Result<Times> {
    let mut client = Client::connect(&served.address)?;
    let (mut accepts, mut wholes, mut logs) = (Vec::new(), Vec::new(), Vec::new());
    let first = scenario::last_run(&mut client)? + 1;
    for (next, tenant) in (first..).zip(tenants) {
        let begun = Instant::now();
        let ms = || begun.elapsed().as_secs_f64() * 1e3;
        let trigger = scenario::sync(&mut client, *tenant)?;
        accepts.push(ms());
        scenario::wait_for(&mut client, &trigger)?;
        let seen = ms();
        // Nobody else asks for runs, so their ids are known.
        let log = scenario::log(&mut client, next)?;
        wholes.push(ms());
        logs.push(ms() - seen);
        let said = format!("triggers {trigger} ");
        ensure!(log.contains(&said), "run {next} has another log: {log}");
    }
    Ok((accepts, wholes, logs))
}
