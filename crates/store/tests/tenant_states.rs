//! `tenant_states`: get, list, accept, claim_due, update_dispatched, update_due, update_resumed,
//! update_ended, update_cancelled; `turns::find_next_due`.

use marquetry_model::{IntegrationId, Lane, RunId, TenantId, Timestamp};
use marquetry_store::tenant_states::TenantState;
use marquetry_store::{Error, Tx, tenant_states, turns};

use crate::common::{Kind, NOW, World, at, dispatched, end_run, insert_run, on_both};

async fn state(tx: &mut Tx, id: TenantId) -> TenantState {
    tenant_states::get(tx, id).await.unwrap()
}

async fn accept(tx: &mut Tx, id: TenantId, due_at: Timestamp) {
    assert!(tenant_states::accept(tx, id, due_at, 100).await.unwrap());
}

async fn due(tx: &mut Tx, now: Timestamp) -> Vec<TenantId> {
    due_of(tx, IntegrationId::new(1), now).await
}

async fn due_of(tx: &mut Tx, integration: IntegrationId, now: Timestamp) -> Vec<TenantId> {
    due_in(tx, integration, Lane::Newcomers, now, 100).await
}

async fn due_in(
    tx: &mut Tx,
    integration: IntegrationId,
    lane: Lane,
    now: Timestamp,
    limit: i64,
) -> Vec<TenantId> {
    let claimed = tenant_states::claim_due(tx, integration, lane, now, limit).await;
    claimed.unwrap()
}

async fn next_due(tx: &mut Tx) -> Option<Timestamp> {
    turns::find_next_due(tx, None).await.unwrap()
}

const RUN: RunId = RunId::new(5_000_000_000);

