//! The rows against the oracle.

use marquetry_model::TenantId;

use crate::oracle::{Fate, Next, Output};
use crate::truth::Truth;
use crate::world::World;

impl World {
    /// Compares everything, after each step.
    pub(crate) async fn check(&mut self) {
        let truth = self.read().await;
        truth.check(self.oracle.triggers.keys().copied().collect());
        truth.check_since(&self.truth);
        self.check_runs(&truth);
        for id in self.oracle.tenants.keys() {
            self.check_tenant(&truth, *id);
        }
        self.truth = truth;
    }

    fn check_runs(&self, truth: &Truth) {
        assert!(
            truth.runs.keys().eq(self.oracle.runs.keys()),
            "which runs there are"
        );
        for (id, expected) in &self.oracle.runs {
            let (run, triggers) = &truth.runs[id];
            assert_eq!(triggers, &expected.triggers, "triggers of run {id}");
            let found = (run.tenant_id, run.phase, run.mode, run.cancel_requested);
            let wanted = (
                expected.tenant,
                expected.phase,
                expected.mode,
                expected.cancel_asked,
            );
            assert_eq!(found, wanted, "run {id}");
            assert_eq!(run.std_out, expected.std_out, "output of run {id}");
            assert_eq!(run.is_saved, expected.is_saved(), "run {id}");
            let of = expected.asked.as_ref().map(|asked| asked.of);
            assert_eq!(run.rerun_of, of, "run {id}");
            assert_eq!(run.completed_at.is_some(), run.phase.is_final(), "run {id}");
        }
    }

    fn check_tenant(&self, truth: &Truth, id: TenantId) {
        let tenant = &self.oracle.tenants[&id];
        let waiting = self.oracle.waiting(id);
        assert_eq!(truth.waiting[&id], waiting, "what waits for tenant {id}");
        let cancelled = self.oracle.with_fate(id, Fate::Cancelled);
        assert_eq!(truth.cancelled[&id], cancelled, "cancelled of tenant {id}");
        let state = &truth.states[&id];
        let last = (state.last_run_id, state.last_successful_run_id);
        assert_eq!(last, (tenant.last, tenant.last_successful), "tenant {id}");
        let by_hand = state.output_id.is_some();
        assert_eq!(
            by_hand,
            tenant.output != Output::OfRun,
            "state of tenant {id}"
        );
        self.check_due(truth, id);
    }

    /// What nothing but time holds is looked at when its time has come.
    fn check_due(&self, truth: &Truth, id: TenantId) {
        let idle = self.oracle.live_run(id).is_none();
        if !idle || self.oracle.integration_of(id).paused {
            return;
        }
        let now = self.now();
        let latest = match self.oracle.next(id, now) {
            Next::Nothing => return,
            Next::Later(until) => until,
            Next::Bundle(_) => now,
        };
        let due = truth.states[&id].due_at;
        let in_time = due.is_some_and(|due| due <= latest);
        assert!(in_time, "tenant {id} is due {due:?}, not {latest:?}");
    }
}
