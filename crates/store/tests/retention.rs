//! `retention`: delete_runs, delete_cancelled, delete_webhook_bodies, find_forgotten,
//! delete_build_logs, delete_outputs, list_referenced.

use marquetry_model::{Phase, Rerun, Run, RunId, Source, TenantId, Timestamp, Trigger, TriggerId};
use marquetry_store::builds::{BuildClaim, BuildEnd};
use marquetry_store::logs::LogOf;
use marquetry_store::retention::RunsStep;
use marquetry_store::{
    Tx, builds, logs, outputs, reruns, retention, runs, tenant_configs, tenant_states, tenants,
    triggers,
};

use crate::common::{
    Kind, NOW, World, add_build, add_trigger, append_log, at, dispatched, end_run, finish_run,
    give_to, on_both, trigger, wait_for_a_blocked_statement,
};
use crate::runs::{claim_of, outcome};

/// A run with a trigger and a line of log that ended.
async fn ended(tx: &mut Tx, world: &World, tenant: TenantId, end: Timestamp) -> Run {
    let id = add_trigger(tx, tenant).await;
    tenant_states::accept(tx, tenant, NOW, 9).await.unwrap();
    let run = world.add_running(tx, tenant, "a").await;
    give_to(tx, run.id, &[id]).await;
    tenant_states::update_dispatched(tx, &[dispatched(tenant, 1, None, run.id)])
        .await
        .unwrap();
    append_log(tx, LogOf::Run(run.id), 1, b"line\n".to_vec())
        .await
        .unwrap();
    finish(tx, &run, end).await;
    end_run(tx, tenant, run.id, true, end).await.unwrap();
    run
}

/// A run that took a webhook, and ended.
async fn ended_webhook(tx: &mut Tx, world: &World, tenant: TenantId) -> (Run, TriggerId) {
    let webhook = Trigger {
        source: Source::Webhook,
        payload: Some(b"body".to_vec()),
        headers: Some("{}".to_owned()),
        ..trigger(tenant)
    };
    let id = triggers::insert(tx, &webhook).await.unwrap();
    let run = world.add_running(tx, tenant, "a").await;
    give_to(tx, run.id, &[id]).await;
    finish(tx, &run, at(1)).await;
    (run, id)
}

async fn finish(tx: &mut Tx, run: &Run, end: Timestamp) {
    let done = finish_run(tx, &claim_of(run), &outcome(Phase::Succeeded), end).await;
    assert!(done.unwrap());
}

/// Asks for a run once more.
async fn rerun(tx: &mut Tx, run: &Run) -> TriggerId {
    let asked = reruns::insert(tx, run.tenant_id, run.mode, &Rerun::of(run.id), NOW).await;
    asked.unwrap()
}

async fn delete(tx: &mut Tx, before: Timestamp) -> u64 {
    let all = RunId::new(0);
    let step = retention::delete_runs(tx, all, before, 99).await.unwrap();
    step.deleted
}

async fn is_there(tx: &mut Tx, id: RunId) -> bool {
    runs::find(tx, id).await.unwrap().is_some()
}

