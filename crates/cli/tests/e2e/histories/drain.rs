//! The end of a history: everything that may run has run.

use std::time::{Duration, Instant};

use marquetry_testkit::eventually;

use super::History;
use super::facts::{FOR_EVER, is_over, phase_of, triggers_of};

/// Far longer than what is left can take.
const LONGEST: Duration = Duration::from_secs(90);

impl History {
    /// Resumes everything and waits until all has come to its end.
    pub(super) async fn drain(&mut self) {
        self.story.tell("drain");
        let paused: Vec<i64> = self.facts.paused.keys().copied().collect();
        for integration in paused {
            self.set_paused(integration, false).await;
        }
        let begin = Instant::now();
        loop {
            self.observe().await;
            if self.cancel_endless().await {
                continue;
            }
            if self.is_all_over() {
                return;
            }
            assert!(begin.elapsed() < LONGEST, "what waits is not run");
            self.change().await;
        }
    }

    /// Cancels patient runs that would stay for ever; answers whether there were some.
    async fn cancel_endless(&mut self) -> bool {
        let runs = self.facts.runs.iter();
        let endless = runs.filter(|(id, run)| {
            let asked = self.facts.cancels.contains(*id);
            !is_over(run)
                && !asked
                && self.facts.is_patient(run)
                && self.facts.wish_of(**id).0 >= FOR_EVER
        });
        let endless: Vec<i64> = endless.map(|(id, _)| *id).collect();
        for run in &endless {
            self.cancel(*run).await;
        }
        !endless.is_empty()
    }

    fn is_all_over(&self) -> bool {
        let taken: Vec<i64> = self.facts.runs.values().flat_map(triggers_of).collect();
        let mut asked = self.facts.asked.iter();
        let none_waits = asked.all(|(id, it)| it.is_cancelled || taken.contains(id));
        let mut tenants = self.facts.tenants.iter();
        let none_is_repeated = !tenants.any(|(tenant, _)| self.repetition_waits(*tenant));
        none_waits && none_is_repeated && self.facts.runs.values().all(is_over)
    }

    /// Whether a lost run of a tenant is still to be repeated.
    pub(super) fn repetition_waits(&self, tenant: i64) -> bool {
        let mut all = self.facts.runs_of(tenant);
        all.any(|(id, run)| self.must_be_repeated(id, run) && self.repetitions(id).is_empty())
    }

    /// By the documents: lost, of an integration that wants it, not cancelled, and not a repetition.
    pub(super) fn must_be_repeated(&self, id: i64, run: &serde_json::Value) -> bool {
        let is_lost = |run: &serde_json::Value| phase_of(run) == "Failed (Platform Issue)";
        let former = run["rerun_of"].as_i64().map(|of| &self.facts.runs[&of]);
        is_lost(run)
            && self.facts.is_patient(run)
            && !self.facts.cancels.contains(&id)
            && !former.is_some_and(is_lost)
    }

    /// The runs by which the platform repeats one.
    pub(super) fn repetitions(&self, id: i64) -> Vec<i64> {
        let all = self.facts.runs.iter();
        all.filter(|(_, run)| run["rerun_of"] == id && self.facts.is_repetition(run))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Waits until the list of runs is another one.
    async fn change(&self) {
        let server = &self.server;
        let known = &self.facts.runs;
        eventually("something goes on", || async {
            let list = server.get("/v2/runs?limit=500").await.expect(200);
            let list = list.as_array().unwrap();
            let is_known =
                |run: &serde_json::Value| known.get(&run["id"].as_i64().unwrap()) == Some(run);
            (!list.iter().all(is_known)).then_some(())
        })
        .await;
    }
}
