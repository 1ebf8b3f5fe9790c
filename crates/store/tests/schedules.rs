//! `schedules`: claim_due, find_next, update_next, update_ticked.

use marquetry_model::{Channel, Missed, Mode, Source, TenantId, Timestamp};
use marquetry_store::schedules::{DueSchedule, Ticked};
use marquetry_store::{Tx, schedules, tenant_states, tenants};

use crate::common::{Kind, NOW, World, at, on_both, waiting_of};

async fn due(tx: &mut Tx, now: Timestamp) -> Vec<TenantId> {
    let due = schedules::claim_due(tx, now, 100).await.unwrap();
    due.iter().map(|due| due.tenant_id).collect()
}

fn ticked(tenant_id: TenantId, next: Option<Timestamp>, fired: bool) -> Ticked {
    Ticked {
        tenant_id,
        next,
        fired,
        due_at: None,
    }
}

on_both! {
    async fn what_is_due_says_what_decides_about_it(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 2).await;
        let [one, two] = world.tenants[..] else { panic!() };
        let mut tenant = tenants::get(&mut tx, one).await.unwrap();
        tenant.schedule = Some("7 * * * *".into());
        tenant.timezone = Some("Europe/Berlin".into());
        tenant.paused = false;
        tenant.integration_release_id = None;
        tenant.integration_release_channel = Some(Channel::Latest);
        tenants::update(&mut tx, &tenant).await.unwrap();
        schedules::update_next(&mut tx, one, Some(at(40))).await.unwrap();
        tenant_states::accept(&mut tx, one, NOW, 9).await.unwrap();
        assert!(due(&mut tx, at(39)).await.is_empty());
        let mut expected = DueSchedule {
            tenant_id: one, integration_id: world.integration, integration_release_id: None,
            integration_release_channel: Some(Channel::Latest), fire_at: at(40),
            schedule: Some("7 * * * *".into()), timezone: Some("Europe/Berlin".into()),
            missed: Missed::Once, stands_still: false, waiting: 1, due_at: Some(NOW),
        };
        let found = schedules::claim_due(&mut tx, at(40), 100).await.unwrap();
        assert_eq!(found, [expected.clone()]);
        for (paused, archived_at) in [(true, None), (false, Some(NOW))] {
            tenant.paused = paused;
            tenant.archived_at = archived_at;
            tenants::update(&mut tx, &tenant).await.unwrap();
            expected.stands_still = true;
            let found = schedules::claim_due(&mut tx, at(40), 100).await.unwrap();
            assert_eq!(found, [expected.clone()]);
        }
        schedules::update_next(&mut tx, two, Some(at(30))).await.unwrap();
        assert_eq!(due(&mut tx, at(50)).await, [two, one], "longest due first");
        assert_eq!(schedules::claim_due(&mut tx, at(50), 1).await.unwrap().len(), 1);
        assert_eq!(schedules::find_next(&mut tx).await.unwrap(), Some(at(30)));
        assert_eq!(schedules::find_next_of(&mut tx, one).await.unwrap(), Some(at(40)));
    }

    async fn without_schedules_nothing_is_next(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        assert_eq!(schedules::find_next(&mut tx).await.unwrap(), None);
        schedules::update_next(&mut tx, world.tenants[0], Some(NOW)).await.unwrap();
        schedules::update_next(&mut tx, world.tenants[0], None).await.unwrap();
        schedules::update_next(&mut tx, TenantId::new(99), Some(NOW)).await.unwrap();
        assert_eq!(schedules::find_next(&mut tx).await.unwrap(), None);
        for id in [world.tenants[0], TenantId::new(99)] {
            assert_eq!(schedules::find_next_of(&mut tx, id).await.unwrap(), None);
        }
    }

    async fn those_that_fire_get_a_trigger_each_and_are_looked_at(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 3).await;
        let [fires, passes, ends] = world.tenants[..] else { panic!() };
        for id in [fires, passes, ends] {
            schedules::update_next(&mut tx, id, Some(at(10))).await.unwrap();
        }
        let all = [
            ticked(fires, Some(at(70)), true), ticked(passes, Some(at(80)), false),
            ticked(ends, None, true), ticked(TenantId::new(99), Some(at(5)), true),
        ];
        schedules::update_ticked(&mut tx, &all, at(20)).await.unwrap();
        for (id, count) in [(fires, 1), (passes, 0), (ends, 1)] {
            let waiting = waiting_of(&mut tx, id).await;
            assert_eq!(waiting.len(), count);
            assert!(waiting.iter().all(|w| (w.source, w.mode, w.created_at) == (Source::Cron, Mode::Normal, at(20))));
            let state = tenant_states::get(&mut tx, id).await.unwrap();
            assert_eq!(state.waiting, i64::try_from(count).unwrap());
            assert_eq!(state.due_at, (count == 1).then_some(at(20)));
        }
        assert_eq!(schedules::find_next(&mut tx).await.unwrap(), Some(at(70)));
        assert_eq!(due(&mut tx, at(100)).await, [fires, passes]);
        schedules::update_ticked(&mut tx, &[], at(20)).await.unwrap();
    }

    async fn an_earlier_look_is_not_postponed(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        let id = world.tenants[0];
        tenant_states::accept(&mut tx, id, at(5), 9).await.unwrap();
        schedules::update_ticked(&mut tx, &[ticked(id, None, true)], at(20)).await.unwrap();
        let known = Ticked { due_at: Some(at(5)), ..ticked(id, Some(at(80)), true) };
        schedules::update_ticked(&mut tx, &[known], at(20)).await.unwrap();
        let state = tenant_states::get(&mut tx, id).await.unwrap();
        assert_eq!((state.waiting, state.due_at), (3, Some(at(5))));
        assert_eq!(schedules::find_next_of(&mut tx, id).await.unwrap(), Some(at(80)));
    }

    async fn a_later_look_is_brought_forward(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        let id = world.tenants[0];
        tenant_states::accept(&mut tx, id, at(50), 9).await.unwrap();
        let later = Ticked { due_at: Some(at(50)), ..ticked(id, None, true) };
        schedules::update_ticked(&mut tx, &[later], at(20)).await.unwrap();
        let state = tenant_states::get(&mut tx, id).await.unwrap();
        assert_eq!((state.waiting, state.due_at), (2, Some(at(20))));
    }

    async fn two_nodes_pass_over_what_the_other_has(db) {
        let world = World::make(db, 3).await;
        let mut tx = db.write().await;
        for &id in &world.tenants {
            schedules::update_next(&mut tx, id, Some(at(1))).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut first = db.write().await;
        assert_eq!(schedules::claim_due(&mut first, at(2), 2).await.unwrap().len(), 2);
        if db.kind() == Kind::Postgres {
            let mut second = db.write().await;
            assert_eq!(due(&mut second, at(2)).await, world.tenants[2..]);
        }
    }
}
