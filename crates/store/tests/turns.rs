//! `turns`: list, find_next_due, count_live, lock_live, try_still, lock_still.

use marquetry_model::{Given, IntegrationId, RunId, TenantId, Timestamp, Turn};
use marquetry_store::runs::NewRun;
use marquetry_store::{Tx, integrations, runs, tenant_states, turns};

use crate::common::{
    Kind, NOW, World, at, dispatched, end_run, insert_run, on_both, wait_for_a_blocked_statement,
};

async fn accept(tx: &mut Tx, tenants: &[TenantId], due_at: Timestamp) {
    for id in tenants {
        assert!(tenant_states::accept(tx, *id, due_at, 9).await.unwrap());
    }
}

fn turn(world: &World, ready: usize) -> Turn {
    Turn {
        integration_id: world.integration,
        ready,
        newcomers: ready,
        live: 0,
        last_run_id: None,
        newest_is_first: false,
        concurrency_limit: None,
    }
}

on_both! {
    async fn each_integration_with_something_due_has_a_turn(db) {
        let mut tx = db.write().await;
        assert!(turns::list(&mut tx, NOW, 9).await.unwrap().is_empty());
        let crm = World::make_in(&mut tx, "crm", 3).await;
        let erp = World::make_in(&mut tx, "erp", 2).await;
        let _idle = World::make_in(&mut tx, "idle", 1).await;
        let later = World::make_in(&mut tx, "later", 1).await;
        accept(&mut tx, &crm.tenants, at(5)).await;
        accept(&mut tx, &erp.tenants[..1], at(7)).await;
        accept(&mut tx, &later.tenants, at(20)).await;
        assert_eq!(turns::list(&mut tx, at(6), 9).await.unwrap(), [turn(&crm, 3)]);
        let expected = [turn(&crm, 2), turn(&erp, 1)];
        assert_eq!(turns::list(&mut tx, at(7), 2).await.unwrap(), expected, "counted up to two");
        assert_eq!(turns::find_next_due(&mut tx, None).await.unwrap(), Some(at(5)));
        assert_eq!(turns::find_next_due(&mut tx, Some(at(7))).await.unwrap(), Some(at(20)));
        assert_eq!(turns::find_next_due(&mut tx, Some(at(20))).await.unwrap(), None);
    }

    async fn a_turn_knows_what_is_live_and_what_ran_last(db) {
        let mut tx = db.write().await;
        let crm = World::make_in(&mut tx, "crm", 3).await;
        let erp = World::make_in(&mut tx, "erp", 1).await;
        let mut limited = integrations::get(&mut tx, crm.integration).await.unwrap();
        limited.concurrency_limit = Some(2);
        integrations::update(&mut tx, &limited).await.unwrap();
        accept(&mut tx, &crm.tenants, NOW).await;
        accept(&mut tx, &erp.tenants, NOW).await;
        let run = crm.add_running(&mut tx, crm.tenants[0], "a").await;
        tenant_states::update_dispatched(&mut tx, &[dispatched(crm.tenants[0], 1, Some(NOW), run.id)]).await.unwrap();
        let waiting = crm.add_run(&mut tx, crm.tenants[1]).await;
        let expected = Turn {
            live: 2, last_run_id: Some(waiting.id), newest_is_first: true, concurrency_limit: Some(2),
            ..turn(&crm, 2)
        };
        assert!(expected.is_at_limit());
        assert_eq!(turns::list(&mut tx, NOW, 9).await.unwrap(), [expected, turn(&erp, 1)]);
        assert_eq!(turns::count_live(&mut tx, crm.integration).await.unwrap(), 2);
        assert_eq!(turns::count_live(&mut tx, IntegrationId::new(99)).await.unwrap(), 0);
        runs::cancel_pending(&mut tx, waiting.id, NOW).await.unwrap();
        assert_eq!(turns::lock_live(&mut tx, crm.integration).await.unwrap(), 1);
        let last = turns::list(&mut tx, NOW, 9).await.unwrap()[0].last_run_id;
        assert_eq!(last, Some(waiting.id), "also one that is over");
        assert!(waiting.id > RunId::new(0));
    }

    async fn a_turn_knows_who_never_ran_and_whether_the_newest_run_is_a_first_one(db) {
        let mut tx = db.write().await;
        let crm = World::make_in(&mut tx, "crm", 4).await;
        let erp = World::make_in(&mut tx, "erp", 1).await;
        let mut lists = Vec::new();
        // A first run, one more, one of another integration, a repetition with the first one's state.
        let given = Given { last_run_id: Some(RunId::new(1)), ..Given::default() };
        let second = NewRun { given, ..crm.run(crm.tenants[0]) };
        let again = NewRun { rerun_of: Some(RunId::new(1)), ..crm.run(crm.tenants[0]) };
        accept(&mut tx, &crm.tenants, at(5)).await;
        for wanted in [crm.run(crm.tenants[0]), second, erp.run(erp.tenants[0]), again] {
            let id = wanted.tenant_id;
            let run = insert_run(&mut tx, &wanted, None, NOW).await.unwrap().unwrap();
            tenant_states::update_dispatched(&mut tx, &[dispatched(id, 0, Some(NOW), run.id)]).await.unwrap();
            runs::cancel_pending(&mut tx, run.id, NOW).await.unwrap();
            end_run(&mut tx, id, run.id, false, NOW).await.unwrap();
            let turns = turns::list(&mut tx, at(5), 2).await.unwrap();
            let [turn] = turns[..] else { panic!("{turns:?}") };
            lists.push((turn.ready, turn.newcomers, turn.newest_is_first));
        }
        assert_eq!(lists, [(3, 2, true), (3, 2, false), (3, 2, false), (3, 2, false)]);
    }

    async fn one_after_another_counts_what_is_live(db) {
        let world = World::make(db, 1).await;
        let mut first = db.write().await;
        assert_eq!(turns::lock_live(&mut first, world.integration).await.unwrap(), 0);
        if db.kind() == Kind::Sqlite {
            return;
        }
        let (store, integration) = (db.store.clone(), world.integration);
        let second = tokio::spawn(async move {
            let mut tx = store.write().await.unwrap();
            turns::lock_live(&mut tx, integration).await.unwrap()
        });
        wait_for_a_blocked_statement(db).await;
        world.add_running(&mut first, world.tenants[0], "a").await;
        first.commit().await.unwrap();
        assert_eq!(second.await.unwrap(), 1, "it sees what the first one started");
    }

    async fn who_pauses_waits_for_those_that_came_before_and_for_no_others(db) {
        let world = World::make(db, 1).await;
        let integration = world.integration;
        let mut first = db.write().await;
        assert!(turns::try_still(&mut first, integration).await.unwrap());
        if db.kind() == Kind::Sqlite {
            turns::lock_still(&mut first, integration).await.unwrap();
            return;
        }
        let mut second = db.write().await;
        assert!(turns::try_still(&mut second, integration).await.unwrap(), "both may");
        let store = db.store.clone();
        let pause = tokio::spawn(async move {
            let mut tx = store.write().await.unwrap();
            turns::lock_still(&mut tx, integration).await.unwrap();
            tx.commit().await.unwrap();
        });
        wait_for_a_blocked_statement(db).await;
        let mut third = db.write().await;
        let other = IntegrationId::new(integration.get() + 1);
        assert!(turns::try_still(&mut third, other).await.unwrap());
        assert!(!turns::try_still(&mut third, integration).await.unwrap(), "it came later");
        drop((first, second));
        pause.await.unwrap();
        assert!(turns::try_still(&mut third, integration).await.unwrap());
    }
}
