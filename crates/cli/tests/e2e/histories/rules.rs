//! What must hold of a whole history, by the documents alone.

use std::collections::BTreeMap;

use serde_json::Value;

use super::facts::{FOR_EVER, phase_of, triggers_of};
use super::{History, PATIENT_LIMIT};

impl History {
    pub(super) fn check_all(&self) {
        self.check_triggers();
        for (tenant, _) in &self.facts.tenants {
            self.check_order(*tenant);
            self.check_states(*tenant);
        }
        for (id, run) in &self.facts.runs {
            self.check_bundle(*id, run);
            self.check_phase(*id, run);
            let expected = usize::from(self.must_be_repeated(*id, run));
            assert_eq!(
                self.repetitions(*id).len(),
                expected,
                "repetitions of {run}"
            );
        }
        self.check_processes();
    }

    /// Each accepted trigger was cancelled, or taken by one run; and nothing else was.
    fn check_triggers(&self) {
        let mut taken: BTreeMap<i64, usize> = BTreeMap::new();
        for trigger in self.facts.runs.values().flat_map(triggers_of) {
            *taken.entry(trigger).or_default() += 1;
        }
        for (trigger, asked) in &self.facts.asked {
            let runs = taken.remove(trigger).unwrap_or(0);
            assert_eq!(
                runs,
                usize::from(!asked.is_cancelled),
                "{trigger}: {asked:?}"
            );
        }
        // What is left is asked for by the platform itself, which `check_all` counts.
        assert!(taken.values().all(|runs| *runs == 1), "{taken:?}");
    }

    /// Without cron and webhooks there is one order of arrival.
    fn check_order(&self, tenant: i64) {
        let runs: Vec<&Value> = self.facts.runs_of(tenant).map(|(_, run)| run).collect();
        let order: Vec<i64> = runs.iter().flat_map(|run| triggers_of(run)).collect();
        assert!(order.is_sorted(), "tenant {tenant}: {order:?}");
    }

    /// `init` is with `init` alone, and a rerun with nothing.
    fn check_bundle(&self, id: i64, run: &Value) {
        let triggers = triggers_of(run);
        assert_eq!(
            run["rerun_of"].is_number(),
            self.facts.is_repetition(run) || self.facts.rerun_of(id).is_some()
        );
        if run["rerun_of"].is_number() {
            assert_eq!(triggers.len(), 1, "{run}");
            return;
        }
        for trigger in triggers {
            assert_eq!(run["mode"], self.facts.asked[&trigger].mode, "{run}");
        }
    }

    /// How it ended, and why it could.
    fn check_phase(&self, id: i64, run: &Value) {
        let (stay, fails) = self.facts.wish_of(id);
        let endless = stay >= FOR_EVER;
        let is_short = !self.facts.is_patient(run);
        let message = run["message"].as_str().unwrap_or_default();
        let allowed = match phase_of(run) {
            "Succeeded" => !fails && !endless,
            "Failed (Integration Issue)" => fails && !endless,
            // A busy machine may need a second for the shortest run.
            "Failed (Timeout)" => is_short,
            "Cancelled" => self.facts.cancels.contains(&id),
            "Failed (Platform Issue)" => message.contains("was lost"),
            _ => false,
        };
        assert!(allowed, "stays {stay}, fails {fails}: {run}");
    }

    /// Each run sees the count of the last one that was saved, or what was set since.
    fn check_states(&self, tenant: i64) {
        let mut state: Option<i64> = None;
        let mut seen: BTreeMap<i64, Option<i64>> = BTreeMap::new();
        let mut newest = 0;
        for (id, run) in self.facts.runs_of(tenant) {
            let set = self.facts.states.iter();
            let mut set = set.filter(|(of, after, _)| *of == tenant && *after == newest);
            state = set.next_back().map(|(_, _, count)| *count).or(state);
            newest = id;
            let rerun = self.facts.rerun_of(id);
            let former = rerun.filter(|rerun| rerun.has_original_state);
            let given = former.map_or(state, |rerun| seen[&rerun.of]);
            seen.insert(id, given);
            if phase_of(run) != "Succeeded" {
                continue;
            }
            let printed = printed(run).expect("it has printed JSON");
            assert_eq!(printed["seen"].as_i64(), given, "{run}");
            let shown = triggers_of(&self.facts.runs[&self.facts.first_of(id)]);
            assert_eq!(printed["ids"], Value::from(shown), "{run}");
            if rerun.is_none_or(|rerun| rerun.is_saved) {
                state = printed["count"].as_i64();
            }
        }
    }

    /// Never more processes at once than there may be, of a tenant and of the patient integration, by
    /// the clock of those that have told.
    fn check_processes(&self) {
        for (tenant, _) in &self.facts.tenants {
            let runs = self.facts.runs_of(*tenant).map(|(_, run)| run);
            assert!(most_at_once(runs) <= 1, "processes of tenant {tenant}");
        }
        let runs = self.facts.runs.values();
        let runs = runs.filter(|run| self.facts.is_patient(run));
        assert!(most_at_once(runs) <= PATIENT_LIMIT);
    }
}

fn printed(run: &Value) -> Option<Value> {
    serde_json::from_str(run["std_out"].as_str()?).ok()
}

fn most_at_once<'a>(runs: impl Iterator<Item = &'a Value>) -> usize {
    let spans = runs.filter_map(printed).map(|told| {
        let at = |name: &str| told[name].as_f64().expect("it tells the time");
        (at("began"), at("ended"))
    });
    let spans: Vec<(f64, f64)> = spans.collect();
    let at_begin = spans.iter().map(|(begin, _)| {
        let over = spans.iter().filter(|it| it.0 <= *begin && *begin < it.1);
        over.count()
    });
    at_begin.max().unwrap_or(0)
}
