//! `connect_attempts`: insert, update_sealed, take, find, delete_ended.

use marquetry_model::{ConnectAttempt, ConnectionOf, Timestamp};
use marquetry_store::connect_attempts::Hashes;
use marquetry_store::{Tx, connect_attempts};

use crate::common::{Kind, NOW, ODD, World, at, on_both, wait_for_a_blocked_statement};
use crate::connections::{absent, of_all, of_tenant};

fn hashes(state: &str) -> Hashes<'_> {
    let browser = "browser";
    Hashes { state, browser }
}

async fn insert(tx: &mut Tx, of: &ConnectionOf, state: &str, end: i64) -> i64 {
    let id = connect_attempts::insert(tx, of, hashes(state), NOW, at(end)).await;
    id.unwrap()
}

async fn find(tx: &mut Tx, state: &str, now: Timestamp) -> Option<ConnectAttempt> {
    connect_attempts::find(tx, state, now).await.unwrap()
}

async fn take(tx: &mut Tx, state: &str, now: Timestamp) -> Option<ConnectAttempt> {
    connect_attempts::take(tx, state, now).await.unwrap()
}

on_both! {
    async fn an_attempt_is_taken_once(db) {
        let world = World::make(db, 1).await;
        for of in [of_tenant(&world, 0, ODD), of_all(&world, ODD)] {
            let mut tx = db.write().await;
            let known_by = Hashes { state: "state", browser: ODD };
            let id = connect_attempts::insert(&mut tx, &of, known_by, at(1), at(10)).await.unwrap();
            let other = insert(&mut tx, &of, "other", 20).await;
            let mut expected = ConnectAttempt {
                id, of: of.clone(), browser_hash: ODD.to_owned(), sealed: String::new(), expires_at: at(10),
            };
            assert_eq!(find(&mut tx, "state", at(2)).await.as_ref(), Some(&expected));
            connect_attempts::update_sealed(&mut tx, id, ODD).await.unwrap();
            ODD.clone_into(&mut expected.sealed);
            tx.commit().await.unwrap();

            let mut tx = db.write().await;
            for _ in 0..2 {
                assert_eq!(find(&mut tx, "state", at(9)).await.as_ref(), Some(&expected), "it stays");
            }
            for unknown in ["STATE", "", ODD] {
                assert_eq!(find(&mut tx, unknown, NOW).await, None);
                assert_eq!(take(&mut tx, unknown, NOW).await, None);
            }
            assert_eq!(take(&mut tx, "state", at(9)).await, Some(expected));
            assert_eq!(take(&mut tx, "state", at(9)).await, None);
            assert_eq!(find(&mut tx, "state", at(9)).await, None);
            connect_attempts::update_sealed(&mut tx, id, "late").await.unwrap();
            assert_eq!(find(&mut tx, "state", at(9)).await, None);
            let left = take(&mut tx, "other", at(9)).await.unwrap();
            assert_eq!((left.id, left.sealed.as_str(), left.browser_hash.as_str()), (other, "", "browser"));
            tx.commit().await.unwrap();
        }
    }

    async fn one_that_has_ended_is_not_found(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        insert(&mut tx, &of_tenant(&world, 0, "shop"), "a", 10).await;
        for now in [at(10), at(99)] {
            assert_eq!(find(&mut tx, "a", now).await, None);
            assert_eq!(take(&mut tx, "a", now).await, None);
        }
        assert!(take(&mut tx, "a", at(9)).await.is_some(), "nor was it consumed");
    }

    async fn a_state_is_of_one_attempt(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        insert(&mut tx, &of_tenant(&world, 0, "shop"), "a", 10).await;
        let again = connect_attempts::insert(&mut tx, &of_all(&world, "mail"), hashes("a"), NOW, at(10)).await;
        assert!(again.unwrap_err().is_duplicate());
    }

    async fn references_must_exist(db) {
        let world = World::make(db, 0).await;
        for of in absent(&world) {
            let made = connect_attempts::insert(&mut *db.write().await, &of, hashes("a"), NOW, at(10)).await;
            assert!(made.is_err(), "{of:?}");
        }
    }

    async fn of_several_who_take_one_at_once_one_gets_it(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        let id = insert(&mut tx, &of_tenant(&world, 0, "shop"), "a", 10).await;
        tx.commit().await.unwrap();
        let tasks: Vec<_> = (0..4).map(|_| {
            let store = db.store.clone();
            tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                let taken = take(&mut tx, "a", NOW).await;
                tx.commit().await.unwrap();
                taken.map(|attempt| attempt.id)
            })
        }).collect();
        let mut taken = Vec::new();
        for task in tasks {
            taken.extend(task.await.unwrap());
        }
        assert_eq!(taken, [id]);
    }

    async fn who_takes_what_another_is_taking_gets_it_where_that_fails(db) {
        if db.kind() == Kind::Sqlite {
            return;
        }
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        insert(&mut tx, &of_tenant(&world, 0, "shop"), "a", 10).await;
        tx.commit().await.unwrap();
        for is_kept in [false, true] {
            let mut first = db.write().await;
            assert!(take(&mut first, "a", NOW).await.is_some());
            let store = db.store.clone();
            let second = tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                take(&mut tx, "a", NOW).await.is_some()
            });
            wait_for_a_blocked_statement(db).await;
            if is_kept {
                first.commit().await.unwrap();
            } else {
                drop(first);
            }
            assert_eq!(second.await.unwrap(), !is_kept);
        }
    }

    async fn those_of_a_connection_are_forgotten_with_its_links(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        let of = |tenant_id| ConnectionOf {
            integration_id: world.integration,
            tenant_id,
            connector: "chat".to_owned(),
        };
        let (own, shared) = (of(Some(world.tenants[0])), of(None));
        for (of, state) in [(&own, "a"), (&own, "b"), (&shared, "c")] {
            let known_by = Hashes { state, browser: "browser" };
            connect_attempts::insert(&mut tx, of, known_by, NOW, at(9)).await.unwrap();
        }
        assert_eq!(connect_attempts::delete_of(&mut tx, &own).await.unwrap(), 2);
        assert!(connect_attempts::find(&mut tx, "a", NOW).await.unwrap().is_none());
        assert!(connect_attempts::find(&mut tx, "c", NOW).await.unwrap().is_some());
        assert_eq!(connect_attempts::delete_of(&mut tx, &shared).await.unwrap(), 1);
    }

    async fn attempts_that_have_ended_are_forgotten_oldest_first(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        for (state, end) in [("c", 3), ("a", 1), ("d", 4), ("b", 2)] {
            insert(&mut tx, &of_tenant(&world, 0, "shop"), state, end).await;
        }
        for (most, count, left) in [(0, 0, "abcd"), (2, 2, "cd"), (2, 1, "d"), (2, 0, "d")] {
            assert_eq!(connect_attempts::delete_ended(&mut tx, at(3), most).await.unwrap(), count);
            for state in ["a", "b", "c", "d"] {
                assert_eq!(find(&mut tx, state, NOW).await.is_some(), left.contains(state), "{state} of {left}");
            }
        }
    }
}
