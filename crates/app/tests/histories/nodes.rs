//! Two nodes: what they take, end, lose, and say too late.

use std::time::Duration;

use marquetry_app::dispatch::runs_take;
use marquetry_app::jobs::RunJob;
use marquetry_app::run_engine::runs_renew;
use marquetry_model::{Outcome, Phase, Run, RunId, RunUsage, Timestamp};
use marquetry_store::runs::{Claimer, RunClaim};

use crate::oracle::Next;
use crate::world::World;

/// How long a claim holds without a heartbeat (`docs/guarantees.md`).
const LEASE: Duration = Duration::from_secs(30);
/// How many runs a node executes at once.
const PLACES: usize = 3;

/// A run in the hands of a node.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) run: Run,
    pub(crate) claim: RunClaim,
}

/// A node.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) held: Vec<Held>,
    /// Runs whose heartbeats have stopped: their process is gone, or believes that it is not.
    pub(crate) late: Vec<Held>,
}

impl Node {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            held: Vec::new(),
            late: Vec::new(),
        }
    }

    pub(crate) fn free(&self) -> usize {
        PLACES - self.held.len()
    }

    pub(crate) fn claimer(&self, now: Timestamp) -> Claimer {
        Claimer {
            node: self.name.to_owned(),
            lease_until: now.plus(LEASE),
        }
    }
}

impl World {
    /// Believes that a node was given this.
    pub(crate) fn start(&mut self, at: usize, job: &RunJob) {
        let now = self.now();
        self.oracle.started(job, now);
        let node = &mut self.nodes[at];
        self.oracle.run(job.run.id).lease = Some((node.name, now.plus(LEASE)));
        let claim = RunClaim {
            id: job.run.id,
            attempt: job.run.attempt,
            node: node.name.to_owned(),
        };
        let run = job.run.clone();
        node.held.push(Held { run, claim });
        assert!(node.held.len() <= PLACES, "more than it has places for");
    }

    /// A node looks at the queue, until it has what it may have. Answers how many runs it took, and
    /// when it wants to look again.
    pub(crate) async fn take(&mut self, at: usize) -> (usize, Option<Timestamp>) {
        let mut count = 0;
        for _ in 0..20 {
            let (now, free) = (self.now(), self.nodes[at].free());
            let claimer = self.nodes[at].claimer(now);
            let taken = runs_take(&self.ctx(), &claimer, free).await.unwrap();
            assert!(taken.jobs.len() <= free);
            count += taken.jobs.len();
            for job in &taken.jobs {
                self.start(at, job);
            }
            let at_once = taken.next.is_some_and(|next| next <= now);
            if !taken.more && !at_once {
                if taken.jobs.len() < free {
                    self.check_nobody_is_forgotten(taken.next, now);
                }
                return (count, taken.next);
            }
        }
        panic!("there is always more to look at");
    }

    /// A node has a place and takes nothing: then nothing may run, and what may run at a later time
    /// is looked at by then.
    fn check_nobody_is_forgotten(&self, next: Option<Timestamp>, now: Timestamp) {
        for id in self.oracle.tenants.keys().copied() {
            let ready = self.oracle.ready(id, now);
            assert_eq!(ready, None, "tenant {id} waits although nothing holds it");
            if self.oracle.is_held(id) {
                continue;
            }
            if let Next::Later(until) = self.oracle.next(id, now) {
                let in_time = next.is_some_and(|next| next <= until);
                assert!(in_time, "tenant {id} is looked at {next:?}, not {until:?}");
            }
        }
        let runs = self.oracle.runs.iter();
        for (id, run) in runs.filter(|(_, run)| run.phase == Phase::Pending) {
            let paused = self.oracle.integration_of(run.tenant).paused;
            assert!(paused, "run {id} is left over although there is a place");
        }
    }

