//! `runs::claim` and `runs::claim_lost`: who gets a run, and who gets it when its node is lost.

use marquetry_model::{Phase, Run, RunId};
use marquetry_store::{Store, Tx, integrations, runs};

use crate::common::{Kind, NOW, World, at, claimer, finish_run, on_both};
use crate::runs::{claim_of, outcome};

async fn take(tx: &mut Tx, node: &str, limit: i64) -> Vec<Run> {
    let taken = runs::claim(tx, &claimer(node), at(1), limit).await;
    taken.unwrap()
}

fn ids(runs: &[Run]) -> Vec<RunId> {
    runs.iter().map(|run| run.id).collect()
}

async fn take_and_commit(store: Store, node: &'static str, limit: i64) -> Vec<RunId> {
    let mut tx = store.write().await.unwrap();
    let taken = take(&mut tx, node, limit).await;
    tx.commit().await.unwrap();
    ids(&taken)
}

on_both! {
    async fn a_claim_takes_the_oldest_and_never_more_than_asked(db) {
        let world = World::make(db, 9).await;
        let mut tx = db.write().await;
        let mut made = Vec::new();
        for &tenant in &world.tenants {
            made.push(world.add_run(&mut tx, tenant).await.id);
        }
        assert!(take(&mut tx, "a", 0).await.is_empty());
        let first = take(&mut tx, "a", 2).await;
        assert_eq!(ids(&first), made[..2]);
        for run in first {
            assert_eq!((run.phase, run.attempt, run.node.as_deref(), run.started_at),
                (Phase::Running, 1, Some("a"), Some(at(1))));
        }
        assert_eq!(ids(&take(&mut tx, "b", 3).await), made[2..5]);
        assert_eq!(ids(&take(&mut tx, "a", 99).await), made[5..]);
        assert!(take(&mut tx, "a", 99).await.is_empty());
    }

    async fn runs_of_a_paused_integration_wait(db) {
        let paused = World::make(db, 2).await;
        let mut tx = db.write().await;
        let other = World::make_in(&mut tx, "erp", 1).await;
        for &tenant in &paused.tenants {
            paused.add_run(&mut tx, tenant).await;
        }
        let free = other.add_run(&mut tx, other.tenants[0]).await.id;
        let mut integration = integrations::get(&mut tx, paused.integration).await.unwrap();
        integration.paused = true;
        integrations::update(&mut tx, &integration).await.unwrap();
        assert_eq!(ids(&take(&mut tx, "a", 9).await), [free], "the paused ones take no place");
        integration.paused = false;
        integrations::update(&mut tx, &integration).await.unwrap();
        assert_eq!(take(&mut tx, "a", 9).await.len(), 2);
    }

    async fn claimers_at_once_never_share_a_run(db) {
        let world = World::make(db, 20).await;
        let mut tx = db.write().await;
        for &tenant in &world.tenants {
            world.add_run(&mut tx, tenant).await;
        }
        tx.commit().await.unwrap();
        let tasks: Vec<_> = ["a", "b", "c", "d"]
            .map(|node| tokio::spawn(take_and_commit(db.store.clone(), node, 3)))
            .into();
        let mut taken = Vec::new();
        for task in tasks {
            let of_one = task.await.unwrap();
            assert_eq!(of_one.len(), 3, "there is enough for all");
            taken.extend(of_one);
        }
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), 12, "each once");
        assert_eq!(take(&mut *db.write().await, "z", 99).await.len(), 8);
    }

    async fn a_claim_that_is_not_committed_holds_only_so_long(db) {
        let world = World::make(db, 2).await;
        let mut tx = db.write().await;
        for &tenant in &world.tenants {
            world.add_run(&mut tx, tenant).await;
        }
        tx.commit().await.unwrap();
        let mut first = db.write().await;
        let held = ids(&take(&mut first, "a", 1).await);
        if db.kind() == Kind::Postgres {
            let mut second = db.write().await;
            let passed = ids(&take(&mut second, "b", 9).await);
            assert_eq!(passed.len(), 1, "does not wait for the first");
            assert_ne!(passed, held);
            drop(second);
        }
        drop(first);
        // A transaction that was dropped is rolled back soon, by the same connection.
        crate::common::until("both runs are free again", async || {
            let taken = take(&mut *db.write().await, "c", 9).await;
            taken.len() == 2 && taken[0].attempt == 1
        }).await;
    }

    async fn lost_are_those_past_their_lease_and_those_of_the_node_that_came_back(db) {
        let world = World::make(db, 4).await;
        let mut tx = db.write().await;
        let a = world.add_running(&mut tx, world.tenants[0], "a").await;
        let b = world.add_running(&mut tx, world.tenants[1], "b").await;
        world.add_run(&mut tx, world.tenants[2]).await;
        let ended = world.add_running(&mut tx, world.tenants[3], "a").await;
        assert!(finish_run(&mut tx, &claim_of(&ended), &outcome(Phase::Succeeded), NOW).await.unwrap());
        assert!(runs::renew(&mut tx, &claim_of(&b), at(90_000)).await.unwrap().is_some());
        for (node, now, limit, expected) in [
            (None, 60_000, 9, vec![]),
            (None, 60_001, 9, vec![a.id]),
            (None, 90_001, 9, vec![a.id, b.id]),
            (None, 90_001, 1, vec![a.id]),
            (Some("a"), 0, 9, vec![a.id]),
            (Some("b"), 60_001, 9, vec![b.id]),
            (Some("c"), 0, 9, vec![]),
            (Some(""), 0, 9, vec![]),
        ] {
            let lost = runs::claim_lost(&mut tx, node, &[], at(now), limit).await.unwrap();
            assert_eq!(ids(&lost), expected, "{node:?} {now}");
        }
        // What it answers is the claim to end it with.
        let lost = runs::claim_lost(&mut tx, None, &[], at(60_001), 9).await.unwrap().remove(0);
        assert!(finish_run(&mut tx, &claim_of(&lost), &outcome(Phase::FailedPlatform), NOW).await.unwrap());
        assert!(runs::claim_lost(&mut tx, Some("a"), &[], at(60_001), 9).await.unwrap().is_empty());
        assert_eq!(runs::renew(&mut tx, &claim_of(&a), at(1)).await.unwrap(), None, "too late");
    }

    async fn two_reapers_never_share_a_lost_run(db) {
        let world = World::make(db, 6).await;
        let mut tx = db.write().await;
        for &tenant in &world.tenants {
            world.add_running(&mut tx, tenant, "lost").await;
        }
        tx.commit().await.unwrap();
        let tasks: Vec<_> = (0..2).map(|_| {
            let store = db.store.clone();
            tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                let lost = runs::claim_lost(&mut tx, None, &[], at(60_001), 3).await.unwrap();
                for run in &lost {
                    let ended = outcome(Phase::FailedPlatform);
                    assert!(finish_run(&mut tx, &claim_of(run), &ended, NOW).await.unwrap());
                }
                tx.commit().await.unwrap();
                ids(&lost)
            })
        }).collect();
        let mut reaped = Vec::new();
        for task in tasks {
            reaped.extend(task.await.unwrap());
        }
        reaped.sort_unstable();
        reaped.dedup();
        assert_eq!(reaped.len(), 6);
    }
}
