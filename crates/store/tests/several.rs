//! What one look at the queue reads and writes for several tenants together: `tenants::list`,
//! `tenant_states::list`, `triggers::list_waiting`, `runs::insert`, `runs::list`,
//! `triggers::update_taken`, `triggers::list_of_runs`, `tenant_states::update_dispatched`,
//! `tenant_states::update_due`; and what several statements that are sent together keep.

use marquetry_model::{RunId, TenantId};
use marquetry_store::runs::NewRun;
use marquetry_store::{runs, tenant_states, tenants, triggers};

use crate::common::{NOW, World, add_trigger, at, claimer, dispatched, on_both};

on_both! {
    async fn rows_of_several_are_those_of_each(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 3).await;
        World::make_in(&mut tx, "erp", 2).await;
        let mut wanted = world.tenants.clone();
        wanted.push(TenantId::new(999));
        let mut found = tenants::list(&mut tx, &wanted).await.unwrap();
        found.sort_by_key(|it| it.id);
        let mut states = tenant_states::list(&mut tx, &wanted).await.unwrap();
        states.sort_by_key(|it| it.tenant_id);
        assert_eq!((found.len(), states.len()), (3, 3));
        for ((id, tenant), state) in world.tenants.iter().zip(found).zip(states) {
            assert_eq!(tenant, tenants::get(&mut tx, *id).await.unwrap());
            assert_eq!(state, tenant_states::get(&mut tx, *id).await.unwrap());
        }
        assert!(tenants::list(&mut tx, &[]).await.unwrap().is_empty());
        assert!(tenant_states::list(&mut tx, &[]).await.unwrap().is_empty());
    }

    async fn what_waits_for_several_keeps_its_order_and_its_tenant(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 3).await;
        let [one, two, other] = world.tenants[..] else { panic!() };
        let mut made = Vec::new();
        for id in [two, one, other, two, one] {
            made.push((id, add_trigger(&mut tx, id).await));
        }
        let waiting = triggers::list_waiting(&mut tx, &[one, two]).await.unwrap();
        let waiting: Vec<_> = waiting.into_iter().map(|(id, it)| (id, it.id)).collect();
        let expected: Vec<_> = made.iter().copied().filter(|(id, _)| *id != other).collect();
        assert_eq!(waiting, expected);
        assert!(triggers::list_waiting(&mut tx, &[]).await.unwrap().is_empty());
    }

    async fn several_runs_are_made_and_the_one_too_many_is_not(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 3).await;
        let [one, live, two] = world.tenants[..] else { panic!() };
        let before = world.add_run(&mut tx, live).await;
        let wanted: Vec<NewRun> = world.tenants.iter().map(|id| world.run(*id)).collect();
        let made = runs::insert(&mut tx, &wanted, Some(&claimer("a")), at(1)).await.unwrap();
        let [Some(first), None, Some(second)] = &made[..] else { panic!("{made:?}") };
        assert_eq!((first.tenant_id, second.tenant_id), (one, two));
        let mut found = runs::list(&mut tx, &[second.id, before.id, RunId::new(999)]).await.unwrap();
        found.sort_by_key(|run| run.id);
        assert_eq!(found, [before, second.clone()]);
        assert!(runs::list(&mut tx, &[]).await.unwrap().is_empty());
        assert!(runs::insert(&mut tx, &[], None, NOW).await.unwrap().is_empty());
    }

    async fn each_run_gets_its_own_triggers(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 2).await;
        let [one, two] = world.tenants[..] else { panic!() };
        let (first, second) = (world.add_run(&mut tx, one).await.id, world.add_run(&mut tx, two).await.id);
        let mut made = Vec::new();
        for id in [one, two, one] {
            made.push(add_trigger(&mut tx, id).await);
        }
        let taken = [(made[0], first), (made[1], second), (made[2], first)];
        assert_eq!(triggers::update_taken(&mut tx, &taken).await.unwrap(), 3);
        let found = triggers::list_of_runs(&mut tx, &[first, second]).await.unwrap();
        let found: Vec<_> = found.iter().map(|it| (it.id, it.run_id.unwrap())).collect();
        assert_eq!(found, taken);
    }

    async fn states_of_several_move_on_alone(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 3).await;
        let [one, two, three] = world.tenants[..] else { panic!() };
        for id in [one, one, two] {
            assert!(tenant_states::accept(&mut tx, id, at(1), 10).await.unwrap());
        }
        let rows = [dispatched(one, 1, Some(at(5)), RunId::new(7)), dispatched(two, 1, None, RunId::new(8))];
        tenant_states::update_dispatched(&mut tx, &rows).await.unwrap();
        tenant_states::update_due(&mut tx, &[(three, Some(at(9)))]).await.unwrap();
        let mut found = tenant_states::list(&mut tx, &world.tenants).await.unwrap();
        found.sort_by_key(|it| it.tenant_id);
        let found: Vec<_> = found.iter().map(|it| (it.waiting, it.due_at, it.current_run_id)).collect();
        assert_eq!(found, [
            (1, Some(at(5)), Some(RunId::new(7))),
            (0, None, Some(RunId::new(8))),
            (0, Some(at(9)), None),
        ]);
    }

    async fn what_is_sent_together_is_done_in_its_order(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 100).await;
        let wanted: Vec<NewRun> = world.tenants.iter().rev().map(|id| world.run(*id)).collect();
        let made = runs::insert(&mut tx, &wanted, None, NOW).await.unwrap();
        let made: Vec<_> = made.into_iter().flatten().collect();
        assert_eq!(made.len(), 100);
        assert!(made.is_sorted_by(|one, next| one.id < next.id && one.tenant_id > next.tenant_id));
    }

    async fn what_fails_in_the_middle_leaves_nothing(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 50).await;
        tx.commit().await.unwrap();
        let mut wanted: Vec<NewRun> = world.tenants.iter().map(|id| world.run(*id)).collect();
        wanted[25].tenant_id = TenantId::new(999_999);
        let mut tx = db.write().await;
        runs::insert(&mut tx, &wanted, None, NOW).await.unwrap_err();
        drop(tx);
        let mut tx = db.write().await;
        let left: Vec<RunId> = (1..=100).map(RunId::new).collect();
        assert_eq!(runs::list(&mut tx, &left).await.unwrap(), []);
        let run = world.add_run(&mut tx, world.tenants[25]).await;
        assert_eq!(run.tenant_id, world.tenants[25]);
    }
}
