//! How runs that a test has taken end.

use marquetry_app::learned::{self, Learned};
use marquetry_app::logs::LogEnd;
use marquetry_app::releases;
use marquetry_app::run_engine::{Finished, RunEnd, runs_finish};
use marquetry_model::{Outcome, Phase, Run, RunUsage};
use marquetry_store::runs::Claimer;

use crate::inside::{Inside, RunClaim};

/// The number of a chunk of a log behind all that a test writes.
const BEHIND: i64 = 1_000;

impl Inside {
    /// Ends a run that was taken, well.
    pub async fn end_run(&self, run: &Run, claim: &RunClaim, std_out: &str) {
        let end = (run.clone(), claim.clone(), well(std_out));
        let finished = self.finish_runs(vec![end], None).await;
        assert_eq!(finished.kept, [true], "the claim holds");
    }

    /// Ends a run that was taken because its node cannot go on.
    pub async fn cut_off_run(&self, run: &Run, claim: &RunClaim) {
        let outcome = Outcome::platform("the server was stopped while this ran".to_owned());
        let mut judged = Judged::new(self, run.clone(), claim.clone(), outcome).await;
        judged.cut_off = Some("the server was stopped while this ran");
        let finished = runs_finish(&self.system(), vec![judged.as_end()], None).await;
        assert_eq!(finished.unwrap().kept, [true], "the claim holds");
    }

    /// Ends runs at once, well, and takes what waits for this many places.
    pub async fn end_runs(&self, runs: &[(Run, RunClaim)], places: usize) -> Finished {
        let ends = runs.iter().cloned();
        let ends = ends.map(|(run, claim)| (run, claim, well("{}")));
        let claimer = self.claimer();
        self.finish_runs(ends.collect(), Some((&claimer, places)))
            .await
    }

    /// Wants to end runs as their node does, which takes what waits for so many places if a claimer is
    /// given.
    pub async fn finish_runs(
        &self,
        ends: Vec<(Run, RunClaim, Outcome)>,
        next: Option<(&Claimer, usize)>,
    ) -> Finished {
        let mut judged = Vec::new();
        for (run, claim, outcome) in ends {
            judged.push(Judged::new(self, run, claim, outcome).await);
        }
        let ends = judged.iter().map(Judged::as_end).collect();
        runs_finish(&self.system(), ends, next).await.unwrap()
    }
}

fn well(std_out: &str) -> Outcome {
    Outcome {
        phase: Phase::Succeeded,
        message: None,
        exit_code: Some(0),
        std_out: Some(std_out.into()),
        usage: RunUsage::default(),
    }
}

/// An end as the engine reports it.
struct Judged {
    run: Run,
    claim: RunClaim,
    outcome: Outcome,
    learned: Learned,
    cut_off: Option<&'static str>,
    log: LogEnd,
}

impl Judged {
    async fn new(inside: &Inside, run: Run, claim: RunClaim, mut outcome: Outcome) -> Self {
        let release = releases::release_get(&inside.system(), run.integration_id, run.release_id)
            .await
            .unwrap();
        let (learned, lines) = learned::judge(&release, run.mode, &mut outcome);
        let fault = outcome.message.as_ref();
        let fault = fault.map(|message| format!("{}: {message}", outcome.phase));
        let mut log = LogEnd {
            number: BEHIND,
            text: Vec::new(),
            is_at_line_start: true,
        };
        for line in lines.into_iter().chain(fault) {
            log.say(&line);
        }
        Self {
            run,
            claim,
            outcome,
            learned,
            cut_off: None,
            log,
        }
    }

    fn as_end(&self) -> RunEnd<'_> {
        RunEnd {
            cut_off: self.cut_off,
            tenant: self.run.tenant_id,
            claim: &self.claim,
            outcome: &self.outcome,
            learned: &self.learned,
            log: self.log.clone(),
        }
    }
}
