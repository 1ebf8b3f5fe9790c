//! How runs that a test has taken end.

use marquetry_app::learned::{self, Learned};
use marquetry_app::logs::LogEnd;
use marquetry_app::releases;
use marquetry_app::run_engine::{Finished, RunEnd, runs_finish};
use marquetry_model::{Outcome, Phase, Run, RunUsage};

use crate::inside::{Inside, RunClaim};

/// The number of a chunk of a log behind all that a test writes.
const BEHIND: i64 = 1_000;

impl Inside {
    /// Ends a run that was taken, well.
    pub async fn end_run(&self, run: &Run, claim: &RunClaim, std_out: &str) {
        let end = Ended::well(self, run, claim, std_out).await;
        let finished = runs_finish(&self.system(), vec![end.as_end()], None).await;
        assert_eq!(finished.unwrap().kept, [true], "the claim holds");
    }

    /// Ends runs at once, well, and takes what waits for this many places.
    pub async fn end_runs(&self, runs: &[(Run, RunClaim)], places: usize) -> Finished {
        let mut ended = Vec::new();
        for (run, claim) in runs {
            ended.push(Ended::well(self, run, claim, "{}").await);
        }
        let ends = ended.iter().map(Ended::as_end).collect();
        let (ctx, claimer) = (self.system(), self.claimer());
        let finished = runs_finish(&ctx, ends, Some((&claimer, places)));
        finished.await.unwrap()
    }
}

struct Ended<'a> {
    run: &'a Run,
    claim: &'a RunClaim,
    outcome: Outcome,
    learned: Learned,
    log: LogEnd,
}

impl<'a> Ended<'a> {
    async fn well(inside: &Inside, run: &'a Run, claim: &'a RunClaim, std_out: &str) -> Self {
        let mut outcome = Outcome {
            phase: Phase::Succeeded,
            message: None,
            exit_code: Some(0),
            std_out: Some(std_out.into()),
            usage: RunUsage::default(),
        };
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
            log,
        }
    }

    fn as_end(&self) -> RunEnd<'_> {
        RunEnd {
            tenant: self.run.tenant_id,
            claim: self.claim,
            outcome: &self.outcome,
            learned: &self.learned,
            log: self.log.clone(),
        }
    }
}
