//! What people, clients and clocks do to triggers and runs.

use marquetry_app::reruns::{Choice, RerunInput, run_rerun, state_set};
use marquetry_app::runs::run_cancel;
use marquetry_app::schedules::schedules_fire;
use marquetry_app::triggers::{TriggerInput, trigger_accept, trigger_cancel};
use marquetry_model::{Error, Mode, Phase, RunId, Source, TenantId, TriggerId};
use serde_json::{Map, Value, json};

use crate::oracle::{Asked, Fate, MOST_WAITING, Output, Refusal, State, Trigger};
use crate::world::{World, next_minute, region_of};

impl World {
    /// A trigger comes; with a place on node a, it may be a run at once.
    pub(crate) async fn accept(&mut self, tenant: TenantId, source: Source, mode: Mode) {
        let against = self.oracle.against(tenant, source);
        let payload = self.random.pick(&[None, Some(5), Some(200)]).flatten();
        let has_place = self.random.once_in(2) && self.nodes[0].free() > 0;
        let claimer = has_place.then(|| self.nodes[0].claimer(self.now()));
        self.door.set(claimer);
        let input = TriggerInput {
            source,
            mode,
            payload: payload.map(|length| vec![b' '; length]),
            headers: None,
        };
        let done = trigger_accept(&self.ctx(), tenant, input).await;
        self.door.set(None);
        if let Some(id) = expect(done, &against) {
            self.accepted(id, tenant, source, mode, None);
        }
        if let Some(job) = self.door.pop() {
            self.start(0, &job);
        }
    }

    fn accepted(
        &mut self,
        id: TriggerId,
        tenant: TenantId,
        source: Source,
        mode: Mode,
        asked: Option<Asked>,
    ) {
        let trigger = Trigger {
            tenant,
            source,
            mode,
            at: self.now(),
            asked,
            fate: Fate::Waiting,
        };
        self.oracle.accepted(id, trigger);
    }

    pub(crate) async fn cancel_trigger(&mut self, id: TriggerId) {
        let waits = self.oracle.triggers[&id].fate == Fate::Waiting;
        let against = if waits {
            vec![]
        } else {
            vec![Refusal::Conflict]
        };
        let done = trigger_cancel(&self.ctx(), id).await;
        if expect(done, &against).is_some() {
            self.oracle.fate(id, Fate::Cancelled);
        }
    }

    /// A run that waits for a node is over at once; a running one is asked to stop.
    pub(crate) async fn cancel_run(&mut self, id: RunId) {
        let phase = self.oracle.runs[&id].phase;
        let against = if phase.is_final() {
            vec![Refusal::Conflict]
        } else {
            vec![]
        };
        expect(run_cancel(&self.ctx(), id).await, &against);
        if phase == Phase::Pending {
            self.oracle.ended(id, Phase::Cancelled, None);
        } else if phase == Phase::Running {
            self.oracle.run(id).cancel_asked = true;
        }
    }

    pub(crate) async fn set_state(&mut self, tenant: TenantId) {
        let number = self.number();
        let state = (!self.random.once_in(3)).then(|| json!({"set": number}).to_string());
        let gone = self.oracle.tenants[&tenant].archived;
        let against = if gone {
            vec![Refusal::NotFound]
        } else {
            vec![]
        };
        let done = state_set(&self.ctx(), tenant, state.clone()).await;
        if expect(done, &against).is_some() {
            self.oracle.tenant(tenant).output = Output::ByHand(state);
        }
    }

    /// Somebody wants a run once more, in any of the ways there are.
    pub(crate) async fn rerun(&mut self, id: RunId) {
        let number = self.number();
        let run = self.oracle.runs[&id].clone();
        let mut against = self.oracle.against(run.tenant, Source::Manual);
        if !run.phase.is_final() {
            against.push(Refusal::Conflict);
        }
        let hand = format!("hand-{number}");
        let (configs, region) = self
            .random
            .pick(&[
                (Choice::Original, Some(run.region.clone())),
                (Choice::Current, None),
                (Choice::Custom(region_of(&hand)), Some(hand)),
            ])
            .unwrap();
        let output: Map<String, Value> = [("hand".to_owned(), number.into())].into_iter().collect();
        let text = Value::Object(output.clone()).to_string();
        let (std_out, state) = self
            .random
            .pick(&[
                (Choice::Original, State::Of(run.seen.clone())),
                (Choice::Current, State::Current),
                (Choice::Custom(output), State::ByHand(text)),
            ])
            .unwrap();
        let is_saved = self.random.once_in(2);
        let input = RerunInput {
            configs,
            std_out,
            is_saved,
            has_original_release: self.random.once_in(2),
        };
        let done = run_rerun(&self.ctx(), id, input).await;
        if let Some(trigger) = expect(done, &against) {
            let asked = Asked {
                of: id,
                region,
                state,
                is_saved,
            };
            self.accepted(trigger, run.tenant, Source::Manual, run.mode, Some(asked));
        }
    }

    /// A lost run is asked for once more: one new trigger, behind all that waits.
    pub(crate) async fn find_repetition(&mut self, tenant: TenantId, asked: Asked) {
        let found = self.newcomers(tenant).await;
        let [only] = found[..] else {
            panic!("run {} is repeated by {found:?}", asked.of);
        };
        let mode = self.oracle.runs[&asked.of].mode;
        self.accepted(only, tenant, Source::Manual, mode, Some(asked));
    }

    /// A look at the schedules: each that is due fires once, however many of its minutes have passed.
    pub(crate) async fn fire(&mut self) {
        let now = self.now();
        let fired = schedules_fire(&self.ctx()).await.unwrap().fired;
        let mut expected = 0;
        let due = self.oracle.tenants.iter();
        let due = due.filter(|(_, tenant)| tenant.next_tick.is_some_and(|at| at <= now));
        let due: Vec<TenantId> = due.map(|(id, _)| *id).collect();
        let mut fresh = Vec::new();
        for id in due {
            self.oracle.tenant(id).next_tick = Some(next_minute(now));
            let full = self.oracle.waiting(id).len() >= MOST_WAITING;
            if full || self.oracle.integration_of(id).paused {
                continue;
            }
            expected += 1;
            let found = self.newcomers(id).await;
            assert_eq!(found.len(), 1, "one tick of tenant {id}");
            fresh.extend(found.into_iter().map(|trigger| (trigger, id)));
        }
        assert_eq!(fired, expected, "schedules");
        fresh.sort_unstable();
        for (trigger, tenant) in fresh {
            self.accepted(trigger, tenant, Source::Cron, Mode::Normal, None);
        }
    }
}

/// The answer, which must be what nothing speaks against, or one of the refusals that something does.
pub(crate) fn expect<T>(done: Result<T, Error>, against: &[Refusal]) -> Option<T> {
    match done {
        Ok(done) => {
            assert_eq!(against, [], "it was done nevertheless");
            Some(done)
        }
        Err(error) => {
            let why = match &error {
                Error::NotFound { .. } => Refusal::NotFound,
                Error::Conflict { .. } => Refusal::Conflict,
                Error::Invalid(_) => Refusal::Invalid,
                Error::RateLimited { .. } => Refusal::Full,
                Error::Unauthenticated
                | Error::Forbidden
                | Error::Unavailable { .. }
                | Error::Internal(_) => panic!("{error:?}"),
            };
            assert!(against.contains(&why), "{error:?}, but {against:?}");
            None
        }
    }
}
