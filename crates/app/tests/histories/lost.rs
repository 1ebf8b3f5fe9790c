//! Nodes that are lost, and what the others make of it.

use std::collections::BTreeSet;
use std::time::Duration;

use marquetry_app::run_engine::{Lost, runs_reap};
use marquetry_model::{Phase, RunId};

use crate::world::World;

/// Lost runs are closed so long after their lease at the latest (`docs/guarantees.md`).
const LATEST: Duration = Duration::from_secs(60);

impl World {
    /// A node stands still, or is lost: its runs get no heartbeats any more.
    pub(crate) fn freeze(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.late.append(&mut node.held);
    }

    /// Closes what is lost: what stands under the name of the node that starts, and what has a lease
    /// that ended, in time and not before.
    pub(crate) async fn reap(&mut self, starting: Option<usize>) {
        let now = self.now();
        let starting = starting.map(|at| self.nodes[at].name);
        let (mut running, mut must, mut may) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for (id, run) in &self.oracle.runs {
            let Some((node, until)) = run.lease.filter(|_| run.phase == Phase::Running) else {
                continue;
            };
            running.push(*id);
            let its_own = starting == Some(node);
            if its_own || (starting.is_none() && until.plus(LATEST) < now) {
                must.insert(*id);
            }
            if its_own || (starting.is_none() && until < now) {
                may.insert(*id);
            }
        }
        let which = starting.map_or(Lost::Overdue(&[]), |node| Lost::Of(node, &[]));
        let count = runs_reap(&self.ctx(), which).await.unwrap();
        let truth = self.read().await;
        running.retain(|id| truth.runs[id].0.phase.is_final());
        let closed: BTreeSet<RunId> = running.into_iter().collect();
        assert_eq!(closed.len(), count);
        assert!(
            must.is_subset(&closed),
            "{must:?} are lost, {closed:?} closed"
        );
        assert!(closed.is_subset(&may), "{closed:?} closed, {may:?} may be");
        // They are asked for again in the order of their tenants.
        let mut closed: Vec<_> = closed
            .into_iter()
            .map(|id| (self.oracle.runs[&id].tenant, id))
            .collect();
        closed.sort_unstable();
        for (tenant, id) in closed {
            if let Some(asked) = self.oracle.lost(id) {
                self.find_repetition(tenant, asked).await;
            }
        }
    }
}