    /// A node moves the leases of what it has, and hears who shall stop.
    pub(crate) async fn beat(&mut self, at: usize) {
        let node = &self.nodes[at];
        let watched: Vec<RunId> = node.held.iter().map(|held| held.run.id).collect();
        if watched.is_empty() {
            return;
        }
        let (name, until) = (node.name, self.now().plus(LEASE));
        let held = runs_renew(&self.ctx(), name, &watched, until).await;
        let mut held = held.unwrap();
        held.sort_by_key(|held| held.id);
        let told: Vec<_> = held.iter().map(|it| (it.id, it.cancel_requested)).collect();
        let mut known: Vec<_> = watched
            .iter()
            .map(|id| (*id, self.oracle.runs[id].cancel_asked))
            .collect();
        known.sort_unstable();
        assert_eq!(told, known, "a node that lives holds what it has");
        for id in watched {
            self.oracle.run(id).lease = Some((name, until));
        }
    }

    /// Runs end as their node says, together; the same transaction may take what their places do next.
    pub(crate) async fn end(&mut self, at: usize, ends: Vec<(usize, Phase)>, takes_next: bool) {
        let mut wanted = Vec::new();
        let mut known = Vec::new();
        for (which, phase) in ends {
            let held = self.nodes[at].held.remove(which);
            let outcome = self.outcome(phase);
            known.push((held.run.id, judged(&outcome), outcome.std_out.clone()));
            wanted.push((held.run, held.claim, outcome));
        }
        let claimer = self.nodes[at].claimer(self.now());
        let places = wanted.len();
        let next = takes_next.then_some((&claimer, places));
        let finished = self.inside.finish_runs(wanted, next).await;
        for (kept, (run, phase, std_out)) in finished.kept.into_iter().zip(known) {
            assert!(kept, "run {run} is lost while its node lives");
            self.oracle.ended(run, phase, std_out);
        }
        assert!(finished.jobs.len() <= if takes_next { places } else { 0 });
        for job in &finished.jobs {
            self.start(at, job);
        }
    }

    /// Says too late how a run ended: it counts only if nobody has closed the run meanwhile.
    pub(crate) async fn end_late(&mut self, at: usize, which: usize, phase: Phase) {
        let held = self.nodes[at].late.remove(which);
        let run = held.run.id;
        let over = self.oracle.runs[&run].phase.is_final();
        let outcome = self.outcome(phase);
        let (phase, std_out) = (judged(&outcome), outcome.std_out.clone());
        let ended = vec![(held.run, held.claim, outcome)];
        let finished = self.inside.finish_runs(ended, None).await;
        assert_eq!(finished.kept, [!over], "the late end of run {run}");
        if !over {
            self.oracle.ended(run, phase, std_out);
        }
    }

    /// Comes back with heartbeats for a run: they count only if nobody has closed it meanwhile.
    pub(crate) async fn beat_late(&mut self, at: usize, which: usize) {
        if self.nodes[at].free() == 0 {
            return;
        }
        let held = self.nodes[at].late.remove(which);
        let over = self.oracle.runs[&held.run.id].phase.is_final();
        let (name, until) = (self.nodes[at].name, self.now().plus(LEASE));
        let found = runs_renew(&self.ctx(), name, &[held.run.id], until).await;
        assert_eq!(found.unwrap().is_empty(), over, "the late heartbeat");
        if !over {
            self.oracle.run(held.run.id).lease = Some((name, until));
            self.nodes[at].held.push(held);
        }
    }

    fn outcome(&mut self, phase: Phase) -> Outcome {
        let number = self.number();
        let object = format!(r#"{{"n":{number},"k{}":{number}}}"#, number % 3);
        let std_out = match self.random.below(10) {
            0 => None,
            1 => Some(number.to_string()),
            _ => Some(object),
        };
        Outcome {
            phase,
            message: None,
            exit_code: (phase == Phase::Succeeded).then_some(0),
            std_out,
            usage: RunUsage::default(),
        }
    }
}

/// The phase that a run has in the end: with a metadata schema, only an object or nothing is right.
fn judged(outcome: &Outcome) -> Phase {
    let is_right = outcome
        .std_out
        .as_ref()
        .is_none_or(|text| text.starts_with('{'));
    if outcome.phase == Phase::Succeeded && !is_right {
        return Phase::FailedMetadata;
    }
    outcome.phase
}
