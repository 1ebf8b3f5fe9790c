//! `triggers`: insert, find, list_waiting, update_taken, list_of_run, list_heads,
//! list_payloads, cancel_waiting, cancel.

use marquetry_model::{Mode, RunId, Source, TenantId, Trigger, TriggerId, Waiting};
use marquetry_store::triggers::TriggerHead;
use marquetry_store::{Tx, triggers};

use crate::common::{NOW, ODD, World, add_trigger, at, give_to, on_both, trigger, waiting_of};

async fn waiting(tx: &mut Tx, tenant: TenantId) -> Vec<TriggerId> {
    let rows = waiting_of(tx, tenant).await;
    rows.iter().map(|row| row.id).collect()
}

fn ids(rows: &[Trigger]) -> Vec<TriggerId> {
    rows.iter().map(|row| row.id).collect()
}

on_both! {
    async fn a_trigger_comes_back_as_it_was(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        let every_byte: Vec<u8> = (0..=255).collect();
        for payload in [None, Some(Vec::new()), Some(every_byte), Some(vec![0xff; 100_000])] {
            for text in [None, Some(String::new()), Some(ODD.to_owned())] {
                let mut wanted = Trigger {
                    source: Source::Webhook, mode: Mode::Webhook, payload: payload.clone(),
                    payload_blob: text.clone(), headers: text, created_at: at(4),
                    ..trigger(world.tenants[0])
                };
                wanted.id = triggers::insert(&mut tx, &wanted).await.unwrap();
                let found = triggers::find(&mut tx, wanted.id).await.unwrap();
                assert_eq!(found, Some(wanted));
            }
        }
        assert_eq!(triggers::find(&mut tx, TriggerId::new(999)).await.unwrap(), None);
    }

    async fn a_trigger_of_no_tenant_is_refused(db) {
        let mut tx = db.write().await;
        assert!(triggers::insert(&mut tx, &trigger(TenantId::new(7))).await.is_err());
    }

    async fn what_waits_comes_in_order_of_arrival(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 2).await;
        let [one, two] = world.tenants[..] else { panic!() };
        let mut expected = Vec::new();
        for (source, mode, millis) in [
            (Source::Cron, Mode::Normal, 9), (Source::Api, Mode::Init, 5), (Source::Manual, Mode::Normal, 7),
        ] {
            let row = Trigger { source, mode, created_at: at(millis), ..trigger(one) };
            let id = triggers::insert(&mut tx, &row).await.unwrap();
            expected.push(Waiting { id, source, mode, is_rerun: false, created_at: at(millis) });
            add_trigger(&mut tx, two).await;
        }
        assert_eq!(waiting_of(&mut tx, one).await, expected);
        assert!(waiting_of(&mut tx, TenantId::new(77)).await.is_empty());
    }

    async fn a_run_takes_only_what_waits(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 2).await;
        let [one, two] = world.tenants[..] else { panic!() };
        let (first, second) = (world.add_run(&mut tx, one).await.id, world.add_run(&mut tx, two).await.id);
        let mut made = Vec::new();
        for _ in 0..4 {
            made.push(add_trigger(&mut tx, one).await);
        }
        assert_eq!(give_to(&mut tx, first, &made[..1]).await, 1);
        assert_eq!(give_to(&mut tx, second, &made[..1]).await, 0, "taken");
        assert!(triggers::cancel(&mut tx, made[1], at(1)).await.unwrap());
        assert_eq!(give_to(&mut tx, second, &made[1..2]).await, 0, "cancelled");
        let absent = [made[3], TriggerId::new(999), made[0], made[1], made[2]];
        assert_eq!(give_to(&mut tx, second, &absent).await, 2);
        assert_eq!(give_to(&mut tx, second, &[]).await, 0);
        assert_eq!(ids(&triggers::list_of_runs(&mut tx, &[first]).await.unwrap()), made[..1]);
        let of_second = triggers::list_of_runs(&mut tx, &[second]).await.unwrap();
        assert_eq!(ids(&of_second), made[2..]);
        assert!(of_second.iter().all(|row| row.run_id == Some(second)));
        assert!(waiting(&mut tx, one).await.is_empty());
    }

    async fn triggers_of_several_runs(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 3).await;
        let (mut runs, mut made) = (Vec::new(), Vec::new());
        for &tenant in &world.tenants {
            let run = world.add_run(&mut tx, tenant).await.id;
            let taken = [add_trigger(&mut tx, tenant).await, add_trigger(&mut tx, tenant).await];
            assert_eq!(give_to(&mut tx, run, &taken).await, 2);
            runs.push(run);
            made.extend(taken);
        }
        let none = RunId::new(999);
        for (of, expected) in [
            (vec![], vec![]),
            (vec![runs[1]], made[2..4].to_vec()),
            (vec![runs[2], none, runs[0]], [&made[..2], &made[4..]].concat()),
            (vec![none], vec![]),
        ] {
            for (most, left) in [(None, 2), (Some(2), 2), (Some(1), 1), (Some(0), 0)] {
                let expected: Vec<_> = expected.chunks(2).flat_map(|of_run| &of_run[..left]).copied().collect();
                let heads = triggers::list_heads(&mut tx, &of, most).await.unwrap();
                let found: Vec<_> = heads.iter().map(|(_, head)| head.id).collect();
                assert_eq!(found, expected, "{of:?} {most:?}");
            }
        }
        assert!(triggers::list_of_runs(&mut tx, &[none]).await.unwrap().is_empty());
    }

    async fn a_head_knows_how_large_its_payload_is(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        let run = world.add_run(&mut tx, world.tenants[0]).await.id;
        let payloads = [None, Some(Vec::new()), Some(vec![0xff; 100_000]), Some("ä\0".into())];
        let (mut made, mut kept) = (Vec::new(), Vec::new());
        for payload in payloads.clone() {
            let row = Trigger {
                source: Source::Webhook, mode: Mode::Init, created_at: at(4), payload: payload.clone(),
                payload_blob: payload.is_none().then(|| "payload/0".to_owned()),
                ..trigger(world.tenants[0])
            };
            let id = triggers::insert(&mut tx, &row).await.unwrap();
            kept.extend(payload.map(|payload| (id, payload)));
            made.push(id);
        }
        give_to(&mut tx, run, &made).await;
        let expected: Vec<_> = made.iter().zip(payloads).map(|(id, payload)| (run, TriggerHead {
            id: *id, source: Source::Webhook, mode: Mode::Init, created_at: at(4),
            payload_blob: payload.is_none().then(|| "payload/0".to_owned()),
            payload_bytes: payload.map(|payload| payload.len().try_into().unwrap()),
        })).collect();
        assert_eq!(triggers::list_heads(&mut tx, &[run], None).await.unwrap(), expected);
        assert_eq!(triggers::list_payloads(&mut tx, &made).await.unwrap(), kept);
        assert_eq!(triggers::list_payloads(&mut tx, &made[1..2]).await.unwrap(), kept[..1]);
        assert!(triggers::list_payloads(&mut tx, &[]).await.unwrap().is_empty());
    }

    async fn only_what_waits_is_cancelled(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 2).await;
        let [one, two] = world.tenants[..] else { panic!() };
        let run = world.add_run(&mut tx, one).await.id;
        let mut made = Vec::new();
        for tenant in [one, one, one, one, two] {
            made.push(add_trigger(&mut tx, tenant).await);
        }
        give_to(&mut tx, run, &made[..1]).await;
        assert!(!triggers::cancel(&mut tx, made[0], NOW).await.unwrap(), "a run has it");
        assert!(triggers::cancel(&mut tx, made[1], at(1)).await.unwrap());
        assert!(!triggers::cancel(&mut tx, made[1], at(2)).await.unwrap(), "once");
        assert!(!triggers::cancel(&mut tx, TriggerId::new(999), NOW).await.unwrap());
        assert_eq!(waiting(&mut tx, one).await, made[2..4]);
        assert_eq!(triggers::cancel_waiting(&mut tx, one, at(3)).await.unwrap(), 2);
        assert_eq!(triggers::cancel_waiting(&mut tx, one, at(4)).await.unwrap(), 0);
        let cancelled = triggers::list_cancelled(&mut tx, one, 2).await.unwrap();
        let times: Vec<_> = cancelled.iter().map(|(_, at)| *at).collect();
        assert_eq!(times, [at(3), at(3)], "newest first");
        assert!(cancelled[0].0 > cancelled[1].0);
        assert_eq!(triggers::list_cancelled(&mut tx, one, 9).await.unwrap().len(), 3);
        assert_eq!(waiting(&mut tx, two).await, made[4..]);
        let mut times = Vec::new();
        for id in made {
            times.push(triggers::find(&mut tx, id).await.unwrap().unwrap().cancelled_at);
        }
        assert_eq!(times, [None, Some(at(1)), Some(at(3)), Some(at(3)), None]);
    }
}
