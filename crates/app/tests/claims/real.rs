//! The same acts on a real store, through the use cases that nodes call.

use std::time::Duration;

use marquetry_app::dispatch::runs_take;
use marquetry_app::integrations::{IntegrationInput, integration_create};
use marquetry_app::run_engine::runs_renew;
use marquetry_app::tenants::tenant_create;
use marquetry_app::triggers::{TriggerInput, trigger_accept};
use marquetry_model::{
    IntegrationId, Mode, Outcome, Patch, Phase, Run, RunUsage, Source, TenantId, Timestamp,
    TriggerId,
};
use marquetry_store::runs::{Claimer, RunClaim};
use marquetry_store::{runs, triggers};
use marquetry_testkit::{Database, Inside, tenant_named};

use crate::model::{Act, Answer, LEASE, NODES, STEP, State};

const NAMES: [&str; 2] = ["node-a", "node-b"];

/// What brings every state to rest: what lives ends or is lost, and what waits is run.
pub(crate) const REST: [Act; 10] = [
    Act::Finish(0),
    Act::Finish(1),
    Act::Pass,
    Act::Pass,
    Act::Pass,
    Act::Pass,
    Act::Reap,
    Act::Take(0),
    Act::Finish(0),
    Act::Reap,
];

pub(crate) struct Real {
    inside: Inside,
    integration: IntegrationId,
    count: usize,
}

/// One history: a tenant of its own.
struct History {
    tenant: TenantId,
    accepted: Vec<TriggerId>,
    held: [Option<Run>; 2],
}

impl Real {
    pub(crate) async fn new(database: Database) -> Self {
        let inside = Inside::on(database).await;
        let input = IntegrationInput {
            name: Some("shop".to_owned()),
            long_name: Some("Shop".to_owned()),
            repository_url: Patch::Set(
                inside
                    .folder
                    .path()
                    .join("repositories/shop")
                    .display()
                    .to_string(),
            ),
            ..IntegrationInput::default()
        };
        let integration = integration_create(&inside.system(), input)
            .await
            .unwrap()
            .id;
        inside.release(integration.get(), "v1").await;
        Self {
            inside,
            integration,
            count: 0,
        }
    }

    /// Does all of it, and what brings it to rest; each answer is the model's.
    pub(crate) async fn play(&mut self, acts: &[Act]) {
        let mut history = self.begin().await;
        let mut state = State::default();
        for act in acts.iter().chain(&REST) {
            if !state.acts().contains(act) {
                continue;
            }
            let (after, expected) = state.after(*act);
            let answer = self.act(&mut history, *act).await;
            assert_eq!(answer, expected, "{act:?} in {state:?} of {acts:?}");
            state = after;
            self.compare(&history, &state, acts).await;
        }
        // Each accepted trigger is in one run, which has ended.
        let mut tx = self.inside.app.store.read().await.unwrap();
        for id in &history.accepted {
            let trigger = triggers::find(&mut tx, *id).await.unwrap().unwrap();
            let run = runs::get(&mut tx, trigger.run_id.expect("no trigger is lost"))
                .await
                .unwrap();
            assert!(run.phase.is_final(), "{acts:?}");
        }
    }

    async fn begin(&mut self) -> History {
        self.count += 1;
        let name = format!("tenant-{}", self.count);
        let wanted = tenant_named(&name, self.integration);
        let made = tenant_create(&self.inside.system(), wanted).await.unwrap();
        History {
            tenant: made.tenant.id,
            accepted: Vec::new(),
            held: [None, None],
        }
    }

    fn lease_until(&self) -> Timestamp {
        self.inside.app.now().plus(seconds(LEASE))
    }

    async fn act(&self, history: &mut History, act: Act) -> Answer {
        let ctx = self.inside.system();
        match act {
            Act::Accept => {
                let input = TriggerInput {
                    source: Source::Manual,
                    mode: Mode::Normal,
                    payload: None,
                    headers: None,
                };
                let accepted = trigger_accept(&ctx, history.tenant, input).await.unwrap();
                history.accepted.push(accepted);
                Answer::Nothing
            }
            Act::Take(node) => {
                let claimer = Claimer {
                    node: NAMES[node].to_owned(),
                    lease_until: self.lease_until(),
                };
                let mut taken = runs_take(&ctx, &claimer, 1).await.unwrap();
                history.held[node] = taken.jobs.pop().map(|job| job.run);
                Answer::Yes(history.held[node].is_some())
            }
            Act::Beat(node) => {
                let run = history.held[node].clone().unwrap();
                let held = runs_renew(&ctx, NAMES[node], &[run.id], self.lease_until())
                    .await
                    .unwrap();
                let holds = held
                    .iter()
                    .any(|held| (held.id, held.attempt) == (run.id, run.attempt));
                if !holds {
                    // What it reports all the same is dropped.
                    assert_eq!(self.finish(history, node).await, Answer::Yes(false));
                }
                Answer::Yes(holds)
            }
            Act::Finish(node) => self.finish(history, node).await,
            Act::Pass => {
                self.inside.clock.advance(seconds(STEP));
                Answer::Nothing
            }
            Act::Reap => Answer::Closed(self.inside.reap().await),
        }
    }

    async fn finish(&self, history: &mut History, node: usize) -> Answer {
        let run = history.held[node].take().unwrap();
        let claim = RunClaim {
            id: run.id,
            attempt: run.attempt,
            node: NAMES[node].to_owned(),
        };
        let outcome = Outcome {
            phase: Phase::Succeeded,
            message: None,
            exit_code: Some(0),
            std_out: Some("{}".to_owned()),
            usage: RunUsage::default(),
        };
        let finished = self
            .inside
            .finish_runs(vec![(run, claim, outcome)], None)
            .await;
        Answer::Yes(finished.kept == [true])
    }

    /// The store has the live run that the model has, and no other.
    async fn compare(&self, history: &History, state: &State, acts: &[Act]) {
        let mut tx = self.inside.app.store.read().await.unwrap();
        let state_of = marquetry_store::tenant_states::get(&mut tx, history.tenant)
            .await
            .unwrap();
        let live = match state_of.current_run_id {
            Some(id) => Some(runs::get(&mut tx, id).await.unwrap()),
            None => None,
        };
        let node = live.as_ref().and_then(|run| run.node.as_deref());
        let expected = state.row.map(|row| NAMES[row.node]);
        assert_eq!(node, expected, "{state:?} of {acts:?}");
        for node in NODES {
            assert_eq!(
                history.held[node].is_some(),
                state.nodes[node].is_some(),
                "{acts:?}"
            );
        }
    }
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(count.unsigned_abs())
}
