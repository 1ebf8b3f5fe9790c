//! `connect_links`: insert, find, delete, delete_of, delete_ended.

use marquetry_model::{ConnectLink, ConnectionOf, Timestamp};
use marquetry_store::{Tx, connect_links};

use crate::common::{NOW, ODD, World, at, on_both};
use crate::connections::{absent, of_all, of_tenant};

fn link(of: &ConnectionOf, expires_at: Option<Timestamp>) -> ConnectLink {
    ConnectLink {
        of: of.clone(),
        once: false,
        created_at: NOW,
        expires_at,
    }
}

async fn insert(tx: &mut Tx, hash: &str, link: &ConnectLink) -> i64 {
    connect_links::insert(tx, hash, link).await.unwrap()
}

async fn is_there(tx: &mut Tx, hash: &str) -> bool {
    let found = connect_links::find(tx, hash, NOW).await.unwrap();
    found.is_some()
}

on_both! {
    async fn a_link_is_found_by_its_hash_until_it_ends(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        let once = ConnectLink { once: true, created_at: at(1), ..link(&of_tenant(&world, 0, ODD), Some(at(10))) };
        let lasting = ConnectLink { created_at: at(2), ..link(&of_all(&world, "shop"), None) };
        let first = insert(&mut tx, "once", &once).await;
        assert_ne!(insert(&mut tx, ODD, &lasting).await, first);
        tx.commit().await.unwrap();
        let mut tx = db.read().await;
        for (hash, now, expected) in [
            ("once", at(9), Some(&once)),
            ("once", at(10), None),
            (ODD, at(9), Some(&lasting)),
            (ODD, at(i64::from(u32::MAX)), Some(&lasting)),
            ("ONCE", NOW, None),
            ("", NOW, None),
        ] {
            assert_eq!(connect_links::find(&mut tx, hash, now).await.unwrap().as_ref(), expected, "{hash} {now:?}");
        }
    }

    async fn a_hash_is_of_one_link(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        insert(&mut tx, "a", &link(&of_tenant(&world, 0, "shop"), None)).await;
        let again = connect_links::insert(&mut tx, "a", &link(&of_all(&world, "mail"), None)).await;
        assert!(again.unwrap_err().is_duplicate());
    }

    async fn references_must_exist(db) {
        let world = World::make(db, 0).await;
        for of in absent(&world) {
            let made = connect_links::insert(&mut *db.write().await, "a", &link(&of, None)).await;
            assert!(made.is_err(), "{of:?}");
        }
    }

    async fn a_link_is_used_up_once(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        let of = of_tenant(&world, 0, "shop");
        for hash in ["a", "b"] {
            insert(&mut tx, hash, &link(&of, None)).await;
        }
        for expected in [true, false] {
            assert_eq!(connect_links::delete(&mut tx, "a").await.unwrap(), expected);
        }
        assert!(!connect_links::delete(&mut tx, "none").await.unwrap());
        assert!(!is_there(&mut tx, "a").await && is_there(&mut tx, "b").await);
    }

    async fn of_several_who_use_a_link_up_at_once_one_does(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        insert(&mut tx, "a", &link(&of_tenant(&world, 0, "shop"), None)).await;
        tx.commit().await.unwrap();
        let tasks: Vec<_> = (0..4).map(|_| {
            let store = db.store.clone();
            tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                let taken = connect_links::delete(&mut tx, "a").await.unwrap();
                tx.commit().await.unwrap();
                usize::from(taken)
            })
        }).collect();
        let mut count = 0;
        for task in tasks {
            count += task.await.unwrap();
        }
        assert_eq!(count, 1);
    }

    async fn links_are_revoked_of_one_connection(db) {
        let mut tx = db.write().await;
        let crm = World::make_in(&mut tx, "crm", 2).await;
        let erp = World::make_in(&mut tx, "erp", 1).await;
        let mut left = vec![
            of_tenant(&crm, 0, "shop"), of_all(&crm, "shop"), of_tenant(&crm, 1, "shop"), of_tenant(&crm, 0, ODD),
            of_all(&crm, ODD), of_all(&erp, "shop"), of_tenant(&erp, 0, "shop"),
        ];
        for of in &left {
            insert(&mut tx, &format!("{of:?}"), &link(of, None)).await;
            insert(&mut tx, &format!("ended {of:?}"), &link(of, Some(at(-1)))).await;
        }
        assert_eq!(connect_links::delete_of(&mut tx, &of_all(&crm, "SHOP")).await.unwrap(), 0);
        while !left.is_empty() {
            let of = left.remove(0);
            for expected in [2, 0] {
                assert_eq!(connect_links::delete_of(&mut tx, &of).await.unwrap(), expected, "{of:?}");
            }
            assert!(!is_there(&mut tx, &format!("{of:?}")).await);
            for other in &left {
                assert!(is_there(&mut tx, &format!("{other:?}")).await, "{other:?} after {of:?}");
            }
        }
    }

    async fn links_that_have_ended_are_forgotten_oldest_first(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        let of = of_tenant(&world, 0, "shop");
        for (hash, end) in [("c", Some(3)), ("a", Some(1)), ("d", Some(4)), ("b", Some(2)), ("lasting", None)] {
            insert(&mut tx, hash, &link(&of, end.map(at))).await;
        }
        for (most, count, left) in [(0, 0, "abcd"), (2, 2, "cd"), (2, 1, "d"), (2, 0, "d")] {
            assert_eq!(connect_links::delete_ended(&mut tx, at(3), most).await.unwrap(), count);
            for hash in ["a", "b", "c", "d"] {
                assert_eq!(is_there(&mut tx, hash).await, left.contains(hash), "{hash} of {left}");
            }
            assert!(is_there(&mut tx, "lasting").await);
        }
    }
}
