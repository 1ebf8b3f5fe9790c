//! The rows, as they are, and what must hold of them whatever the history was.

use std::collections::{BTreeMap, BTreeSet};

use marquetry_model::{PageRequest, Phase, Run, RunId, TenantId, TriggerId};
use marquetry_store::runs::RunFilter;
use marquetry_store::tenant_states::{self, TenantState};
use marquetry_store::{run_views, triggers};

use crate::world::World;

/// All that histories are about.
#[derive(Default)]
pub(crate) struct Truth {
    pub(crate) runs: BTreeMap<RunId, (Run, Vec<TriggerId>)>,
    pub(crate) waiting: BTreeMap<TenantId, Vec<TriggerId>>,
    pub(crate) cancelled: BTreeMap<TenantId, Vec<TriggerId>>,
    pub(crate) states: BTreeMap<TenantId, TenantState>,
}

impl Truth {
    /// Each trigger is in one place, each tenant has one live run at most, and the counts agree.
    pub(crate) fn check(&self, accepted: BTreeSet<TriggerId>) {
        let waiting = self.waiting.values().flatten();
        let cancelled = self.cancelled.values().flatten();
        let taken = self.runs.values().flat_map(|(_, triggers)| triggers);
        let mut places: Vec<TriggerId> = waiting.chain(cancelled).chain(taken).copied().collect();
        places.sort_unstable();
        let accepted = Vec::from_iter(accepted);
        assert_eq!(places, accepted, "each accepted trigger is in one place");
        for (tenant, state) in &self.states {
            let of_it = |run: &&Run| run.tenant_id == *tenant && !run.phase.is_final();
            let live = self.runs.values().map(|(run, _)| run).filter(of_it);
            let live: Vec<RunId> = live.map(|run| run.id).collect();
            let known = Vec::from_iter(state.current_run_id);
            assert_eq!(live, known, "live runs of tenant {tenant}");
            let waiting = i64::try_from(self.waiting[tenant].len()).unwrap();
            assert_eq!(state.waiting, waiting, "what waits for tenant {tenant}");
        }
    }

    /// Runs go the way that they may go, and one that is over never changes.
    pub(crate) fn check_since(&self, before: &Self) {
        for (id, (old, triggers)) in &before.runs {
            let (run, now) = &self.runs[id];
            assert_eq!(now, triggers, "run {id} keeps its triggers");
            let allowed = if old.phase.is_final() {
                run == old
            } else if old.phase == Phase::Running {
                run.phase != Phase::Pending && run.attempt == old.attempt
            } else {
                run.phase != Phase::Pending || run == old
            };
            assert!(allowed, "from {old:?} to {run:?}");
        }
        for (tenant, cancelled) in &before.cancelled {
            let still = &self.cancelled[tenant];
            let all = cancelled.iter().all(|id| still.contains(id));
            assert!(all, "what is cancelled stays so");
        }
    }
}

impl World {
    pub(crate) async fn read(&self) -> Truth {
        let mut truth = Truth::default();
        let mut tx = self.inside.app.store.read().await.unwrap();
        let page = PageRequest {
            limit: 500,
            ..PageRequest::default()
        };
        let views = run_views::list(&mut tx, &RunFilter::default(), &page).await;
        for view in views.unwrap().items {
            let triggers = view.triggers.iter().map(|head| head.id).collect();
            truth.runs.insert(view.run.id, (view.run, triggers));
        }
        for id in self.oracle.tenants.keys().copied() {
            let waiting = triggers::list_waiting(&mut tx, &[id]).await.unwrap();
            let waiting = waiting.into_iter().map(|(_, it)| it.id).collect();
            let cancelled = triggers::list_cancelled(&mut tx, id, 500).await.unwrap();
            let cancelled = cancelled.into_iter().map(|(id, _)| id).rev().collect();
            let state = tenant_states::get(&mut tx, id).await.unwrap();
            truth.waiting.insert(id, waiting);
            truth.cancelled.insert(id, cancelled);
            truth.states.insert(id, state);
        }
        truth
    }

    /// What waits for a tenant that nobody has told the oracle of.
    pub(crate) async fn newcomers(&self, id: TenantId) -> Vec<TriggerId> {
        let mut tx = self.inside.app.store.read().await.unwrap();
        let waiting = triggers::list_waiting(&mut tx, &[id]).await.unwrap();
        let waiting = waiting.into_iter().map(|(_, it)| it.id);
        waiting
            .filter(|id| !self.oracle.triggers.contains_key(id))
            .collect()
    }
}