on_both! {
    async fn accepted_triggers_are_counted_up_to_the_most(db) {
        let world = World::make(db, 2).await;
        let [one, two] = world.tenants[..] else { panic!() };
        let mut tx = db.write().await;
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(tenant_states::accept(&mut tx, one, NOW, 3).await.unwrap());
        }
        assert_eq!(seen, [true, true, true, false]);
        assert_eq!(state(&mut tx, one).await.waiting, 3);
        assert_eq!(state(&mut tx, two).await.waiting, 0);
    }

    async fn dispatch_looks_at_the_earliest_time_asked_for(db) {
        let world = World::make(db, 1).await;
        let id = world.tenants[0];
        let mut tx = db.write().await;
        for (asked, expected) in [(50, 50), (70, 50), (20, 20), (60, 20)] {
            accept(&mut tx, id, at(asked)).await;
            assert_eq!(state(&mut tx, id).await.due_at, Some(at(expected)));
        }
    }

    async fn an_absent_tenant_has_no_state(db) {
        let mut tx = db.write().await;
        let id = TenantId::new(9);
        let error = tenant_states::get(&mut tx, id).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { kind: "tenant", .. }), "{error:?}");
        assert!(!tenant_states::accept(&mut tx, id, NOW, 9).await.unwrap());
        tenant_states::update_due(&mut tx, &[(id, Some(NOW))]).await.unwrap();
        tenant_states::update_dispatched(&mut tx, &[dispatched(id, 1, None, RUN)]).await.unwrap();
        end_run(&mut tx, id, RUN, true, NOW).await.unwrap();
        tenant_states::update_cancelled(&mut tx, id, 1).await.unwrap();
        tenant_states::update_resumed(&mut tx, IntegrationId::new(9), Some(id), NOW).await.unwrap();
        assert!(due(&mut tx, NOW).await.is_empty());
        assert_eq!(next_due(&mut tx).await, None);
    }

    async fn due_tenants_come_longest_waiting_first(db) {
        let world = World::make(db, 5).await;
        let [late, one, two, not_due, live] = world.tenants[..] else { panic!() };
        let mut tx = db.write().await;
        for (id, millis) in [(late, 30), (one, 10), (two, 10), (not_due, 31), (live, 5)] {
            accept(&mut tx, id, at(millis)).await;
        }
        assert_eq!(next_due(&mut tx).await, Some(at(5)));
        // One has a live run, one is not due.
        tenant_states::update_dispatched(&mut tx, &[dispatched(live, 0, Some(at(5)), RUN)]).await.unwrap();
        assert_eq!(due(&mut tx, at(30)).await, [one, two, late]);
        assert_eq!(due_in(&mut tx, world.integration, Lane::Newcomers, at(30), 2).await, [one, two]);
        assert!(due(&mut tx, at(9)).await.is_empty());
        assert_eq!(next_due(&mut tx).await, Some(at(10)));
        let later = turns::find_next_due(&mut tx, Some(at(10))).await.unwrap();
        assert_eq!(later, Some(at(30)), "of those after that");
        tenant_states::update_due(&mut tx, &[(one, Some(at(99)))]).await.unwrap();
        tenant_states::update_due(&mut tx, &[(two, None)]).await.unwrap();
        assert_eq!(due(&mut tx, at(98)).await, [late, not_due]);
        assert_eq!(state(&mut tx, two).await.due_at, None);
    }

    async fn who_never_ran_is_in_another_lane_than_who_did(db) {
        let mut tx = db.write().await;
        let crm = World::make_in(&mut tx, "crm", 5).await;
        let erp = World::make_in(&mut tx, "erp", 1).await;
        let [new, late, early, unsaved, newer] = crm.tenants[..] else { panic!() };
        for id in [late, early, unsaved, erp.tenants[0]] {
            let mut wanted = crm.run(id);
            wanted.is_saved = id != unsaved;
            let run = insert_run(&mut tx, &wanted, None, NOW).await.unwrap().unwrap();
            tenant_states::update_dispatched(&mut tx, &[dispatched(id, 0, None, run.id)]).await.unwrap();
            end_run(&mut tx, id, run.id, true, NOW).await.unwrap();
        }
        for (id, millis) in [(new, 10), (late, 9), (early, 5), (newer, 20), (unsaved, 30)] {
            accept(&mut tx, id, at(millis)).await;
        }
        accept(&mut tx, erp.tenants[0], at(3)).await;
        let now = at(40);
        let newcomers = due_in(&mut tx, crm.integration, Lane::Newcomers, now, 9).await;
        assert_eq!(newcomers, [new, newer, unsaved], "what an unsaved run leaves is not seen");
        assert_eq!(due_in(&mut tx, crm.integration, Lane::Newcomers, now, 1).await, [new]);
        let others = due_in(&mut tx, crm.integration, Lane::Others, now, 9).await;
        assert_eq!(others, [early, late]);
        assert_eq!(due_in(&mut tx, crm.integration, Lane::Others, at(5), 9).await, [early]);
        assert!(due_in(&mut tx, erp.integration, Lane::Newcomers, now, 9).await.is_empty());
        assert_eq!(next_due(&mut tx).await, Some(at(3)), "of both lanes");
        assert_eq!(turns::find_next_due(&mut tx, Some(at(5))).await.unwrap(), Some(at(9)));
        assert_eq!(turns::find_next_due(&mut tx, Some(at(9))).await.unwrap(), Some(at(10)));
    }

    async fn two_dispatchers_never_share_a_tenant(db) {
        let world = World::make(db, 4).await;
        let mut tx = db.write().await;
        for &id in &world.tenants {
            accept(&mut tx, id, NOW).await;
        }
        tx.commit().await.unwrap();
        let mut first = db.write().await;
        let held = due_in(&mut first, world.integration, Lane::Newcomers, NOW, 3).await;
        assert_eq!(held, world.tenants[..3]);
        if db.kind() == Kind::Postgres {
            let mut second = db.write().await;
            assert_eq!(due(&mut second, NOW).await, world.tenants[3..], "passes over, without waiting");
            second.commit().await.unwrap();
        }
        for &id in &held {
            tenant_states::update_due(&mut first, &[(id, None)]).await.unwrap();
        }
        first.commit().await.unwrap();
        assert_eq!(due(&mut *db.write().await, NOW).await, world.tenants[3..]);
    }

    async fn a_run_takes_triggers_and_gives_the_tenant_back(db) {
        let world = World::make(db, 2).await;
        let [id, other] = world.tenants[..] else { panic!() };
        let mut tx = db.write().await;
        for _ in 0..3 {
            accept(&mut tx, id, NOW).await;
        }
        tenant_states::update_dispatched(&mut tx, &[dispatched(id, 2, Some(at(40)), RUN)]).await.unwrap();
        let taken = TenantState {
            tenant_id: id, waiting: 1, due_at: Some(at(40)), current_run_id: Some(RUN),
            last_run_id: None, last_successful_run_id: None, output_id: None,
        };
        assert_eq!(state(&mut tx, id).await, taken);
        // Another run's end is none of this tenant's business.
        end_run(&mut tx, id, RunId::new(1), true, at(50)).await.unwrap();
        assert_eq!(state(&mut tx, id).await, taken);
        end_run(&mut tx, id, RUN, true, at(50)).await.unwrap();
        let ended = TenantState {
            due_at: Some(at(50)), current_run_id: None, last_run_id: Some(RUN),
            last_successful_run_id: Some(RUN), ..taken
        };
        assert_eq!(state(&mut tx, id).await, ended, "what waits is due at once");
        end_run(&mut tx, id, RUN, false, at(60)).await.unwrap();
        assert_eq!(state(&mut tx, id).await, ended, "once");
        let next = RunId::new(6_000_000_000);
        tenant_states::update_dispatched(&mut tx, &[dispatched(id, 1, None, next)]).await.unwrap();
        end_run(&mut tx, id, next, false, at(70)).await.unwrap();
        let failed = TenantState { waiting: 0, due_at: None, last_run_id: Some(next), ..ended };
        assert_eq!(state(&mut tx, id).await, failed, "nothing waits, and the last success stays");
        assert_eq!(state(&mut tx, other).await.last_run_id, None);
    }

    async fn cancelled_triggers_are_no_longer_counted(db) {
        let world = World::make(db, 1).await;
        let mut tx = db.write().await;
        for _ in 0..3 {
            accept(&mut tx, world.tenants[0], NOW).await;
        }
        tenant_states::update_cancelled(&mut tx, world.tenants[0], 2).await.unwrap();
        assert_eq!(state(&mut tx, world.tenants[0]).await.waiting, 1);
    }

    async fn what_was_held_is_looked_at_again(db) {
        let mut tx = db.write().await;
        let crm = World::make_in(&mut tx, "crm", 3).await;
        let erp = World::make_in(&mut tx, "erp", 1).await;
        let [a, b, idle] = crm.tenants[..] else { panic!() };
        for id in [a, b, erp.tenants[0]] {
            accept(&mut tx, id, NOW).await;
            tenant_states::update_due(&mut tx, &[(id, None)]).await.unwrap();
        }
        tenant_states::update_resumed(&mut tx, crm.integration, Some(b), at(5)).await.unwrap();
        assert_eq!(due(&mut tx, at(9)).await, [b]);
        tenant_states::update_resumed(&mut tx, crm.integration, Some(erp.tenants[0]), at(6)).await.unwrap();
        assert_eq!(due(&mut tx, at(9)).await, [b], "the tenant is another integration's");
        tenant_states::update_resumed(&mut tx, crm.integration, None, at(7)).await.unwrap();
        assert_eq!(due(&mut tx, at(9)).await, [a, b]);
        assert_eq!(state(&mut tx, idle).await.due_at, None, "nothing waits");
        assert_eq!(state(&mut tx, erp.tenants[0]).await.due_at, None);
        tenant_states::update_due(&mut tx, &[(erp.tenants[0], Some(at(3)))]).await.unwrap();
        assert_eq!(due_of(&mut tx, erp.integration, at(9)).await, erp.tenants, "each has a queue of its own");
        assert_eq!(due(&mut tx, at(9)).await, [a, b]);
        let large = TenantId::new(i64::from(i32::MAX) + 1);
        tenant_states::update_resumed(&mut tx, crm.integration, Some(large), at(8)).await.unwrap();
    }
}
