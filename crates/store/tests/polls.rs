//! `polls`: claim_due, find_next, update_next, update_looked.

use marquetry_model::{IntegrationId, Timestamp};
use marquetry_store::polls::{Looked, PollClaim};
use marquetry_store::{Tx, integrations, polls};

use crate::common::{ODD, add_integration, at, on_both};

async fn due(tx: &mut Tx, now: i64, fence: i64, limit: i64) -> Vec<PollClaim> {
    let due = polls::claim_due(tx, at(now), at(fence), limit).await;
    due.unwrap()
}

fn ids(claims: &[PollClaim]) -> Vec<IntegrationId> {
    let mut ids: Vec<_> = claims.iter().map(|claim| claim.integration.id).collect();
    ids.sort_unstable();
    ids
}

fn looked(commit: Option<&str>, message: Option<&str>, next: i64) -> Looked {
    Looked {
        commit: commit.map(str::to_owned),
        message: message.map(str::to_owned),
        next: at(next),
    }
}

async fn shown(tx: &mut Tx, id: IntegrationId) -> (Option<Timestamp>, Option<String>) {
    let found = integrations::get(tx, id).await.unwrap();
    (found.polled_at, found.poll_message)
}

on_both! {
    async fn what_is_due_is_taken_once_longest_due_first(db) {
        let mut tx = db.write().await;
        assert_eq!(polls::find_next(&mut tx).await.unwrap(), None);
        let (a, b, c) = (
            add_integration(&mut tx, "a").await,
            add_integration(&mut tx, "b").await,
            add_integration(&mut tx, "c").await,
        );
        for (id, next) in [(a, Some(at(20))), (b, Some(at(10))), (c, Some(at(99)))] {
            polls::update_next(&mut tx, id, next).await.unwrap();
        }
        assert_eq!(polls::find_next(&mut tx).await.unwrap(), Some(at(10)));
        assert!(due(&mut tx, 9, 50, 9).await.is_empty());
        assert_eq!(ids(&due(&mut tx, 20, 50, 1).await), [b]);
        assert_eq!(ids(&due(&mut tx, 20, 50, 9).await), [a]);
        assert!(due(&mut tx, 20, 50, 9).await.is_empty(), "taken");
        assert_eq!(polls::find_next(&mut tx).await.unwrap(), Some(at(50)));
        assert_eq!(ids(&due(&mut tx, 50, 80, 9).await), [a, b], "whose node was lost");
        polls::update_next(&mut tx, a, None).await.unwrap();
        polls::update_next(&mut tx, b, None).await.unwrap();
        assert_eq!(polls::find_next(&mut tx).await.unwrap(), Some(at(99)));
    }

    async fn what_was_seen_stays_until_something_is_set(db) {
        let mut tx = db.write().await;
        let id = add_integration(&mut tx, "a").await;
        polls::update_next(&mut tx, id, Some(at(1))).await.unwrap();
        let claim = due(&mut tx, 1, 50, 9).await.remove(0);
        assert_eq!((claim.fence, claim.polled_commit.as_deref()), (at(50), None));
        assert!(polls::update_looked(&mut tx, &claim, &looked(Some(ODD), None, 10), at(2)).await.unwrap());
        assert_eq!(shown(&mut tx, id).await, (Some(at(2)), None));
        let again = polls::update_looked(&mut tx, &claim, &looked(Some("x"), None, 10), at(2)).await;
        assert!(!again.unwrap(), "the claim was given back");
        let claim = due(&mut tx, 10, 60, 9).await.remove(0);
        assert_eq!(claim.polled_commit.as_deref(), Some(ODD));
        assert!(polls::update_looked(&mut tx, &claim, &looked(None, Some(ODD), 20), at(11)).await.unwrap());
        assert_eq!(shown(&mut tx, id).await, (Some(at(11)), Some(ODD.to_owned())));
        let claim = due(&mut tx, 20, 70, 9).await.remove(0);
        assert_eq!(claim.polled_commit.as_deref(), Some(ODD), "a failure forgets nothing");
        polls::update_next(&mut tx, id, Some(at(30))).await.unwrap();
        let late = polls::update_looked(&mut tx, &claim, &looked(Some("x"), None, 80), at(21)).await;
        assert!(!late.unwrap(), "it was set anew meanwhile");
        assert_eq!(shown(&mut tx, id).await, (None, None));
        let claim = due(&mut tx, 30, 70, 9).await.remove(0);
        assert_eq!(claim.polled_commit, None);
    }

    async fn of_two_nodes_one_looks(db) {
        let mut tx = db.write().await;
        for n in 0..20 {
            let id = add_integration(&mut tx, &format!("i{n}")).await;
            polls::update_next(&mut tx, id, Some(at(n))).await.unwrap();
        }
        tx.commit().await.unwrap();
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let store = db.store.clone();
                tokio::spawn(async move {
                    let mut tx = store.write().await.unwrap();
                    let taken = due(&mut tx, 99, 999, 9).await;
                    tx.commit().await.unwrap();
                    ids(&taken)
                })
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all.extend(ids(&due(&mut *db.write().await, 99, 999, 99).await));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), count), (20, 20));
    }
}
