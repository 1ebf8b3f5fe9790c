//! What must hold of all that happened.

use std::collections::{BTreeMap, BTreeSet};

use super::witness::{Process, Seen};

/// A run as the platform tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) id: i64,
    pub(crate) tenant: i64,
    pub(crate) phase: String,
    /// Why.
    pub(crate) message: String,
    pub(crate) triggers: BTreeSet<i64>,
    /// What its output says of which run it is.
    pub(crate) output: Option<i64>,
    /// Lines of its log that its process wrote.
    pub(crate) log: Vec<String>,
    /// Lines of its log that the platform wrote.
    pub(crate) notes: Vec<String>,
}

/// All that is known in the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// Triggers that were accepted, with their tenants.
    pub(crate) accepted: BTreeMap<i64, i64>,
    pub(crate) runs: Vec<Run>,
    pub(crate) seen: Seen,
    /// Whether there were faults, so that runs may be lost.
    pub(crate) had_faults: bool,
    /// What is still there although all has ended.
    pub(crate) left: Vec<String>,
}

/// How a run ends that was not disturbed.
pub(super) const SUCCEEDED: &str = "Succeeded";
/// How a run ends that a fault has ended.
pub(super) const LOST: &str = "Failed (Platform Issue)";

/// Each sentence is a promise that was not kept.
pub(crate) fn audit(facts: &Facts) -> Vec<String> {
    let mut broken = facts.left.clone();
    triggers(facts, &mut broken);
    order(facts, &mut broken);
    phases(facts, &mut broken);
    processes(facts, &mut broken);
    states(facts, &mut broken);
    broken
}

/// Each accepted trigger is in exactly one run, and nothing else is in any.
fn triggers(facts: &Facts, broken: &mut Vec<String>) {
    let mut taken: BTreeMap<i64, Vec<&Run>> = BTreeMap::new();
    for run in &facts.runs {
        for trigger in &run.triggers {
            taken.entry(*trigger).or_default().push(run);
        }
    }
    for (trigger, tenant) in &facts.accepted {
        match taken.remove(trigger).unwrap_or_default()[..] {
            [] => broken.push(format!("trigger {trigger} was accepted and is in no run")),
            [run] if run.tenant != *tenant => {
                broken.push(format!("trigger {trigger} ran for another tenant"));
            }
            [_] => {}
            [..] => broken.push(format!("trigger {trigger} is in several runs")),
        }
    }
    let unknown = taken.keys();
    broken.extend(unknown.map(|trigger| format!("trigger {trigger} was made twice")));
}

/// What came first of a tenant ran first: numbers of triggers and of runs are given in their order.
fn order(facts: &Facts, broken: &mut Vec<String>) {
    let mut last: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    let in_order: BTreeMap<i64, &Run> = facts.runs.iter().map(|run| (run.id, run)).collect();
    for run in in_order.into_values() {
        let (Some(first), Some(newest)) = (run.triggers.first(), run.triggers.last()) else {
            continue;
        };
        if let Some((before, newer)) = last.get(&run.tenant)
            && newer > first
        {
            let id = run.id;
            broken.push(format!(
                "run {id} had trigger {first} after run {before} had {newer}"
            ));
        }
        last.insert(run.tenant, (run.id, *newest));
    }
}

/// Each run has ended, in a way that is explained.
fn phases(facts: &Facts, broken: &mut Vec<String>) {
    for run in &facts.runs {
        let is_fine = match run.phase.as_str() {
            SUCCEEDED => true,
            LOST => facts.had_faults,
            _ => false,
        };
        if !is_fine {
            let Run {
                id, phase, message, ..
            } = run;
            let log = [run.log.as_slice(), run.notes.as_slice()].concat();
            broken.push(format!(
                "run {id} ended as {phase}: {message}; log: {log:?}"
            ));
        }
    }
}

/// Each run has at most one process, which alone lived for its tenant, was told of what it was to do, and whose
/// success, output and log are the run's.
fn processes(facts: &Facts, broken: &mut Vec<String>) {
    broken.extend(
        facts
            .seen
            .unclear
            .iter()
            .map(|line| format!("a process said {line:?}")),
    );
    for (first, second) in &facts.seen.together {
        broken.push(format!(
            "runs {first} and {second} of one tenant lived together"
        ));
    }
    let mut by_run: BTreeMap<i64, &Process> = BTreeMap::new();
    for process in &facts.seen.processes {
        if by_run.insert(process.run, process).is_some() {
            broken.push(format!("run {} was started twice", process.run));
        }
    }
    for run in &facts.runs {
        let process = by_run.remove(&run.id);
        if let Some(process) = process
            && (process.tenant != run.tenant || process.triggers != run.triggers)
        {
            broken.push(format!("run {} was told of other triggers", run.id));
        }
        if run.phase == SUCCEEDED {
            success(run, process, broken);
        }
    }
    let unknown = by_run.keys();
    broken.extend(unknown.map(|run| format!("run {run} had a process and is not known")));
}

