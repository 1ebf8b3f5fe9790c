//! Whatever two nodes do in whatever order, and also at once: a tenant never has two live runs,
//! and every accepted trigger ends in exactly one run that ends exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use marquetry_model::{Lane, PageRequest, Phase, RunId, TenantId, Timestamp, TriggerId};
use marquetry_store::runs::{Claimer, RunClaim, RunFilter};
use marquetry_store::{Store, Tx, run_views, runs, tenant_states, triggers};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::common::{
    Kind, World, add_trigger, at, block_on, dispatched, end_run, finish_run, give_to, insert_run,
    is_wanted, open, waiting_of,
};
use crate::runs::{claim_of, outcome};

const TENANTS: usize = 3;
/// The most triggers that wait for a tenant.
const MOST: i64 = 4;
/// How long a claim holds, in milliseconds.
const LEASE: i64 = 50;

#[derive(Debug, Clone)]
enum Act {
    /// A trigger arrives that may wait so many milliseconds.
    Accept { tenant: usize, debounce: i64 },
    /// Runs are made of up to so many triggers each, and taken at once or left to whoever claims.
    Dispatch { most: usize, taken: bool },
    /// So many runs are taken.
    Claim { limit: i64 },
    /// The oldest run that the node has ends.
    Finish { succeeded: bool },
    /// The leases of all runs that the node has are moved.
    Renew,
    /// The node forgets what it has.
    Crash,
    /// The node starts again and ends what it had before.
    Start,
    /// Runs whose lease ended are ended.
    Reap,
    /// A forgotten node wants to end its run after all.
    Late,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..TENANTS, 0_i64..30).prop_map(|(tenant, debounce)| Act::Accept { tenant, debounce }),
        4 => (1_usize..4, any::<bool>()).prop_map(|(most, taken)| Act::Dispatch { most, taken }),
        3 => (1_i64..3).prop_map(|limit| Act::Claim { limit }),
        4 => any::<bool>().prop_map(|succeeded| Act::Finish { succeeded }),
        1 => Just(Act::Renew),
        1 => Just(Act::Crash),
        1 => Just(Act::Start),
        2 => Just(Act::Reap),
        1 => Just(Act::Late),
    ]
}

/// What the two nodes' clients were told.
#[derive(Default)]
struct Told {
    accepted: BTreeMap<TenantId, Vec<TriggerId>>,
    ended: Vec<RunId>,
}

struct Node<'a> {
    name: &'static str,
    store: Store,
    world: &'a World,
    told: &'a Mutex<Told>,
    held: Vec<(RunClaim, TenantId)>,
    forgotten: Vec<(RunClaim, TenantId)>,
}