on_both! {
    async fn runs_leave_with_all_that_is_theirs_but_the_last_ones(db) {
        let world = World::make(db, 2).await;
        let [one, two] = world.tenants[..] else { panic!() };
        let mut tx = db.write().await;
        let first = ended(&mut tx, &world, one, at(10)).await;
        let last = ended(&mut tx, &world, one, at(20)).await;
        let young = ended(&mut tx, &world, two, at(30)).await;
        let live = world.add_running(&mut tx, one, "a").await;
        assert_eq!(delete(&mut tx, at(10)).await, 0, "it ended not before then");
        assert_eq!(delete(&mut tx, at(25)).await, 1);
        assert!(!is_there(&mut tx, first.id).await);
        for kept in [last.id, young.id, live.id] {
            assert!(is_there(&mut tx, kept).await);
        }
        assert!(triggers::list_of_runs(&mut tx, &[first.id]).await.unwrap().is_empty());
        assert!(logs::list(&mut tx, LogOf::Run(first.id), 0, 9).await.unwrap().is_empty());
        assert_eq!(triggers::list_of_runs(&mut tx, &[last.id]).await.unwrap().len(), 1);
        assert_eq!(logs::list(&mut tx, LogOf::Run(last.id), 0, 9).await.unwrap().len(), 1);
        assert_eq!(delete(&mut tx, at(25)).await, 0, "once");
    }

    async fn an_archived_tenant_keeps_its_last_runs_and_no_output_set_by_hand(db) {
        let world = World::make(db, 1).await;
        let id = world.tenants[0];
        let mut tx = db.write().await;
        let output = outputs::insert(&mut tx, id, Some("1"), at(1)).await.unwrap();
        let older = ended(&mut tx, &world, id, at(1)).await;
        let succeeded = ended(&mut tx, &world, id, at(1)).await;
        tenant_states::update_output(&mut tx, id, output).await.unwrap();
        let live = world.add_running(&mut tx, id, "a").await;
        let mut tenant = tenants::get(&mut tx, id).await.unwrap();
        tenant.archived_at = Some(at(2));
        tenants::update(&mut tx, &tenant).await.unwrap();
        assert_eq!(delete(&mut tx, at(1)).await, 0, "not before their time");
        assert_eq!(delete(&mut tx, at(9)).await, 1);
        assert!(!is_there(&mut tx, older.id).await);
        assert!(is_there(&mut tx, succeeded.id).await);
        assert!(is_there(&mut tx, live.id).await);
        assert_eq!(retention::delete_outputs(&mut tx, at(9), 9).await.unwrap(), 1);
    }

    async fn a_step_looks_at_so_many_and_says_where_to_go_on(db) {
        let world = World::make(db, 1).await;
        let mut tx = db.write().await;
        let mut made = Vec::new();
        for n in 0..5 {
            made.push(ended(&mut tx, &world, world.tenants[0], at(n)).await.id);
        }
        let step = retention::delete_runs(&mut tx, RunId::new(0), at(9), 2).await.unwrap();
        assert_eq!(step, RunsStep { next: Some(made[1]), deleted: 2 });
        let step = retention::delete_runs(&mut tx, made[1], at(9), 9).await.unwrap();
        assert_eq!(step, RunsStep { next: Some(made[4]), deleted: 2 }, "the last one is kept");
        let step = retention::delete_runs(&mut tx, made[4], at(9), 9).await.unwrap();
        assert_eq!(step, RunsStep { next: None, deleted: 0 });
        let step = retention::delete_runs(&mut tx, RunId::new(0), NOW, 9).await.unwrap();
        assert_eq!(step.next, None, "what follows was made later");
    }

    async fn what_a_rerun_goes_back_to_stays_as_long_as_it(db) {
        let world = World::make(db, 1).await;
        let tenant = world.tenants[0];
        let mut tx = db.write().await;
        let origin = ended(&mut tx, &world, tenant, at(1)).await;
        let asked = rerun(&mut tx, &origin).await;
        ended(&mut tx, &world, tenant, at(2)).await;
        assert_eq!(delete(&mut tx, at(9)).await, 0, "it waits");
        let again = world.add_running(&mut tx, tenant, "a").await;
        give_to(&mut tx, again.id, &[asked]).await;
        finish(&mut tx, &again, at(3)).await;
        assert_eq!(delete(&mut tx, at(9)).await, 1, "the rerun, which was not saved");
        assert!(is_there(&mut tx, origin.id).await);
        assert_eq!(reruns::find(&mut tx, asked).await.unwrap(), None);
        assert_eq!(delete(&mut tx, at(9)).await, 1, "and then what it repeated");
    }

    async fn former_settings_leave_with_the_last_run_that_had_them(db) {
        let world = World::make(db, 1).await;
        let id = world.tenants[0];
        let mut tx = db.write().await;
        let tenant = tenants::get(&mut tx, id).await.unwrap();
        ended(&mut tx, &world, id, at(1)).await;
        tenant_configs::insert(&mut tx, id, &tenant.configs).await.unwrap();
        ended(&mut tx, &world, id, at(2)).await;
        assert!(tenant_configs::find(&mut tx, id, 0).await.unwrap().is_some());
        assert_eq!(delete(&mut tx, at(2)).await, 1);
        assert!(tenant_configs::find(&mut tx, id, 0).await.unwrap().is_some(), "the other run had them too");
        ended(&mut tx, &world, id, at(3)).await;
        let version = tenants::get(&mut tx, id).await.unwrap().configs_version;
        let last = runs::find(&mut tx, RunId::new(3)).await.unwrap();
        runs::update_configs_version(&mut tx, last.unwrap().id, version).await.unwrap();
        assert_eq!(delete(&mut tx, at(3)).await, 1);
        assert_eq!(tenant_configs::find(&mut tx, id, 0).await.unwrap(), None);
    }

    async fn settings_that_no_run_had_leave_without_one(db) {
        let world = World::make(db, 2).await;
        let [id, other] = world.tenants[..] else { panic!() };
        let mut tx = db.write().await;
        for tenant in [id, other] {
            let configs = tenants::get(&mut tx, tenant).await.unwrap().configs;
            for _ in 0..2 {
                tenant_configs::insert(&mut tx, tenant, &configs).await.unwrap();
            }
        }
        // One that none had, and one that a run had.
        ended(&mut tx, &world, id, at(1)).await;
        let run = runs::find(&mut tx, RunId::new(1)).await.unwrap().unwrap();
        runs::update_configs_version(&mut tx, run.id, 1).await.unwrap();
        let next = retention::delete_unused_configs(&mut tx, TenantId::new(0), 1).await.unwrap();
        assert_eq!(next, Some(id));
        let mut left = Vec::new();
        for version in 0..3 {
            left.push(tenant_configs::find(&mut tx, id, version).await.unwrap().is_some());
        }
        assert_eq!(left, [false, true, false], "the present ones are the tenant's own");
        assert!(tenant_configs::find(&mut tx, other, 0).await.unwrap().is_some(), "not yet");
        assert_eq!(retention::delete_unused_configs(&mut tx, id, 9).await.unwrap(), Some(other));
        assert_eq!(tenant_configs::find(&mut tx, other, 0).await.unwrap(), None);
        assert_eq!(retention::delete_unused_configs(&mut tx, other, 9).await.unwrap(), None);
    }

    async fn cancelled_triggers_leave(db) {
        let world = World::make(db, 1).await;
        let mut tx = db.write().await;
        let mut made = Vec::new();
        for n in 0..4 {
            let id = add_trigger(&mut tx, world.tenants[0]).await;
            if n < 3 {
                assert!(triggers::cancel(&mut tx, id, at(n)).await.unwrap());
            }
            made.push(id);
        }
        assert_eq!(retention::delete_cancelled(&mut tx, at(2), 1).await.unwrap(), 1);
        assert_eq!(retention::delete_cancelled(&mut tx, at(2), 9).await.unwrap(), 1);
        assert_eq!(retention::delete_cancelled(&mut tx, at(2), 9).await.unwrap(), 0);
        let mut kept = Vec::new();
        for id in &made {
            if triggers::find(&mut tx, *id).await.unwrap().is_some() {
                kept.push(*id);
            }
        }
        assert_eq!(kept, made[2..]);
    }

    async fn bodies_of_webhooks_leave_before_their_runs(db) {
        let world = World::make(db, 1).await;
        let tenant = world.tenants[0];
        let mut tx = db.write().await;
        let run = world.add_running(&mut tx, tenant, "a").await;
        let webhook = Trigger {
            source: Source::Webhook, payload: Some(b"body".to_vec()), headers: Some("{}".to_owned()),
            ..trigger(tenant)
        };
        let mut made: Vec<TriggerId> = Vec::new();
        for source in [Source::Webhook, Source::Webhook, Source::Api] {
            made.push(triggers::insert(&mut tx, &Trigger { source, ..webhook.clone() }).await.unwrap());
        }
        give_to(&mut tx, run.id, &[made[0], made[2]]).await;
        let early = retention::delete_webhook_bodies(&mut tx, at(1), 9).await;
        assert_eq!(early.unwrap(), 0, "the run may not have read it yet");
        finish(&mut tx, &run, NOW).await;
        assert_eq!(retention::find_forgotten(&mut tx, run.id).await.unwrap(), None);
        assert_eq!(retention::delete_webhook_bodies(&mut tx, NOW, 9).await.unwrap(), 0);
        assert_eq!(retention::delete_webhook_bodies(&mut tx, at(1), 9).await.unwrap(), 1);
        assert_eq!(retention::delete_webhook_bodies(&mut tx, at(1), 9).await.unwrap(), 0);
        assert_eq!(retention::find_forgotten(&mut tx, run.id).await.unwrap(), Some(made[0]));
        let mut payloads = Vec::new();
        for id in &made {
            let found = triggers::find(&mut tx, *id).await.unwrap().unwrap();
            payloads.push((found.payload.is_some(), found.headers.is_some()));
        }
        let (gone, kept) = ((false, false), (true, true));
        assert_eq!(payloads, [gone, kept, kept], "what waits is needed, and others stay");
        let waits = made[1];
        assert!(triggers::cancel(&mut tx, waits, at(1)).await.unwrap());
        assert_eq!(retention::delete_webhook_bodies(&mut tx, NOW, 9).await.unwrap(), 0);
        assert_eq!(retention::delete_webhook_bodies(&mut tx, at(1), 9).await.unwrap(), 1, "nobody waits for it");
        let cancelled = triggers::find(&mut tx, waits).await.unwrap().unwrap();
        assert_eq!((cancelled.payload, cancelled.headers), (None, None));
        assert_eq!(retention::delete_webhook_bodies(&mut tx, at(1), 9).await.unwrap(), 0);
    }

    async fn bodies_that_a_rerun_is_given_stay_until_it_is_over(db) {
        let world = World::make(db, 3).await;
        let mut tx = db.write().await;
        let mut asked = Vec::new();
        for tenant in world.tenants.clone() {
            let (run, _) = ended_webhook(&mut tx, &world, tenant).await;
            asked.push((rerun(&mut tx, &run).await, run));
        }
        let [(waits, first), (cancelled, second), (taken, third)] = &asked[..] else { panic!() };
        triggers::cancel(&mut tx, *cancelled, at(2)).await.unwrap();
        let again = world.add_running(&mut tx, third.tenant_id, "a").await;
        give_to(&mut tx, again.id, &[*taken]).await;
        assert_eq!(retention::delete_webhook_bodies(&mut tx, at(9), 9).await.unwrap(), 1);
        assert!(retention::find_forgotten(&mut tx, second.id).await.unwrap().is_some());
        finish(&mut tx, &again, at(3)).await;
        assert_eq!(retention::delete_webhook_bodies(&mut tx, at(9), 9).await.unwrap(), 1);
        assert!(retention::find_forgotten(&mut tx, third.id).await.unwrap().is_some());
        assert_eq!(retention::find_forgotten(&mut tx, first.id).await.unwrap(), None);
        triggers::cancel(&mut tx, *waits, at(4)).await.unwrap();
        assert_eq!(retention::delete_webhook_bodies(&mut tx, at(9), 9).await.unwrap(), 1);
    }

    async fn nothing_of_a_run_that_is_asked_for_again_is_removed_meanwhile(db) {
        let world = World::make(db, 1).await;
        let mut tx = db.write().await;
        let (run, _) = ended_webhook(&mut tx, &world, world.tenants[0]).await;
        tx.commit().await.unwrap();
        let mut asking = db.write().await;
        assert_eq!(reruns::lock_run(&mut asking, run.id).await.unwrap().id, run.id);
        if db.kind() == Kind::Sqlite {
            return;
        }
        let mut removing = db.write().await;
        assert_eq!(delete(&mut removing, at(9)).await, 0);
        assert_eq!(retention::delete_webhook_bodies(&mut removing, at(9), 9).await.unwrap(), 0);
        // When this answers, its locks are gone; a drop says nothing of when.
        asking.commit().await.unwrap();
        assert_eq!(retention::delete_webhook_bodies(&mut removing, at(9), 9).await.unwrap(), 1);
    }

    async fn a_run_that_is_being_removed_is_not_found_to_repeat_it(db) {
        let world = World::make(db, 1).await;
        let mut tx = db.write().await;
        let (run, _) = ended_webhook(&mut tx, &world, world.tenants[0]).await;
        tx.commit().await.unwrap();
        let mut removing = db.write().await;
        assert_eq!(delete(&mut removing, at(9)).await, 1);
        let store = db.store.clone();
        let asking = tokio::spawn(async move {
            let mut tx = store.write().await.unwrap();
            reruns::lock_run(&mut tx, run.id).await
        });
        if db.kind() == Kind::Postgres {
            wait_for_a_blocked_statement(db).await;
        }
        removing.commit().await.unwrap();
        let error = asking.await.unwrap().unwrap_err();
        assert!(matches!(error, marquetry_store::Error::NotFound { .. }), "{error}");
    }

    async fn logs_of_builds_leave(db) {
        let world = World::make(db, 0).await;
        let mut tx = db.write().await;
        let mut made = Vec::new();
        for n in 0..3 {
            let build = add_build(&mut tx, world.integration).await;
            append_log(&mut tx, LogOf::Build(build.id), 1, b"line\n".to_vec()).await.unwrap();
            made.push(build.id);
            if n == 2 {
                break;
            }
            loop {
                let taken = builds::claim(&mut tx, "a", at(99), NOW, 1).await.unwrap();
                let one = &taken[0];
                let claim = BuildClaim { id: one.id, attempt: one.attempt, node: "a".to_owned() };
                let end = BuildEnd {
                    status: marquetry_model::BuildStatus::Failed, message: None, tag: None,
                    commit_hash: None, release_ids: Vec::new(),
                };
                assert!(builds::finish(&mut tx, &claim, &end, at(n)).await.unwrap());
                if one.id == build.id {
                    break;
                }
            }
        }
        logs::update_blob(&mut tx, LogOf::Build(made[1]), "log/1").await.unwrap();
        assert_eq!(retention::delete_build_logs(&mut tx, at(1), 9).await.unwrap(), 1);
        assert!(logs::list(&mut tx, LogOf::Build(made[0]), 0, 9).await.unwrap().is_empty());
        assert_eq!(logs::find_blob(&mut tx, LogOf::Build(made[1])).await.unwrap().as_deref(), Some("log/1"));
        assert_eq!(retention::delete_build_logs(&mut tx, at(9), 9).await.unwrap(), 1);
        assert_eq!(logs::find_blob(&mut tx, LogOf::Build(made[1])).await.unwrap(), None);
        assert_eq!(retention::delete_build_logs(&mut tx, at(9), 9).await.unwrap(), 0);
        assert_eq!(logs::list(&mut tx, LogOf::Build(made[2]), 0, 9).await.unwrap().len(), 1, "it is open");
    }

    async fn outputs_leave_when_nothing_stands_for_them(db) {
        let world = World::make(db, 1).await;
        let tenant = world.tenants[0];
        let mut tx = db.write().await;
        let first = outputs::insert(&mut tx, tenant, Some("1"), at(1)).await.unwrap();
        tenant_states::update_output(&mut tx, tenant, first).await.unwrap();
        assert_eq!(retention::delete_outputs(&mut tx, at(9), 9).await.unwrap(), 0, "it is the present one");
        let second = outputs::insert(&mut tx, tenant, Some("2"), at(2)).await.unwrap();
        tenant_states::update_output(&mut tx, tenant, second).await.unwrap();
        assert_eq!(retention::delete_outputs(&mut tx, at(1), 9).await.unwrap(), 0);
        assert_eq!(retention::delete_outputs(&mut tx, at(9), 9).await.unwrap(), 1);
        assert_eq!(outputs::get(&mut tx, second).await.unwrap().as_deref(), Some("2"));
        assert!(outputs::get(&mut tx, first).await.is_err());
    }

    async fn a_blob_that_something_refers_to_is_known(db) {
        let world = World::make(db, 1).await;
        let mut tx = db.write().await;
        let payload = Trigger { payload_blob: Some("payload/1".to_owned()), ..trigger(world.tenants[0]) };
        triggers::insert(&mut tx, &payload).await.unwrap();
        let run = world.add_run(&mut tx, world.tenants[0]).await;
        logs::update_blob(&mut tx, LogOf::Run(run.id), "log/1").await.unwrap();
        let build = add_build(&mut tx, world.integration).await;
        logs::update_blob(&mut tx, LogOf::Build(build.id), "log/2").await.unwrap();
        builds::insert_source(&mut tx, world.integration, None, "source/1", NOW).await.unwrap();
        let artifact = marquetry_store::releases::get(&mut tx, world.release).await.unwrap().artifact;
        let all = ["payload/1", "log/1", "log/2", "source/1", &artifact, "log/3", "o'dd \"one\""];
        let all: Vec<String> = all.iter().map(|name| (*name).to_owned()).collect();
        let mut found = retention::list_referenced(&mut tx, &all, NOW, NOW).await.unwrap();
        found.sort_unstable();
        let mut expected: Vec<Box<str>> = all[..5].iter().map(|name| name.as_str().into()).collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
        assert!(retention::list_referenced(&mut tx, &[], NOW, NOW).await.unwrap().is_empty());
    }
}
