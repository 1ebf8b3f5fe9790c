//! Whom a step is about, where that is not any tenant or integration.

use std::time::Duration;

use marquetry_model::{IntegrationId, Mode, Phase, RunId, Source, TenantId};

use crate::world::World;

const ENDS: [Phase; 7] = [
    Phase::Succeeded,
    Phase::Succeeded,
    Phase::Succeeded,
    Phase::FailedIntegration,
    Phase::FailedTimeout,
    Phase::FailedPlatform,
    Phase::FailedRefresh,
];

impl World {
    pub(crate) async fn look(&mut self, at: usize) {
        self.take(at).await;
    }

    pub(crate) async fn accept_any(&mut self, tenant: TenantId) {
        let (source, mode) = self
            .random
            .pick(&[
                (Source::Api, Mode::Normal),
                (Source::Api, Mode::Normal),
                (Source::Api, Mode::Init),
                (Source::Manual, Mode::Normal),
                (Source::Manual, Mode::Init),
                (Source::Webhook, Mode::Webhook),
                (Source::Webhook, Mode::Webhook),
            ])
            .expect("there are some");
        for _ in 0..=self.random.below(3) {
            self.accept(tenant, source, mode).await;
        }
    }

    pub(crate) async fn end_any(&mut self, takes_next: bool) {
        let held: Vec<(usize, usize)> = (0..2)
            .flat_map(|at| (0..self.nodes[at].held.len()).map(move |which| (at, which)))
            .collect();
        let Some((at, which)) = self.random.pick(&held) else {
            return;
        };
        let mut ends = vec![(which, self.phase_of(at, which))];
        // Those behind it may have ended at nearly the same time; each leaves the list of its node.
        for which in (which..self.nodes[at].held.len()).skip(1) {
            if self.random.once_in(3) {
                let which_then = which - ends.len();
                ends.push((which_then, self.phase_of(at, which)));
            }
        }
        self.end(at, ends, takes_next).await;
    }

    fn phase_of(&mut self, at: usize, which: usize) -> Phase {
        let run = self.nodes[at].held[which].run.id;
        // Its process may also have ended before it heard that it shall.
        if self.oracle.runs[&run].cancel_asked && !self.random.once_in(3) {
            return Phase::Cancelled;
        }
        self.random.pick(&ENDS).expect("there are some")
    }

    pub(crate) async fn cancel_any_trigger(&mut self) {
        let all: Vec<_> = self.oracle.triggers.keys().copied().collect();
        let newest = &all[all.len().saturating_sub(12)..];
        if let Some(trigger) = self.random.pick(newest) {
            self.cancel_trigger(trigger).await;
        }
    }

    fn any_run(&mut self, newest: usize) -> Option<RunId> {
        let all: Vec<_> = self.oracle.runs.keys().copied().collect();
        self.random.pick(&all[all.len().saturating_sub(newest)..])
    }

    /// Mostly one that is live.
    pub(crate) async fn cancel_any_run(&mut self) {
        let live = self.oracle.runs.iter();
        let live = live.filter(|(_, run)| !run.phase.is_final());
        let live: Vec<RunId> = live.map(|(id, _)| *id).collect();
        let chosen = match self.random.pick(&live) {
            Some(run) if !self.random.once_in(4) => Some(run),
            _ => self.any_run(5),
        };
        if let Some(run) = chosen {
            self.cancel_run(run).await;
        }
    }

    pub(crate) async fn rerun_any(&mut self) {
        if let Some(run) = self.any_run(20) {
            self.rerun(run).await;
        }
    }

    pub(crate) async fn schedules(&mut self, number: usize) {
        self.pass(Duration::from_secs(10 * number as u64)).await;
        self.fire().await;
    }

    /// A node stands still for so long that its leases may end; then it goes on, sometimes at once.
    pub(crate) async fn stand_still(&mut self, number: usize) {
        self.freeze(number % 2);
        let seconds = self.random.below(70) as u64;
        self.pass(Duration::from_secs(seconds)).await;
        if number > 0 {
            self.reap(None).await;
            self.check().await;
        }
        let late = self.random.below(5);
        self.late(late).await;
    }

    pub(crate) async fn restart(&mut self, at: usize) {
        self.freeze(at);
        self.reap(Some(at)).await;
    }

    /// What a node says whose heartbeats had stopped.
    pub(crate) async fn late(&mut self, number: usize) {
        let at = number % 2;
        let count = self.nodes[at].late.len();
        if count == 0 {
            return;
        }
        let which = self.random.below(count);
        if number < 3 {
            let phase = self.random.pick(&ENDS).expect("there are some");
            self.end_late(at, which, phase).await;
        } else {
            self.beat_late(at, which).await;
        }
    }

    /// A node of an older version makes a run that it has no place for.
    pub(crate) async fn leave(&mut self, tenant: TenantId) {
        let integration = self.oracle.integration_of(tenant);
        let held = integration.paused
            || integration.limit.is_some()
            || self.oracle.tenants[&tenant].paused;
        if held || self.oracle.live_run(tenant).is_some() {
            return;
        }
        if let Some(run) = self.inside.leave_pending(tenant).await {
            let first = self.oracle.waiting(tenant)[0];
            let seen = self.oracle.seen_now(tenant);
            self.oracle
                .made(run.id, tenant, vec![first], Phase::Pending, &seen);
        }
    }

    /// Not the last one, and seldom: with all of them gone there would be no history.
    pub(crate) async fn archive_all(&mut self, integration: IntegrationId, number: usize) {
        let mut all = self.oracle.integrations.iter();
        let has_other = all.any(|(id, it)| *id != integration && !it.archived);
        if has_other && number == 0 {
            self.archive_integration(integration).await;
        }
    }
}
