//! What the server was asked for, and what it has answered.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Longer than any test waits.
pub(super) const FOR_EVER: f64 = 600.0;

/// A rerun that somebody asked for.
#[derive(Debug, Clone)]
pub(super) struct Rerun {
    pub(super) of: i64,
    pub(super) has_original_state: bool,
    pub(super) is_saved: bool,
}

/// A trigger that was accepted.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) tenant: i64,
    pub(super) mode: &'static str,
    pub(super) stay: f64,
    pub(super) fails: bool,
    pub(super) rerun: Option<Rerun>,
    pub(super) is_cancelled: bool,
}

/// All that is known.
#[derive(Default)]
pub(super) struct Facts {
    /// The short one and the patient one.
    pub(super) integrations: Vec<i64>,
    /// With their integrations.
    pub(super) tenants: Vec<(i64, i64)>,
    pub(super) paused_tenants: BTreeSet<i64>,
    /// Integrations that are paused, and since when whoever looks must know it.
    pub(super) paused: BTreeMap<i64, String>,
    pub(super) asked: BTreeMap<i64, Asked>,
    /// Runs whose cancelling was accepted.
    pub(super) cancels: BTreeSet<i64>,
    /// States that were set: the tenant, its newest run at that time, the count.
    pub(super) states: Vec<(i64, i64, i64)>,
    /// The runs as they were seen last.
    pub(super) runs: BTreeMap<i64, Value>,
}

impl Facts {
    pub(super) fn integration_of(&self, tenant: i64) -> i64 {
        let mut all = self.tenants.iter();
        all.find(|(id, _)| *id == tenant).expect("it is known").1
    }

    pub(super) fn is_patient(&self, run: &Value) -> bool {
        run["integration_id"] == self.integrations[1]
    }

    pub(super) fn runs_of(&self, tenant: i64) -> impl Iterator<Item = (i64, &Value)> {
        let all = self.runs.iter().map(|(id, run)| (*id, run));
        all.filter(move |(_, run)| run["tenant_id"] == tenant)
    }

    /// The run that first had the triggers that the code of this one sees.
    pub(super) fn first_of(&self, run: i64) -> i64 {
        match self.runs[&run]["rerun_of"].as_i64() {
            Some(of) => self.first_of(of),
            None => run,
        }
    }

    /// What the payloads of a run want of it: how long it stays, and whether it fails.
    pub(super) fn wish_of(&self, run: i64) -> (f64, bool) {
        let first = triggers_of(&self.runs[&self.first_of(run)]);
        let wishes = first.iter().map(|id| &self.asked[id]);
        let stay = wishes.clone().map(|asked| asked.stay).fold(0.0, f64::max);
        (stay, wishes.clone().any(|asked| asked.fails))
    }

    /// The rerun that somebody asked for; what the platform repeats is asked for in the same way.
    pub(super) fn rerun_of(&self, run: i64) -> Option<&Rerun> {
        let trigger = triggers_of(&self.runs[&run])[0];
        match self.asked.get(&trigger) {
            Some(asked) => asked.rerun.as_ref(),
            None => self.rerun_of(self.runs[&run]["rerun_of"].as_i64()?),
        }
    }

    /// Whether the platform itself asked for a run.
    pub(super) fn is_repetition(&self, run: &Value) -> bool {
        !self.asked.contains_key(&triggers_of(run)[0])
    }
}

/// Its own triggers, in order of arrival.
pub(super) fn triggers_of(run: &Value) -> Vec<i64> {
    let all = run["triggers"].as_array().expect("a run has triggers");
    all.iter().filter_map(|it| it["id"].as_i64()).collect()
}

pub(super) fn phase_of(run: &Value) -> &str {
    run["status"]["phase"].as_str().unwrap_or_default()
}

pub(super) fn is_over(run: &Value) -> bool {
    !matches!(phase_of(run), "Pending" | "Running")
}
