//! Which runs may start, of what, and what they see.

use marquetry_app::jobs::RunJob;
use marquetry_model::{Mode, Phase, RunId, Source, TenantId, Timestamp, TriggerId};
use serde_json::Value;

use super::{Asked, Fate, MOST_IN_BUNDLE, Oracle, Run, Seen, State};

/// What a tenant's queue asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing waits that may run.
    Nothing,
    /// Not before this time.
    Later(Timestamp),
    /// These, now.
    Bundle(Vec<TriggerId>),
}

impl Oracle {
    /// The next bundle of a tenant: cron first and alone, then the rest in order of arrival, where
    /// `init` is with nothing but `init`, and a rerun alone.
    pub(crate) fn next(&self, tenant: TenantId, now: Timestamp) -> Next {
        let paused = self.tenants[&tenant].paused;
        let waiting = self.waiting(tenant).into_iter();
        let of = |id: &TriggerId| &self.triggers[id];
        let (cron, other): (Vec<TriggerId>, Vec<TriggerId>) =
            waiting.partition(|id| of(id).source == Source::Cron);
        if !paused && !cron.is_empty() {
            return Next::Bundle(cron.into_iter().take(MOST_IN_BUNDLE).collect());
        }
        let mut bundle: Vec<TriggerId> = Vec::new();
        for id in other {
            if paused && of(&id).source == Source::Webhook {
                continue;
            }
            if let Some(first) = bundle.first() {
                let alone = of(first).asked.is_some() || of(&id).asked.is_some();
                let mixes = (of(first).mode == Mode::Init) == (of(&id).mode == Mode::Init);
                if alone || !mixes || bundle.len() == MOST_IN_BUNDLE {
                    break;
                }
            }
            bundle.push(id);
        }
        let Some(first) = bundle.first() else {
            return Next::Nothing;
        };
        let open_until = of(first).at.as_millis() + self.integration_of(tenant).debounce_ms;
        if now.as_millis() < open_until {
            return Next::Later(Timestamp::from_millis(open_until));
        }
        Next::Bundle(bundle)
    }

    /// Whether a tenant has to wait for something else than time.
    pub(crate) fn is_held(&self, tenant: TenantId) -> bool {
        let integration = self.integration_of(tenant);
        let live = self.live_of(self.tenants[&tenant].integration);
        let is_full = integration.limit.is_some_and(|limit| live >= limit);
        integration.paused || is_full || self.live_run(tenant).is_some()
    }

    /// The bundle that dispatch must make a run of now, if it has a place for it.
    pub(crate) fn ready(&self, tenant: TenantId, now: Timestamp) -> Option<Vec<TriggerId>> {
        if self.is_held(tenant) {
            return None;
        }
        match self.next(tenant, now) {
            Next::Bundle(bundle) => Some(bundle),
            Next::Nothing | Next::Later(_) => None,
        }
    }

    /// A node was given a run.
    pub(crate) fn started(&mut self, job: &RunJob, now: Timestamp) {
        let (id, tenant) = (job.run.id, job.run.tenant_id);
        if let Some(run) = self.runs.get(&id) {
            assert_eq!(run.phase, Phase::Pending, "run {id} starts once");
            assert!(!self.integration_of(tenant).paused, "run {id}: paused");
            let region = self.tenants[&tenant].region.clone();
            self.run(id).region = region;
            self.run(id).phase = Phase::Running;
        } else {
            let bundle = self.ready(tenant, now);
            let bundle = bundle.unwrap_or_else(|| panic!("run {id} of {tenant} may not start now"));
            self.made(id, tenant, bundle, Phase::Running, &seen_by(job));
        }
        let run = &self.runs[&id];
        let shown: Vec<TriggerId> = job.triggers.iter().map(|it| it.id).collect();
        assert_eq!(shown, run.shown, "run {id} shows its triggers");
        assert_eq!(job.run.mode, run.mode, "the mode of run {id}");
        let region = job.tenant.configs.get("region").and_then(Value::as_str);
        assert_eq!(region, Some(run.region.as_str()), "settings of run {id}");
        assert_eq!(seen_by(job), run.seen, "state of run {id}");
        let known = &self.tenants[&tenant].metadata;
        assert_eq!(&job.metadata, known, "metadata of run {id}");
    }

    /// A run was made of these triggers; `seen` is what it is told, where that is not promised.
    pub(crate) fn made(
        &mut self,
        id: RunId,
        tenant: TenantId,
        bundle: Vec<TriggerId>,
        phase: Phase,
        seen: &Seen,
    ) {
        let asked = self.triggers[&bundle[0]].asked.clone();
        let seen = self.seen_by_rule(tenant, asked.as_ref(), seen);
        for trigger in &bundle {
            self.fate(*trigger, Fate::Taken(id));
        }
        let first = asked.as_ref().map(|asked| &self.runs[&asked.of]);
        let mode = first.map_or_else(|| self.mode_of(&bundle), |first| first.mode);
        let shown = first.map_or_else(|| bundle.clone(), |first| first.shown.clone());
        let region = asked.as_ref().and_then(|asked| asked.region.clone());
        let run = Run {
            tenant,
            phase,
            mode,
            triggers: bundle,
            shown,
            region: region.unwrap_or_else(|| self.tenants[&tenant].region.clone()),
            asked,
            seen,
            std_out: None,
            cancel_asked: false,
            lease: None,
        };
        self.runs.insert(id, run);
    }

    fn seen_by_rule(&self, tenant: TenantId, asked: Option<&Asked>, told: &Seen) -> Seen {
        match asked.map(|asked| &asked.state) {
            None | Some(State::Current) => self.seen_now(tenant),
            Some(State::Of(seen)) => seen.clone(),
            Some(State::ByHand(state)) => Seen {
                state: Some(state.clone()),
                ..told.clone()
            },
        }
    }

    fn mode_of(&self, bundle: &[TriggerId]) -> Mode {
        let has = |mode| bundle.iter().any(|id| self.triggers[id].mode == mode);
        if has(Mode::Init) {
            Mode::Init
        } else if has(Mode::Webhook) {
            Mode::Webhook
        } else {
            Mode::Normal
        }
    }
}

/// What a run is told of former runs.
pub(crate) fn seen_by(job: &RunJob) -> Seen {
    let successful = job.last_successful.as_ref();
    let printed = successful.and_then(|run| run.std_out.clone());
    Seen {
        last: job.last.as_ref().map(|run| run.id),
        last_successful: successful.map(|run| run.id),
        state: job.output.clone().unwrap_or(printed),
    }
}