fn success(run: &Run, process: Option<&Process>, broken: &mut Vec<String>) {
    if !process.is_some_and(|process| process.is_done) {
        broken.push(format!("run {} succeeded without being done", run.id));
    }
    if run.output != Some(run.id) {
        broken.push(format!("run {} has the output of another", run.id));
    }
    let expected = [format!("one of {}", run.id), format!("two of {}", run.id)];
    if run.log != expected {
        broken.push(format!("run {} has a log of {:?}", run.id, run.log));
    }
}

/// Each process was given the output of the run before that succeeded: nobody wrote late.
fn states(facts: &Facts, broken: &mut Vec<String>) {
    let succeeded = facts.runs.iter().filter(|run| run.phase == SUCCEEDED);
    let succeeded: BTreeSet<i64> = succeeded.map(|run| run.id).collect();
    let mut last: BTreeMap<i64, i64> = BTreeMap::new();
    for process in &facts.seen.processes {
        let expected = last.get(&process.tenant).copied();
        if process.state != expected {
            broken.push(format!(
                "run {} was given the state of run {:?} and not of {expected:?}",
                process.run, process.state
            ));
        }
        if succeeded.contains(&process.run) {
            last.insert(process.tenant, process.run);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two runs of one tenant, one after the other.
    fn good() -> Facts {
        let run = |id: i64, triggers: &[i64]| Run {
            id,
            tenant: 1,
            phase: SUCCEEDED.to_owned(),
            message: String::new(),
            triggers: triggers.iter().copied().collect(),
            output: Some(id),
            log: vec![format!("one of {id}"), format!("two of {id}")],
            notes: Vec::new(),
        };
        let runs = vec![run(1, &[10]), run(2, &[11, 12])];
        let process = |run: &Run, state| Process {
            run: run.id,
            tenant: 1,
            state,
            triggers: run.triggers.clone(),
            is_done: true,
        };
        let processes = vec![process(&runs[0], None), process(&runs[1], Some(1))];
        Facts {
            accepted: [10, 11, 12].map(|trigger| (trigger, 1)).into(),
            seen: Seen {
                processes,
                ..Seen::default()
            },
            runs,
            ..Facts::default()
        }
    }

    /// What is found when this is changed.
    fn found(change: impl FnOnce(&mut Facts)) -> String {
        let mut facts = good();
        change(&mut facts);
        audit(&facts).join("; ")
    }

    #[test]
    fn what_is_as_promised_is_not_blamed() {
        assert_eq!(found(|_| {}), "");
        assert_eq!(
            found(|facts| {
                facts.had_faults = true;
                facts.runs[1].phase = LOST.to_owned();
                facts.runs[1].output = None;
                facts.seen.processes.pop();
            }),
            "",
            "a lost run may never have begun"
        );
    }

    #[test]
    fn each_broken_promise_is_found() {
        type Change = fn(&mut Facts);
        let cases: [(&str, Change); 18] = [
            ("12 was accepted and is in no run", |f| {
                f.runs[1].triggers.remove(&12);
                f.seen.processes[1].triggers.remove(&12);
            }),
            ("run 2 had trigger 10 after run 1 had 11", |f| {
                f.runs[0].triggers = [11].into();
                f.runs[1].triggers = [10, 12].into();
            }),
            ("10 is in several runs", |f| {
                f.runs[1].triggers.insert(10);
                f.seen.processes[1].triggers.insert(10);
            }),
            ("12 was made twice", |f| {
                f.accepted.remove(&12);
            }),
            ("10 ran for another tenant", |f| {
                f.accepted.insert(10, 2);
            }),
            ("run 1 ended as Running", |f| {
                f.runs[0].phase = "Running".to_owned();
            }),
            ("run 1 ended as Failed (Platform Issue)", |f| {
                f.runs[0].phase = LOST.to_owned();
            }),
            ("runs 1 and 2 of one tenant lived together", |f| {
                f.seen.together.push((1, 2));
            }),
            ("run 2 was started twice", |f| {
                let again = f.seen.processes[1].clone();
                f.seen.processes.push(again);
            }),
            ("run 2 was told of other triggers", |f| {
                f.seen.processes[1].triggers.clear();
            }),
            ("run 2 succeeded without being done", |f| {
                f.seen.processes[1].is_done = false;
            }),
            ("run 2 succeeded without being done", |f| {
                f.seen.processes.pop();
            }),
            ("run 2 has the output of another", |f| {
                f.runs[1].output = Some(1);
            }),
            ("run 2 has a log of", |f| {
                let line = f.runs[1].log[0].clone();
                f.runs[1].log.push(line);
            }),
            ("run 2 was given the state of run None", |f| {
                f.seen.processes[1].state = None;
            }),
            ("run 2 had a process and is not known", |f| {
                f.runs.pop();
            }),
            ("a process said", |f| f.seen.unclear.push("what".to_owned())),
            ("a process is left", |f| {
                f.left.push("a process is left".to_owned());
            }),
        ];
        for (expected, change) in cases {
            let found = found(change);
            assert!(found.contains(expected), "{expected}: {found:?}");
        }
    }
}
