//! Rows of earlier versions, after a migration that changes rows.

use marquetry_model::{Given, Phase, RunId};
use marquetry_store::runs::NewRun;
use marquetry_store::{Tx, outputs, runs, tenant_states};

use crate::common::{Db, NOW, World, dispatched, end_run, finish_run, insert_run, on_both, open};
use crate::opening::statement;
use crate::runs::{claim_of, outcome};

async fn given(tx: &mut Tx, id: RunId) -> Given {
    runs::get(tx, id).await.unwrap().given
}

on_both! {
    async fn runs_that_waited_before_their_state_was_kept_are_given_it(db) {
        let db = open(db.kind()).await;
        let world = World::make(&db, 3).await;
        let mut tx = db.write().await;
        for tenant in &world.tenants {
            let ended = world.add_running(&mut tx, *tenant, "a").await;
            tenant_states::update_dispatched(&mut tx, &[dispatched(*tenant, 0, None, ended.id)]).await.unwrap();
            let end = outcome(Phase::Succeeded);
            assert!(finish_run(&mut tx, &claim_of(&ended), &end, NOW).await.unwrap());
            end_run(&mut tx, *tenant, ended.id, true, NOW).await.unwrap();
            let output = outputs::insert(&mut tx, *tenant, Some("{}"), NOW).await.unwrap();
            tenant_states::update_output(&mut tx, *tenant, output).await.unwrap();
        }
        let [old, new, rerun] = world.tenants[..] else { panic!() };
        let before = |tenant| NewRun { configs_version: None, ..world.run(tenant) };
        let repeats = NewRun { rerun_of: Some(RunId::new(1)), ..before(rerun) };
        let mut made = Vec::new();
        for wanted in [before(old), world.run(new), repeats] {
            made.push(insert_run(&mut tx, &wanted, None, NOW).await.unwrap().unwrap().id);
        }
        tx.commit().await.unwrap();
        let closed = db.close();
        statement(&closed.options, "DELETE FROM schema_migrations WHERE version = 10").await;

        let db = Db::from_closed(closed, NOW).await;
        let mut tx = db.read().await;
        let state = tenant_states::get(&mut tx, old).await.unwrap().given();
        assert!(state.last_run_id.is_some() && state.last_successful_run_id.is_some() && state.output_id.is_some());
        assert_eq!(given(&mut tx, made[0]).await, state);
        for (other, why) in [
            (made[1], "it has what it was given, if nothing"),
            (made[2], "a rerun has what it was asked with"),
            (RunId::new(1), "nobody knows what one that is over was given"),
        ] {
            assert_eq!(given(&mut tx, other).await, Given::default(), "{why}");
        }
    }
}