impl Node<'_> {
    fn tell(&self, say: impl FnOnce(&mut Told)) {
        say(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn claimer(&self, now: Timestamp) -> Claimer {
        Claimer {
            node: self.name.to_owned(),
            lease_until: Timestamp::from_millis(now.as_millis() + LEASE),
        }
    }

    async fn act(&mut self, act: &Act, now: Timestamp) {
        match *act {
            Act::Accept { tenant, debounce } => self.accept(tenant, debounce, now).await,
            Act::Dispatch { most, taken } => self.dispatch(most, taken, now).await,
            Act::Claim { limit } => self.claim(limit, now).await,
            Act::Finish { succeeded } => {
                if !self.held.is_empty() {
                    let (claim, tenant) = self.held.remove(0);
                    self.finish(&claim, tenant, succeeded, now).await;
                }
            }
            Act::Renew => self.renew(now).await,
            Act::Crash => self.forgotten.append(&mut self.held),
            Act::Start => {
                self.forgotten.append(&mut self.held);
                self.reap(Some(self.name), now).await;
            }
            Act::Reap => self.reap(None, now).await,
            Act::Late => {
                if let Some((claim, tenant)) = self.forgotten.pop() {
                    self.finish(&claim, tenant, true, now).await;
                }
            }
        }
    }

    async fn accept(&self, tenant: usize, debounce: i64, now: Timestamp) {
        let id = self.world.tenants[tenant];
        let due = Timestamp::from_millis(now.as_millis() + debounce);
        let mut tx = self.store.write().await.unwrap();
        if !tenant_states::accept(&mut tx, id, due, MOST).await.unwrap() {
            return;
        }
        let trigger = add_trigger(&mut tx, id).await;
        tx.commit().await.unwrap();
        self.tell(|told| told.accepted.entry(id).or_default().push(trigger));
    }

    async fn dispatch(&mut self, most: usize, taken: bool, now: Timestamp) {
        let mut tx = self.store.write().await.unwrap();
        let claimer = taken.then(|| self.claimer(now));
        let mut made = Vec::new();
        let mut due = Vec::new();
        for lane in [Lane::Newcomers, Lane::Others] {
            let claimed =
                tenant_states::claim_due(&mut tx, self.world.integration, lane, now, 2).await;
            due.extend(claimed.unwrap());
        }
        for id in due {
            let waiting = waiting_of(&mut tx, id).await;
            let ids: Vec<_> = waiting.iter().take(most).map(|row| row.id).collect();
            if ids.is_empty() {
                tenant_states::update_due(&mut tx, &[(id, None)])
                    .await
                    .unwrap();
                continue;
            }
            let wanted = self.world.run(id);
            let run = insert_run(&mut tx, &wanted, claimer.as_ref(), now)
                .await
                .unwrap();
            let run = run.expect("a tenant that is due has no live run");
            let count = give_to(&mut tx, run.id, &ids).await;
            assert_eq!(
                count,
                ids.len() as u64,
                "what waits is taken by nobody else"
            );
            let count = i64::try_from(count).unwrap();
            let due = (waiting.len() > ids.len()).then_some(now);
            tenant_states::update_dispatched(&mut tx, &[dispatched(id, count, due, run.id)])
                .await
                .unwrap();
            made.push((claim_of(&run), id));
        }
        tx.commit().await.unwrap();
        if taken {
            self.held.extend(made);
        }
    }

    async fn claim(&mut self, limit: i64, now: Timestamp) {
        let mut tx = self.store.write().await.unwrap();
        let taken = runs::claim(&mut tx, &self.claimer(now), now, limit)
            .await
            .unwrap();
        assert!(i64::try_from(taken.len()).unwrap() <= limit);
        tx.commit().await.unwrap();
        self.held
            .extend(taken.iter().map(|run| (claim_of(run), run.tenant_id)));
    }

    async fn renew(&mut self, now: Timestamp) {
        let until = self.claimer(now).lease_until;
        for (claim, tenant) in std::mem::take(&mut self.held) {
            let mut tx = self.store.write().await.unwrap();
            let kept = runs::renew(&mut tx, &claim, until).await.unwrap();
            tx.commit().await.unwrap();
            if kept.is_some() {
                self.held.push((claim, tenant));
            }
        }
    }

    async fn finish(&self, claim: &RunClaim, tenant: TenantId, succeeded: bool, now: Timestamp) {
        let mut tx = self.store.write().await.unwrap();
        let phase = if succeeded {
            Phase::Succeeded
        } else {
            Phase::FailedIntegration
        };
        let ended = end(&mut tx, claim, tenant, phase, now).await;
        tx.commit().await.unwrap();
        if ended {
            self.tell(|told| told.ended.push(claim.id));
        }
    }

    async fn reap(&self, node: Option<&str>, now: Timestamp) {
        let mut tx = self.store.write().await.unwrap();
        let lost = runs::claim_lost(&mut tx, node, &[], now, 5).await.unwrap();
        for run in &lost {
            let ended = end(
                &mut tx,
                &claim_of(run),
                run.tenant_id,
                Phase::FailedPlatform,
                now,
            )
            .await;
            assert!(ended, "the reaper has the row");
        }
        tx.commit().await.unwrap();
        self.tell(|told| told.ended.extend(lost.iter().map(|run| run.id)));
    }
}

/// Ends a run and gives its tenant back; false when the claim is lost.
async fn end(
    tx: &mut Tx,
    claim: &RunClaim,
    tenant: TenantId,
    phase: Phase,
    now: Timestamp,
) -> bool {
    let ended = finish_run(tx, claim, &outcome(phase), now).await.unwrap();
    if ended {
        let succeeded = phase == Phase::Succeeded;
        end_run(tx, tenant, claim.id, succeeded, now).await.unwrap();
    }
    ended
}

/// What must hold between any two acts.
async fn check_tenant(tx: &mut Tx, id: TenantId) {
    let state = tenant_states::get(tx, id).await.unwrap();
    let mut live = Vec::new();
    for phase in [Phase::Pending, Phase::Running] {
        let filter = RunFilter {
            tenant: Some(id),
            phase: Some(phase),
            ..RunFilter::default()
        };
        let page = run_views::list(tx, &filter, &PageRequest::default())
            .await
            .unwrap();
        live.extend(page.items.iter().map(|view| view.run.id));
    }
    assert_eq!(
        live,
        Vec::from_iter(state.current_run_id),
        "at most one, and the state knows it"
    );
    let waiting = waiting_of(tx, id).await.len();
    assert_eq!(i64::try_from(waiting).unwrap(), state.waiting);
    assert!(state.waiting <= MOST);
    assert!(
        waiting == 0 || state.due_at.is_some(),
        "what waits is looked at"
    );
}

/// Lets one node do all that is left, and checks what became of every trigger.
async fn check_end(node: &mut Node<'_>) {
    let later = at(1_000_000);
    for _ in 0..12 {
        node.reap(None, later).await;
        node.dispatch(2, true, later).await;
        node.claim(9, later).await;
        while !node.held.is_empty() {
            node.act(&Act::Finish { succeeded: true }, later).await;
        }
    }
    let mut tx = node.store.read().await.unwrap();
    let told = std::mem::take(&mut *node.told.lock().unwrap_or_else(PoisonError::into_inner));
    let mut used = BTreeSet::new();
    for (&id, accepted) in &told.accepted {
        let state = tenant_states::get(&mut tx, id).await.unwrap();
        assert_eq!(
            (state.waiting, state.current_run_id, state.due_at),
            (0, None, None)
        );
        let mut taken = Vec::new();
        for &trigger in accepted {
            let row = triggers::find(&mut tx, trigger).await.unwrap().unwrap();
            taken.push((trigger, row.run_id.expect("no trigger is lost")));
        }
        taken.sort_unstable();
        assert!(
            taken.is_sorted_by_key(|(_, run)| *run),
            "in order of arrival"
        );
        used.extend(taken.into_iter().map(|(_, run)| run));
    }
    let mut ended = told.ended;
    ended.sort_unstable();
    assert_eq!(
        ended,
        Vec::from_iter(used),
        "every run has triggers and ended once"
    );
}

/// One node after the other, checked after each act.
async fn in_turn(kind: Kind, acts: Vec<(bool, i64, Act)>) {
    let db = open(kind).await;
    let world = World::make(&db, TENANTS).await;
    let told = Mutex::default();
    let mut nodes = ["a", "b"].map(|name| node(name, &db.store, &world, &told));
    let mut now = 0;
    for (second, later, act) in acts {
        now += later;
        nodes[usize::from(second)].act(&act, at(now)).await;
        let mut tx = db.read().await;
        for &id in &world.tenants {
            check_tenant(&mut tx, id).await;
        }
    }
    check_end(&mut nodes[0]).await;
}

/// Both at once.
async fn at_once(kind: Kind, acts: Vec<(bool, i64, Act)>) {
    let db = open(kind).await;
    let world = World::make(&db, TENANTS).await;
    let told = Mutex::default();
    let [mut a, mut b] = ["a", "b"].map(|name| node(name, &db.store, &world, &told));
    let (of_b, of_a): (Vec<_>, Vec<_>) = acts.into_iter().partition(|(second, _, _)| *second);
    tokio::join!(play(&mut a, of_a), play(&mut b, of_b));
    let mut tx = db.read().await;
    for &id in &world.tenants {
        check_tenant(&mut tx, id).await;
    }
    drop(tx);
    check_end(&mut a).await;
}

async fn play(node: &mut Node<'_>, acts: Vec<(bool, i64, Act)>) {
    let mut now = 0;
    for (_, later, act) in acts {
        now += later;
        node.act(&act, at(now)).await;
    }
}

fn node<'a>(
    name: &'static str,
    store: &Store,
    world: &'a World,
    told: &'a Mutex<Told>,
) -> Node<'a> {
    Node {
        name,
        store: store.clone(),
        world,
        told,
        held: Vec::new(),
        forgotten: Vec::new(),
    }
}

fn check<F: Future<Output = ()>>(
    kind: Kind,
    cases: u32,
    play: impl Fn(Kind, Vec<(bool, i64, Act)>) -> F,
) {
    if !is_wanted(kind) {
        return;
    }
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    });
    let acts = prop::collection::vec((any::<bool>(), 0_i64..25, act()), 1..60);
    let result = runner.run(&acts, |acts| {
        block_on(play(kind, acts));
        Ok(())
    });
    result.unwrap();
}

mod sqlite {
    use super::{Kind, at_once, check, in_turn};

    #[test]
    fn one_act_after_the_other() {
        check(Kind::Sqlite, 16, in_turn);
    }

    #[test]
    fn two_nodes_at_once() {
        check(Kind::Sqlite, 12, at_once);
    }
}

mod postgres {
    use super::{Kind, at_once, check, in_turn};

    #[test]
    fn one_act_after_the_other() {
        check(Kind::Postgres, 8, in_turn);
    }

    #[test]
    fn two_nodes_at_once() {
        check(Kind::Postgres, 12, at_once);
    }
}
