//! `connections`: claim, release: the lease of who renews.

use marquetry_model::{Connection, ConnectionStatus};
use marquetry_store::connections::{self, Found, Written};

use crate::common::{Kind, ODD, World, at, on_both, wait_for_a_blocked_statement};
use crate::connections::{
    PLAIN, WELL, claim, connect, connected, full, get, of_all, of_tenant, release, update,
};

on_both! {
    async fn a_lease_is_one_holders_until_it_ends(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 2).await;
        let row = connect(&mut tx, &of_tenant(&world, 0, "shop"), &PLAIN).await;
        let other = connect(&mut tx, &of_tenant(&world, 1, "shop"), &PLAIN).await;
        let all = connect(&mut tx, &of_all(&world, "shop"), &PLAIN).await;
        assert!(claim(&mut tx, &row, "a", 0, 10).await);
        let leased = Connection { lease_until: Some(at(10)), ..row.clone() };
        for (holder, now) in [("b", 5), ("a", 5), ("b", 9)] {
            assert!(!claim(&mut tx, &row, holder, now, 99).await, "{holder} at {now}");
            assert_eq!(get(&mut tx, row.id).await, leased, "nothing else is changed");
        }
        assert!(claim(&mut tx, &other, "b", 5, 99).await, "one of another connection");
        assert!(claim(&mut tx, &all, "b", 5, 99).await);
        assert!(claim(&mut tx, &row, "b", 10, 20).await, "it has ended");
        assert_eq!(get(&mut tx, row.id).await.lease_until, Some(at(20)));
        assert!(!release(&mut tx, &row, "a").await, "it is lost");
        assert_eq!(get(&mut tx, row.id).await.lease_until, Some(at(20)));
        assert!(release(&mut tx, &row, "b").await);
        assert!(claim(&mut tx, &row, "a", 11, 20).await, "it was given back");
    }

    async fn a_lease_is_of_the_version_that_was_read(db) {
        let read = connected(db).await;
        let mut tx = db.write().await;
        assert!(update(&mut tx, &read, &PLAIN).await);
        assert!(!claim(&mut tx, &read, "a", 0, 10).await, "somebody has written since");
        let row = get(&mut tx, read.id).await;
        assert_eq!(row.lease_until, None);
        assert!(claim(&mut tx, &row, "a", 0, 10).await);
    }

    async fn a_write_ends_the_lease(db) {
        let read = connected(db).await;
        let mut tx = db.write().await;
        assert!(claim(&mut tx, &read, "a", 0, 10).await);
        assert!(update(&mut tx, &read, &PLAIN).await, "it needs no lease");
        let row = get(&mut tx, read.id).await;
        assert_eq!((row.version, row.lease_until), (read.version + 1, None));
        for version in [&read, &row] {
            assert!(!release(&mut tx, version, "a").await);
        }
        assert!(claim(&mut tx, &row, "b", 1, 10).await);
        assert!(!release(&mut tx, &row, "a").await);
        assert!(!update(&mut tx, &read, &PLAIN).await);
        assert_eq!(get(&mut tx, row.id).await, Connection { lease_until: Some(at(10)), ..row });
    }

    async fn who_claims_what_another_is_claiming_gets_it_where_that_fails(db) {
        if db.kind() == Kind::Sqlite {
            return;
        }
        let read = connected(db).await;
        for is_kept in [false, true] {
            let mut first = db.write().await;
            assert!(claim(&mut first, &read, "a", 0, 10).await);
            let (store, wanted) = (db.store.clone(), read.clone());
            let second = tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                claim(&mut tx, &wanted, "b", 0, 10).await
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

    async fn who_gives_a_lease_back_notes_what_was_found(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        let written = Written { status: ConnectionStatus::Connected, ..full() };
        let row = connect(&mut tx, &of_tenant(&world, 0, "shop"), &written).await;
        assert!(claim(&mut tx, &row, "a", 0, 10).await);
        let refused = Found {
            status: ConnectionStatus::NeedsReconnect, reason: Some(ODD), refresh_at: Some(at(50)),
            check_at: Some(at(60)), checked_at: Some(at(5)),
        };
        let leased = get(&mut tx, row.id).await;
        let older = Connection { version: row.version - 1, ..row.clone() };
        for (read, holder) in [(&row, "b"), (&row, ""), (&older, "a")] {
            assert!(!connections::release(&mut tx, read, holder, &refused, at(6)).await.unwrap(), "{holder}");
            assert_eq!(get(&mut tx, row.id).await, leased);
        }
        assert!(connections::release(&mut tx, &row, "a", &refused, at(6)).await.unwrap());
        let noted = Connection {
            status: ConnectionStatus::NeedsReconnect, reason: Some(ODD.to_owned()), refresh_at: Some(at(50)),
            check_at: Some(at(60)), checked_at: Some(at(5)), changed_at: at(6), lease_until: None, ..row.clone()
        };
        assert_eq!(get(&mut tx, row.id).await, noted, "of the same version, with the same credentials");
        assert!(!release(&mut tx, &row, "a").await, "it was given back");
        assert!(claim(&mut tx, &row, "a", 0, 10).await, "the version that was read is the newest still");
        let same = Found { status: ConnectionStatus::NeedsReconnect, ..WELL };
        assert!(connections::release(&mut tx, &row, "a", &same, at(12)).await.unwrap(), "nobody else has it");
        let expected = Connection { reason: None, refresh_at: None, check_at: None, ..noted };
        assert_eq!(get(&mut tx, row.id).await, expected);
        assert!(update(&mut tx, &row, &PLAIN).await);
    }
}
