//! What must be true, by the documents alone: plain lists and rules, no database, no due times.

use std::collections::BTreeMap;

use marquetry_model::{IntegrationId, Mode, Phase, RunId, Source, TenantId, Timestamp, TriggerId};
use serde_json::{Map, Value};

mod ends;
mod starts;

pub(crate) use starts::Next;

/// The most triggers of one bundle here.
pub(crate) const MOST_IN_BUNDLE: usize = 3;
/// The most triggers that wait for a tenant here.
pub(crate) const MOST_WAITING: usize = 6;

/// An integration, as far as histories depend on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Integration {
    pub(crate) paused: bool,
    pub(crate) archived: bool,
    pub(crate) repeats_lost: bool,
    pub(crate) limit: Option<usize>,
    pub(crate) debounce_ms: i64,
}

/// A tenant.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) integration: IntegrationId,
    pub(crate) paused: bool,
    pub(crate) archived: bool,
    pub(crate) region: String,
    pub(crate) has_schedule: bool,
    pub(crate) next_tick: Option<Timestamp>,
    pub(crate) last: Option<RunId>,
    pub(crate) last_successful: Option<RunId>,
    pub(crate) output: Output,
    pub(crate) metadata: Map<String, Value>,
}

/// What stands for the last successful output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Output {
    /// What that run printed.
    OfRun,
    /// What somebody put in its place.
    ByHand(Option<String>),
}

/// What became of a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Waiting,
    Cancelled,
    Taken(RunId),
}

/// A trigger that was accepted.
#[derive(Debug, Clone)]
pub(crate) struct Trigger {
    pub(crate) tenant: TenantId,
    pub(crate) source: Source,
    pub(crate) mode: Mode,
    pub(crate) at: Timestamp,
    pub(crate) asked: Option<Asked>,
    pub(crate) fate: Fate,
}

/// What a run sees of former runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) last: Option<RunId>,
    pub(crate) last_successful: Option<RunId>,
    pub(crate) state: Option<String>,
}

/// The state that somebody asked for.
#[derive(Debug, Clone)]
pub(crate) enum State {
    Current,
    /// What a former run saw.
    Of(Seen),
    /// Written by hand: which former runs are named beside it is nobody's promise.
    ByHand(String),
}

/// How a run shall be repeated.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) of: RunId,
    /// None: those that the tenant has when it runs.
    pub(crate) region: Option<String>,
    pub(crate) state: State,
    pub(crate) is_saved: bool,
}

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) tenant: TenantId,
    pub(crate) phase: Phase,
    pub(crate) mode: Mode,
    pub(crate) triggers: Vec<TriggerId>,
    /// What the code sees: of a rerun those of the first one.
    pub(crate) shown: Vec<TriggerId>,
    pub(crate) asked: Option<Asked>,
    pub(crate) region: String,
    pub(crate) seen: Seen,
    pub(crate) std_out: Option<String>,
    pub(crate) cancel_asked: bool,
    /// Who has it, and until when without a heartbeat.
    pub(crate) lease: Option<(&'static str, Timestamp)>,
}

impl Run {
    pub(crate) fn is_saved(&self) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.is_saved)
    }
}

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotFound,
    Invalid,
    Full,
    Conflict,
}

/// All that is known.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) integrations: BTreeMap<IntegrationId, Integration>,
    pub(crate) tenants: BTreeMap<TenantId, Tenant>,
    /// In order of arrival.
    pub(crate) triggers: BTreeMap<TriggerId, Trigger>,
    pub(crate) runs: BTreeMap<RunId, Run>,
}

impl Oracle {
    pub(crate) fn integration_of(&self, tenant: TenantId) -> &Integration {
        &self.integrations[&self.tenants[&tenant].integration]
    }

    pub(crate) fn tenant(&mut self, id: TenantId) -> &mut Tenant {
        self.tenants.get_mut(&id).expect("the tenant is known")
    }

    pub(crate) fn run(&mut self, id: RunId) -> &mut Run {
        self.runs.get_mut(&id).expect("the run is known")
    }

    /// What waits for a tenant, in order of arrival.
    pub(crate) fn waiting(&self, tenant: TenantId) -> Vec<TriggerId> {
        self.with_fate(tenant, Fate::Waiting)
    }

    pub(crate) fn with_fate(&self, tenant: TenantId, fate: Fate) -> Vec<TriggerId> {
        let all = self.triggers.iter();
        all.filter(|(_, it)| it.tenant == tenant && it.fate == fate)
            .map(|(id, _)| *id)
            .collect()
    }

    pub(crate) fn live_run(&self, tenant: TenantId) -> Option<RunId> {
        let mut all = self.runs.iter();
        all.find(|(_, run)| run.tenant == tenant && !run.phase.is_final())
            .map(|(id, _)| *id)
    }

    pub(crate) fn live_of(&self, integration: IntegrationId) -> usize {
        let live = self.runs.values().filter(|run| !run.phase.is_final());
        live.filter(|run| self.tenants[&run.tenant].integration == integration)
            .count()
    }

    /// What speaks against one more trigger of a tenant; an answer may name any of it.
    /// Webhooks are kept while the integration is paused.
    pub(crate) fn against(&self, tenant: TenantId, source: Source) -> Vec<Refusal> {
        let integration = self.integration_of(tenant);
        let gone = self.tenants[&tenant].archived || integration.archived;
        let full = self.waiting(tenant).len() >= MOST_WAITING;
        let all = [
            (gone, Refusal::NotFound),
            (
                integration.paused && source != Source::Webhook,
                Refusal::Invalid,
            ),
            (full, Refusal::Full),
        ];
        all.into_iter().filter(|it| it.0).map(|it| it.1).collect()
    }

    /// A trigger was accepted; what comes later has a larger id.
    pub(crate) fn accepted(&mut self, id: TriggerId, trigger: Trigger) {
        let newest = self.triggers.last_key_value().map(|(id, _)| *id);
        assert!(newest < Some(id), "{id} came after {newest:?}");
        self.triggers.insert(id, trigger);
    }

    /// The tenant's present settings for runs.
    pub(crate) fn seen_now(&self, tenant: TenantId) -> Seen {
        let tenant = &self.tenants[&tenant];
        let printed = tenant.last_successful;
        let state = match &tenant.output {
            Output::OfRun => printed.and_then(|run| self.runs[&run].std_out.clone()),
            Output::ByHand(output) => output.clone(),
        };
        Seen {
            last: tenant.last,
            last_successful: tenant.last_successful,
            state,
        }
    }

    /// Archives a tenant: what waits is cancelled.
    pub(crate) fn archive(&mut self, tenant: TenantId) {
        self.tenant(tenant).archived = true;
        self.tenant(tenant).next_tick = None;
        for id in self.waiting(tenant) {
            self.fate(id, Fate::Cancelled);
        }
    }

    pub(crate) fn fate(&mut self, id: TriggerId, fate: Fate) {
        let trigger = self.triggers.get_mut(&id).expect("it was accepted");
        assert_eq!(trigger.fate, Fate::Waiting, "{id} has its fate already");
        trigger.fate = fate;
    }
}
