//! `run_views`: get, list, list_by_id.

use marquetry_model::{PageRequest, RunId, TriggerId};
use marquetry_store::run_views::{self, RunView};
use marquetry_store::runs::RunFilter;
use marquetry_store::{Error, Tx, runs, triggers};

use crate::common::{World, add_trigger, give_to, on_both, sorted};

/// A run for each number, with so many triggers.
async fn runs_with(tx: &mut Tx, world: &World, counts: &[usize]) -> Vec<(RunId, Vec<TriggerId>)> {
    let mut made = Vec::new();
    for (&tenant, &count) in world.tenants.iter().zip(counts) {
        let run = world.add_run(tx, tenant).await.id;
        let mut taken = Vec::new();
        for _ in 0..count {
            taken.push(add_trigger(tx, tenant).await);
        }
        give_to(tx, run, &taken).await;
        made.push((run, taken));
    }
    made
}

fn ids(views: &[RunView]) -> Vec<(RunId, Vec<TriggerId>)> {
    let triggers = |view: &RunView| view.triggers.iter().map(|head| head.id).collect();
    views
        .iter()
        .map(|view| (view.run.id, triggers(view)))
        .collect()
}

const COUNTS: [usize; 5] = [0, 1, 2, 3, 7];

on_both! {
    async fn a_run_comes_with_all_its_triggers(db) {
        let world = World::make(db, COUNTS.len()).await;
        let mut tx = db.write().await;
        for (run, taken) in runs_with(&mut tx, &world, &COUNTS).await {
            let view = run_views::get(&mut tx, run).await.unwrap();
            assert_eq!(view.run, runs::get(&mut tx, run).await.unwrap());
            let heads = triggers::list_heads(&mut tx, &[run], None).await.unwrap();
            assert_eq!(view.triggers, heads.into_iter().map(|(_, head)| head).collect::<Vec<_>>());
            assert_eq!(ids(&[view]), [(run, taken)]);
        }
        let error = run_views::get(&mut tx, RunId::new(999)).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { kind: "run", .. }), "{error:?}");
    }

    async fn a_page_of_runs_keeps_its_order_and_its_size(db) {
        let world = World::make(db, COUNTS.len()).await;
        let mut tx = db.write().await;
        let made = runs_with(&mut tx, &world, &COUNTS).await;
        for descending in [false, true] {
            let mut expected = made.clone();
            if descending {
                expected.reverse();
            }
            let sort = if descending { "tenant_id__DESC" } else { "tenant_id__ASC" };
            for (limit, skip) in [(5, 0), (2, 0), (2, 1), (3, 2), (9, 4), (0, 0)] {
                let request = PageRequest { limit, skip, total: true, ..sorted(sort) };
                let page = run_views::list(&mut tx, &RunFilter::default(), &request).await.unwrap();
                let part = expected.iter().skip(skip.try_into().unwrap()).take(limit.try_into().unwrap());
                assert_eq!(ids(&page.items), part.cloned().collect::<Vec<_>>(), "{request:?}");
                assert_eq!((page.total, page.has_more), (Some(5), limit + skip < 5), "{request:?}");
            }
        }
        let page = run_views::list(&mut tx, &RunFilter::default(), &PageRequest::default()).await.unwrap();
        assert_eq!(ids(&page.items), made.iter().rev().cloned().collect::<Vec<_>>(), "newest first");
    }

    async fn several_runs_by_id_with_their_first_triggers(db) {
        let world = World::make(db, COUNTS.len()).await;
        let mut tx = db.write().await;
        let made = runs_with(&mut tx, &world, &COUNTS).await;
        let none = RunId::new(999);
        for wanted in [vec![], vec![3], vec![4, 0, 2, 4], vec![1]] {
            for most in [0, 1, 3, 20] {
                let mut of: Vec<_> = wanted.iter().map(|n: &usize| made[*n].0).collect();
                of.push(none);
                let mut found = ids(&run_views::list_by_id(&mut tx, &of, most).await.unwrap());
                found.sort_unstable();
                let mut expected: Vec<_> = wanted.iter().map(|n| made[*n].clone()).collect();
                expected.sort_unstable();
                expected.dedup();
                for (_, taken) in &mut expected {
                    taken.truncate(most.try_into().unwrap());
                }
                assert_eq!(found, expected, "{of:?} {most}");
            }
        }
        assert!(run_views::list_by_id(&mut tx, &[], 1).await.unwrap().is_empty());
    }
}
