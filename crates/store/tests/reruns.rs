//! `reruns`: lock_run, insert, find, list_by_hand, update_by_hand. `outputs`: insert, get. `tenant_configs`:
//! insert, find, list, update.

use marquetry_model::{Given, Mode, OutputId, Rerun, RunId, Source, TriggerId, Waiting};
use marquetry_store::{outputs, reruns, runs, tenant_configs, tenant_states, tenants};
use serde_json::json;

use crate::common::{
    NOW, ODD, World, at, claimer, dispatched, end_run, finish_run, insert_run, on_both, waiting_of,
};
use crate::runs::{claim_of, outcome};
use crate::tenants::object;

on_both! {
    async fn a_rerun_comes_back_as_it_was_asked_for(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        let tenant = world.tenants[0];
        let run = world.add_run(&mut tx, tenant).await;
        let plain = Rerun::of(run.id);
        let full = Rerun {
            configs: Some(object(json!({"z": ODD, "a": null}))), configs_version: Some(4),
            given: Some(Given {
                last_run_id: Some(RunId::new(3)), last_successful_run_id: Some(RunId::new(2)),
                output_id: Some(OutputId::new(1)),
            }),
            release_id: Some(world.release), is_saved: false, ..plain.clone()
        };
        let empty = Rerun { given: Some(Given::default()), ..plain.clone() };
        let mut waiting = Vec::new();
        for rerun in [plain, full, empty] {
            let id = reruns::insert(&mut tx, tenant, Mode::Webhook, &rerun, at(7)).await.unwrap();
            assert_eq!(reruns::find(&mut tx, id).await.unwrap(), Some(rerun));
            waiting.push(Waiting {
                id, source: Source::Manual, mode: Mode::Webhook, is_rerun: true, created_at: at(7),
            });
        }
        assert_eq!(waiting_of(&mut tx, tenant).await, waiting);
        assert_eq!(reruns::find(&mut tx, TriggerId::new(99)).await.unwrap(), None);
    }

    async fn an_output_stays_until_another_run_succeeds(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        let tenant = world.tenants[0];
        let text = outputs::insert(&mut tx, tenant, Some(ODD), NOW).await.unwrap();
        let none = outputs::insert(&mut tx, tenant, None, NOW).await.unwrap();
        assert_eq!(outputs::get(&mut tx, text).await.unwrap().as_deref(), Some(ODD));
        assert_eq!(outputs::get(&mut tx, none).await.unwrap(), None);
        assert!(outputs::get(&mut tx, OutputId::new(99)).await.is_err());
        tenant_states::update_output(&mut tx, tenant, text).await.unwrap();
        for (is_saved, succeeded, left) in [
            (true, false, Some(text)), (false, true, Some(text)), (true, true, None),
        ] {
            let before = tenant_states::get(&mut tx, tenant).await.unwrap();
            assert_eq!(before.output_id, Some(text));
            let wanted = runs::NewRun { is_saved, ..world.run(tenant) };
            let run = insert_run(&mut tx, &wanted, Some(&claimer("a")), NOW).await;
            let run = run.unwrap().unwrap();
            tenant_states::update_dispatched(&mut tx, &[dispatched(tenant, 0, None, run.id)]).await.unwrap();
            let phase = outcome(marquetry_model::Phase::Succeeded);
            assert!(finish_run(&mut tx, &claim_of(&run), &phase, NOW).await.unwrap());
            end_run(&mut tx, tenant, run.id, succeeded, NOW).await.unwrap();
            let state = tenant_states::get(&mut tx, tenant).await.unwrap();
            assert_eq!((state.current_run_id, state.output_id), (None, left));
            let seen = |was, now: bool| if now { Some(run.id) } else { was };
            assert_eq!(state.last_run_id, seen(before.last_run_id, is_saved));
            let now = is_saved && succeeded;
            assert_eq!(state.last_successful_run_id, seen(before.last_successful_run_id, now));
        }
    }

    async fn settings_that_were_written_by_hand_are_found(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 2).await;
        let [tenant, other] = world.tenants[..] else { panic!() };
        let mut ids = Vec::new();
        for id in [tenant, other] {
            let run = world.add_run(&mut tx, id).await.id;
            for configs in [None, Some(object(json!({"z": ODD, "a": 1})))] {
                let rerun = Rerun { configs, ..Rerun::of(run) };
                ids.push(reruns::insert(&mut tx, id, Mode::Normal, &rerun, NOW).await.unwrap());
            }
        }
        let found = reruns::list_by_hand(&mut tx, tenant).await.unwrap();
        assert_eq!(found, [(ids[1], object(json!({"z": ODD, "a": 1})))]);
        let shorter = object(json!({"z": ODD}));
        reruns::update_by_hand(&mut tx, ids[1], &shorter).await.unwrap();
        assert_eq!(reruns::list_by_hand(&mut tx, tenant).await.unwrap(), [(ids[1], shorter.clone())]);
        assert_eq!(reruns::find(&mut tx, ids[1]).await.unwrap().unwrap().configs, Some(shorter));
        let left = reruns::list_by_hand(&mut tx, other).await.unwrap();
        assert_eq!(left, [(ids[3], object(json!({"z": ODD, "a": 1})))]);
    }

    async fn former_settings_are_kept_by_version(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 2).await;
        let [tenant, other] = world.tenants[..] else { panic!() };
        let first = object(json!({"z": ODD}));
        for (version, configs) in [(0, first.clone()), (1, object(json!({})))] {
            assert_eq!(tenants::get(&mut tx, tenant).await.unwrap().configs_version, version);
            tenant_configs::insert(&mut tx, tenant, &configs).await.unwrap();
        }
        let mut changed = tenants::get(&mut tx, tenant).await.unwrap();
        "other".clone_into(&mut changed.name);
        tenants::update(&mut tx, &changed).await.unwrap();
        assert_eq!(tenants::get(&mut tx, tenant).await.unwrap().configs_version, 2);
        assert_eq!(tenants::get(&mut tx, other).await.unwrap().configs_version, 0);
        assert_eq!(tenant_configs::find(&mut tx, tenant, 0).await.unwrap(), Some(first));
        assert_eq!(tenant_configs::find(&mut tx, tenant, 2).await.unwrap(), None);
        assert_eq!(tenant_configs::find(&mut tx, other, 0).await.unwrap(), None);
        tenant_configs::insert(&mut tx, other, &object(json!({"other": 1}))).await.unwrap();
        let shorter = object(json!({"z": 1}));
        tenant_configs::update(&mut tx, tenant, 0, &shorter).await.unwrap();
        let all = tenant_configs::list(&mut tx, tenant).await.unwrap();
        assert_eq!(all, [(0, shorter), (1, object(json!({})))]);
        let all = tenant_configs::list(&mut tx, other).await.unwrap();
        assert_eq!(all, [(0, object(json!({"other": 1})))]);
    }
}
