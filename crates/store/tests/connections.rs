//! `connections`: find, get, list, ensure, update, claim, list_due, find_next, disconnect_tenant.
//! disconnect_integration.

use marquetry_model::{
    ConnectLink, Connection, ConnectionId, ConnectionOf, ConnectionStatus, IntegrationId, TenantId,
    Timestamp,
};
use marquetry_store::connections::{Found, Written};
use marquetry_store::{Error, Tx, connect_links, connections};

use crate::common::{Db, Kind, NOW, ODD, World, at, on_both, wait_for_a_blocked_statement};

/// A tenant's own connection.
pub(crate) fn of_tenant(world: &World, tenant: usize, connector: &str) -> ConnectionOf {
    ConnectionOf {
        tenant_id: Some(world.tenants[tenant]),
        ..of_all(world, connector)
    }
}

/// The one that all tenants share.
pub(crate) fn of_all(world: &World, connector: &str) -> ConnectionOf {
    ConnectionOf {
        integration_id: world.integration,
        tenant_id: None,
        connector: connector.to_owned(),
    }
}

/// Those that are not there.
pub(crate) fn absent(world: &World) -> [ConnectionOf; 2] {
    let integration = ConnectionOf {
        integration_id: IntegrationId::new(999),
        ..of_all(world, "shop")
    };
    let tenant = ConnectionOf {
        tenant_id: Some(TenantId::new(999)),
        ..of_all(world, "shop")
    };
    [integration, tenant]
}

/// Credentials of which nothing is due.
pub(crate) const PLAIN: Written<'static> = Written {
    status: ConnectionStatus::Connected,
    reason: None,
    sealed: Some("sealed"),
    issued_at: None,
    expires_at: None,
    refresh_at: None,
    check_at: None,
    checked_at: None,
    anew: true,
};

/// Nothing but that it is well.
pub(crate) const WELL: Found<'static> = Found {
    status: ConnectionStatus::Connected,
    reason: None,
    refresh_at: None,
    check_at: None,
    checked_at: None,
};

/// Credentials in which nothing is like anything else.
pub(crate) fn full() -> Written<'static> {
    Written {
        status: ConnectionStatus::NeedsReconnect,
        reason: Some(ODD),
        sealed: Some(ODD),
        issued_at: Some(at(11)),
        expires_at: Some(at(12)),
        refresh_at: Some(at(13)),
        check_at: Some(at(14)),
        checked_at: Some(at(15)),
        anew: true,
    }
}

pub(crate) async fn get(tx: &mut Tx, id: ConnectionId) -> Connection {
    connections::get(tx, id).await.unwrap()
}

async fn ensure(tx: &mut Tx, of: &ConnectionOf) -> Connection {
    connections::ensure(tx, of, NOW).await.unwrap()
}

pub(crate) async fn update(tx: &mut Tx, read: &Connection, written: &Written<'_>) -> bool {
    connections::update(tx, read, written, NOW).await.unwrap()
}

pub(crate) async fn claim(
    tx: &mut Tx,
    read: &Connection,
    holder: &str,
    now: i64,
    until: i64,
) -> bool {
    let taken = connections::claim(tx, read, holder, at(now), at(until)).await;
    taken.unwrap()
}

pub(crate) async fn release(tx: &mut Tx, read: &Connection, holder: &str) -> bool {
    let given = connections::release(tx, read, holder, &WELL, NOW).await;
    given.unwrap()
}

/// One with credentials.
pub(crate) async fn connect(tx: &mut Tx, of: &ConnectionOf, written: &Written<'_>) -> Connection {
    let row = ensure(tx, of).await;
    assert!(update(tx, &row, written).await);
    get(tx, row.id).await
}

/// The same, committed, of a world with one tenant.
pub(crate) async fn connected(db: &Db) -> Connection {
    let world = World::make(db, 1).await;
    let mut tx = db.write().await;
    let row = connect(&mut tx, &of_tenant(&world, 0, "shop"), &PLAIN).await;
    tx.commit().await.unwrap();
    row
}

async fn due(tx: &mut Tx, now: i64, most: i64) -> Vec<ConnectionId> {
    let found = connections::list_due(tx, at(now), most).await.unwrap();
    found.iter().map(|row| row.id).collect()
}

async fn next(tx: &mut Tx) -> Option<Timestamp> {
    connections::find_next(tx).await.unwrap()
}

on_both! {
    async fn a_connection_comes_back_as_it_was_written(db) {
        let world = World::make(db, 1).await;
        for of in [of_tenant(&world, 0, ODD), of_all(&world, ODD)] {
            let mut tx = db.write().await;
            assert_eq!(connections::find(&mut tx, &of).await.unwrap(), None);
            let made = connections::ensure(&mut tx, &of, at(1)).await.unwrap();
            let empty = Connection {
                id: made.id, of: of.clone(), status: ConnectionStatus::Disconnected, reason: None, sealed: None,
                version: 0, issued_at: None, expires_at: None, refresh_at: None, check_at: None, checked_at: None,
                changed_at: at(1), lease_until: None,
            };
            assert_eq!(made, empty);
            assert!(connections::update(&mut tx, &made, &full(), at(2)).await.unwrap());
            assert!(connections::claim(&mut tx, &Connection { version: 1, ..made }, ODD, at(3), at(16)).await.unwrap());
            tx.commit().await.unwrap();
            let expected = Connection {
                status: ConnectionStatus::NeedsReconnect, reason: Some(ODD.to_owned()), sealed: Some(ODD.to_owned()),
                version: 1, issued_at: Some(at(11)), expires_at: Some(at(12)), refresh_at: Some(at(13)),
                check_at: Some(at(14)), checked_at: Some(at(15)), changed_at: at(2), lease_until: Some(at(16)), ..empty
            };
            let mut tx = db.read().await;
            assert_eq!(connections::find(&mut tx, &of).await.unwrap().as_ref(), Some(&expected));
            assert_eq!(get(&mut tx, expected.id).await, expected);
        }
        let error = connections::get(&mut *db.read().await, ConnectionId::new(999)).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { kind: ConnectionId::KIND, .. }), "{error:?}");
    }

    async fn a_tenants_own_and_the_one_of_all_are_apart(db) {
        let mut tx = db.write().await;
        let crm = World::make_in(&mut tx, "crm", 2).await;
        let erp = World::make_in(&mut tx, "erp", 1).await;
        let all = [
            of_tenant(&crm, 0, "shop"), of_tenant(&crm, 0, "mail"), of_tenant(&crm, 1, "shop"),
            of_all(&crm, "shop"), of_all(&crm, "mail"), of_tenant(&erp, 0, "shop"), of_all(&erp, "shop"),
        ];
        let mut rows: Vec<Connection> = Vec::new();
        for of in &all {
            assert_eq!(connections::find(&mut tx, of).await.unwrap(), None, "{of:?}");
            rows.push(ensure(&mut tx, of).await);
        }
        assert!(update(&mut tx, &rows[3], &PLAIN).await);
        for (of, row) in all.iter().zip(&rows) {
            let found = connections::find(&mut tx, of).await.unwrap().unwrap();
            assert_eq!((found.id, &found.of), (row.id, of));
            assert_eq!(found.sealed.is_some(), row.id == rows[3].id, "{of:?}");
        }
        assert_eq!(connections::find(&mut tx, &of_all(&crm, "SHOP")).await.unwrap(), None);
    }

    async fn a_row_that_is_there_is_left_alone(db) {
        let world = World::make(db, 1).await;
        for of in [of_tenant(&world, 0, "shop"), of_all(&world, "shop")] {
            let mut tx = db.write().await;
            let made = ensure(&mut tx, &of).await;
            assert_eq!(connections::ensure(&mut tx, &of, at(9)).await.unwrap(), made);
            let row = connect(&mut tx, &of, &full()).await;
            tx.commit().await.unwrap();
            let mut tx = db.write().await;
            assert_eq!(connections::ensure(&mut tx, &of, at(9)).await.unwrap(), row);
        }
    }

    async fn those_who_make_a_row_at_once_make_one(db) {
        let world = World::make(db, 1).await;
        for of in [of_tenant(&world, 0, "shop"), of_all(&world, "shop")] {
            let tasks: Vec<_> = (0..4).map(|_| {
                let (store, of) = (db.store.clone(), of.clone());
                tokio::spawn(async move {
                    let mut tx = store.write().await.unwrap();
                    let row = ensure(&mut tx, &of).await;
                    tx.commit().await.unwrap();
                    row
                })
            }).collect();
            let mut rows = Vec::new();
            for task in tasks {
                rows.push(task.await.unwrap());
            }
            rows.dedup();
            assert_eq!(rows.len(), 1, "{rows:?}");
            assert_eq!(connections::find(&mut *db.read().await, &of).await.unwrap(), rows.pop());
        }
        let mut tx = db.read().await;
        let found = connections::list(&mut tx, &world.tenants, &[world.integration]).await.unwrap();
        assert_eq!(found.len(), 2);
    }

    async fn who_makes_a_row_that_another_is_making_gets_that(db) {
        if db.kind() == Kind::Sqlite {
            return;
        }
        let world = World::make(db, 1).await;
        let cases = [("kept", true), ("dropped", false)];
        for (connector, is_kept) in cases {
            for of in [of_tenant(&world, 0, connector), of_all(&world, connector)] {
                let mut first = db.write().await;
                let made = ensure(&mut first, &of).await;
                let store = db.store.clone();
                let wanted = of.clone();
                let second = tokio::spawn(async move {
                    let mut tx = store.write().await.unwrap();
                    let row = ensure(&mut tx, &wanted).await;
                    tx.commit().await.unwrap();
                    row
                });
                wait_for_a_blocked_statement(db).await;
                if is_kept {
                    first.commit().await.unwrap();
                } else {
                    drop(first);
                }
                let row = second.await.unwrap();
                assert_eq!((row.id == made.id, row.of), (is_kept, of));
            }
        }
    }

    async fn references_must_exist(db) {
        let world = World::make(db, 0).await;
        for of in absent(&world) {
            assert!(connections::ensure(&mut *db.write().await, &of, NOW).await.is_err(), "{of:?}");
        }
    }
}

on_both! {
    async fn credentials_are_written_over_the_version_that_was_read(db) {
        let read = connected(db).await;
        let mut tx = db.write().await;
        let first = Written { sealed: Some("first"), ..PLAIN };
        assert!(update(&mut tx, &read, &first).await);
        let row = get(&mut tx, read.id).await;
        assert_eq!((row.version, row.sealed.as_deref()), (read.version + 1, Some("first")));
        for other in [
            read.clone(),
            Connection { version: row.version + 1, ..row.clone() },
            Connection { id: ConnectionId::new(999), ..row.clone() },
        ] {
            assert!(!connections::update(&mut tx, &other, &full(), at(9)).await.unwrap(), "{other:?}");
            assert_eq!(get(&mut tx, row.id).await, row, "nothing is changed");
        }
        assert!(update(&mut tx, &row, &Written { sealed: None, ..PLAIN }).await);
        let row = get(&mut tx, read.id).await;
        assert_eq!((row.version, row.sealed), (read.version + 2, None));
    }

    async fn only_what_was_meant_is_written(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        let shop = connect(&mut tx, &of_tenant(&world, 0, "shop"), &PLAIN).await;
        let mail = connect(&mut tx, &of_tenant(&world, 0, "mail"), &PLAIN).await;
        assert!(update(&mut tx, &shop, &full()).await);
        let shop = get(&mut tx, shop.id).await;
        assert!(claim(&mut tx, &shop, "a", 0, 9).await && release(&mut tx, &shop, "a").await);
        assert_eq!(get(&mut tx, mail.id).await, mail);
    }

    async fn of_several_who_write_at_once_one_does(db) {
        let read = connected(db).await;
        let tasks: Vec<_> = (0..4).map(|n| {
            let (store, read) = (db.store.clone(), read.clone());
            tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                let sealed = n.to_string();
                let kept = update(&mut tx, &read, &Written { sealed: Some(&sealed), ..PLAIN }).await;
                tx.commit().await.unwrap();
                kept.then_some(sealed)
            })
        }).collect();
        let mut kept = Vec::new();
        for task in tasks {
            kept.extend(task.await.unwrap());
        }
        let row = get(&mut *db.read().await, read.id).await;
        assert_eq!((row.version, row.sealed.into_iter().collect::<Vec<_>>()), (read.version + 1, kept));
    }

    async fn of_several_who_claim_at_once_one_gets_it(db) {
        let read = connected(db).await;
        let tasks: Vec<_> = (0..4).map(|n| {
            let (store, read) = (db.store.clone(), read.clone());
            tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                let holder = n.to_string();
                let taken = claim(&mut tx, &read, &holder, 0, 10).await;
                tx.commit().await.unwrap();
                taken.then_some(holder)
            })
        }).collect();
        let mut holders = Vec::new();
        for task in tasks {
            holders.extend(task.await.unwrap());
        }
        let [holder] = &holders[..] else { panic!("{holders:?}") };
        assert!(release(&mut *db.write().await, &read, holder).await, "and he has it");
    }

    async fn it_has_been_so_since_its_status_changed_or_it_was_connected_anew(db) {
        use ConnectionStatus::{Connected, Disconnected, NeedsReconnect};
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        let id = ensure(&mut tx, &of_tenant(&world, 0, "shop")).await.id;
        let steps = [
            (1, Connected, false, 1),
            (2, Connected, false, 1),
            (3, Connected, true, 3),
            (4, NeedsReconnect, false, 4),
            (5, NeedsReconnect, false, 4),
            (6, Connected, true, 6),
            (7, Disconnected, false, 7),
            (8, Disconnected, false, 7),
            (9, Disconnected, true, 9),
        ];
        for (now, status, anew, since) in steps {
            let read = get(&mut tx, id).await;
            let written = Written { status, anew, ..PLAIN };
            assert!(connections::update(&mut tx, &read, &written, at(now)).await.unwrap());
            let row = get(&mut tx, id).await;
            assert_eq!((row.status, row.changed_at), (status, at(since)), "step {now}");
        }
    }

    async fn when_it_was_looked_at_stays_until_it_is_again(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 1).await;
        let mut row = connect(&mut tx, &of_tenant(&world, 0, "shop"), &PLAIN).await;
        assert_eq!(row.checked_at, None);
        for (looked, shown) in [(Some(at(1)), 1), (None, 1), (Some(at(3)), 3)] {
            assert!(update(&mut tx, &row, &Written { checked_at: looked, ..PLAIN }).await);
            row = get(&mut tx, row.id).await;
            assert_eq!(row.checked_at, Some(at(shown)));
        }
        for (looked, shown) in [(None, 3), (Some(at(4)), 4), (None, 4)] {
            assert!(claim(&mut tx, &row, "a", 0, 9).await);
            let found = Found { checked_at: looked, ..WELL };
            assert!(connections::release(&mut tx, &row, "a", &found, NOW).await.unwrap());
            assert_eq!(get(&mut tx, row.id).await.checked_at, Some(at(shown)));
        }
    }
}

on_both! {
    async fn what_is_due_comes_longest_due_first(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 9).await;
        assert_eq!((due(&mut tx, 99, 9).await, next(&mut tx).await), (vec![], None));
        let mut rows = Vec::new();
        let times = [
            (Some(30), None), (None, Some(10)), (Some(99), Some(20)), (Some(15), Some(40)), (Some(5), None),
            (None, None), (Some(15), None), (None, Some(15)),
        ];
        for (n, (refresh, check)) in times.into_iter().enumerate() {
            let written = Written { refresh_at: refresh.map(at), check_at: check.map(at), ..PLAIN };
            rows.push(connect(&mut tx, &of_tenant(&world, n, "shop"), &written).await);
        }
        ensure(&mut tx, &of_tenant(&world, 8, "shop")).await;
        let shared = Written { refresh_at: Some(at(25)), ..PLAIN };
        rows.push(connect(&mut tx, &of_all(&world, "shop"), &shared).await);
        assert!(claim(&mut tx, &rows[4], "a", 0, 50).await);
        for (now, most, expected) in [
            (9, 9, vec![]),
            (10, 9, vec![1]),
            (30, 9, vec![1, 3, 6, 7, 2, 8, 0]),
            (30, 3, vec![1, 3, 6]),
            (49, 9, vec![1, 3, 6, 7, 2, 8, 0]),
            (50, 9, vec![4, 1, 3, 6, 7, 2, 8, 0]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|n: usize| rows[n].id).collect();
            assert_eq!(due(&mut tx, now, most).await, expected, "at {now}, {most} of them");
        }
        let found = connections::list_due(&mut tx, at(10), 9).await.unwrap();
        assert_eq!(found, [rows[1].clone()]);
    }

    async fn what_is_written_or_found_is_due_no_longer(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 2).await;
        let soon = Written { refresh_at: Some(at(1)), check_at: Some(at(1)), ..PLAIN };
        let one = connect(&mut tx, &of_tenant(&world, 0, "shop"), &soon).await;
        let two = connect(&mut tx, &of_tenant(&world, 1, "shop"), &soon).await;
        assert_eq!(due(&mut tx, 1, 9).await, [one.id, two.id]);
        assert!(update(&mut tx, &one, &Written { refresh_at: Some(at(5)), ..PLAIN }).await);
        assert_eq!(due(&mut tx, 1, 9).await, [two.id]);
        assert!(claim(&mut tx, &two, "a", 1, 9).await);
        let found = Found { check_at: Some(at(7)), ..WELL };
        assert!(connections::release(&mut tx, &two, "a", &found, at(2)).await.unwrap());
        assert!(due(&mut tx, 4, 9).await.is_empty());
        assert_eq!(due(&mut tx, 7, 9).await, [one.id, two.id]);
    }

    async fn the_next_that_is_due_has_no_lease(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 3).await;
        connect(&mut tx, &of_tenant(&world, 0, "shop"), &PLAIN).await;
        assert_eq!(next(&mut tx).await, None);
        let checked = Written { check_at: Some(at(30)), ..PLAIN };
        connect(&mut tx, &of_tenant(&world, 1, "shop"), &checked).await;
        assert_eq!(next(&mut tx).await, Some(at(30)));
        let renewed = Written { refresh_at: Some(at(20)), check_at: Some(at(40)), ..PLAIN };
        let row = connect(&mut tx, &of_tenant(&world, 2, "shop"), &renewed).await;
        assert_eq!(next(&mut tx).await, Some(at(20)));
        let both = Written { refresh_at: Some(at(20)), check_at: Some(at(10)), ..PLAIN };
        let all = connect(&mut tx, &of_all(&world, "shop"), &both).await;
        assert_eq!(next(&mut tx).await, Some(at(10)));
        assert!(claim(&mut tx, &all, "a", 10, 100).await);
        assert_eq!(next(&mut tx).await, Some(at(20)), "what is tended would be due at once");
        assert!(claim(&mut tx, &row, "a", 20, 100).await);
        assert_eq!(next(&mut tx).await, Some(at(30)));
        let found = Found { refresh_at: Some(at(25)), ..WELL };
        assert!(connections::release(&mut tx, &row, "a", &found, at(21)).await.unwrap());
        assert_eq!(next(&mut tx).await, Some(at(25)));
    }

    async fn those_of_tenants_and_of_integrations_are_listed(db) {
        let mut tx = db.write().await;
        let crm = World::make_in(&mut tx, "crm", 2).await;
        let erp = World::make_in(&mut tx, "erp", 1).await;
        let mut rows = Vec::new();
        for of in [
            of_tenant(&crm, 0, "shop"), of_tenant(&crm, 0, ODD), of_tenant(&crm, 1, "shop"), of_all(&crm, "shop"),
            of_all(&crm, "mail"), of_tenant(&erp, 0, "shop"), of_all(&erp, "shop"),
        ] {
            rows.push(connect(&mut tx, &of, &full()).await);
        }
        let (t0, t1, t2) = (crm.tenants[0], crm.tenants[1], erp.tenants[0]);
        let (i0, i1) = (crm.integration, erp.integration);
        for (tenants, integrations, expected) in [
            (vec![], vec![], vec![]),
            (vec![TenantId::new(999)], vec![IntegrationId::new(999)], vec![]),
            (vec![t0], vec![], vec![0, 1]),
            (vec![], vec![i0], vec![3, 4]),
            (vec![t1, t1], vec![i1, i1], vec![2, 6]),
            (vec![t2, t0, t1], vec![i1, i0], vec![0, 1, 2, 3, 4, 5, 6]),
        ] {
            let mut found = connections::list(&mut tx, &tenants, &integrations).await.unwrap();
            found.sort_by_key(|row| row.id);
            let expected: Vec<_> = expected.into_iter().map(|n: usize| rows[n].clone()).collect();
            assert_eq!(found, expected, "{tenants:?} {integrations:?}");
        }
    }
}

on_both! {
    async fn nothing_is_left_of_the_credentials_of_a_tenant(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 2).await;
        let link = |of: &ConnectionOf| ConnectLink { of: of.clone(), once: false, created_at: NOW, expires_at: None };
        let mut own = Vec::new();
        for connector in ["shop", "mail"] {
            own.push(connect(&mut tx, &of_tenant(&world, 0, connector), &full()).await);
        }
        let never = ensure(&mut tx, &of_tenant(&world, 0, "never")).await;
        let others = [of_tenant(&world, 1, "shop"), of_all(&world, "shop")];
        let mut kept = vec![never];
        for of in &others {
            kept.push(connect(&mut tx, of, &full()).await);
            connect_links::insert(&mut tx, &format!("{of:?}"), &link(of)).await.unwrap();
        }
        for (hash, connector) in [("1", "shop"), ("2", "shop"), ("3", "never"), ("4", "none")] {
            connect_links::insert(&mut tx, hash, &link(&of_tenant(&world, 0, connector))).await.unwrap();
        }
        assert!(claim(&mut tx, &own[0], "a", 0, 100).await);
        connections::disconnect_tenant(&mut tx, world.tenants[0], at(9)).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = db.write().await;
        for read in &own {
            let expected = Connection {
                status: ConnectionStatus::Disconnected, reason: None, sealed: None, issued_at: None, expires_at: None,
                refresh_at: None, check_at: None, changed_at: at(9), lease_until: None, version: read.version + 1,
                ..read.clone()
            };
            assert_eq!(get(&mut tx, read.id).await, expected);
            assert!(!update(&mut tx, read, &PLAIN).await, "a renewal comes too late");
            assert!(!release(&mut tx, read, "a").await);
            assert!(!claim(&mut tx, read, "b", 0, 100).await);
            assert_eq!(get(&mut tx, read.id).await, expected);
        }
        for row in &kept {
            assert_eq!(get(&mut tx, row.id).await, *row);
        }
        assert_eq!(due(&mut tx, 99, 9).await, [kept[1].id, kept[2].id]);
        for hash in ["1", "2", "3", "4"] {
            assert_eq!(connect_links::find(&mut tx, hash, NOW).await.unwrap(), None);
        }
        for of in &others {
            assert!(connect_links::find(&mut tx, &format!("{of:?}"), NOW).await.unwrap().is_some());
        }
        connections::disconnect_tenant(&mut tx, world.tenants[0], at(10)).await.unwrap();
        assert_eq!(get(&mut tx, own[0].id).await.version, own[0].version + 1, "there was nothing more");
    }

    async fn nothing_is_left_of_the_credentials_of_an_integration(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 2).await;
        let other = World::make_in(&mut tx, "erp", 1).await;
        let link = |of: &ConnectionOf| ConnectLink { of: of.clone(), once: false, created_at: NOW, expires_at: None };
        let own = [of_tenant(&world, 0, "shop"), of_tenant(&world, 1, "mail"), of_all(&world, "shop")];
        let others = [of_tenant(&other, 0, "shop"), of_all(&other, "shop")];
        let mut rows = Vec::new();
        for of in own.iter().chain(&others) {
            rows.push(connect(&mut tx, of, &full()).await);
            connect_links::insert(&mut tx, &format!("{of:?}"), &link(of)).await.unwrap();
        }
        assert!(claim(&mut tx, &rows[0], "a", 0, 100).await);
        connections::disconnect_integration(&mut tx, world.integration, at(9)).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = db.write().await;
        let (forgotten, kept) = rows.split_at(own.len());
        for read in forgotten {
            let expected = Connection {
                status: ConnectionStatus::Disconnected, reason: None, sealed: None, issued_at: None, expires_at: None,
                refresh_at: None, check_at: None, changed_at: at(9), lease_until: None, version: read.version + 1,
                ..read.clone()
            };
            assert_eq!(get(&mut tx, read.id).await, expected);
            assert!(!update(&mut tx, read, &PLAIN).await, "a renewal comes too late");
        }
        for row in kept {
            assert_eq!(get(&mut tx, row.id).await, *row);
        }
        for of in &own {
            assert_eq!(connect_links::find(&mut tx, &format!("{of:?}"), NOW).await.unwrap(), None);
        }
        for of in &others {
            assert!(connect_links::find(&mut tx, &format!("{of:?}"), NOW).await.unwrap().is_some());
        }
        connections::disconnect_integration(&mut tx, IntegrationId::new(999), at(10)).await.unwrap();
    }

    async fn what_is_being_renewed_is_forgotten_too(db) {
        if db.kind() == Kind::Sqlite {
            return;
        }
        let read = connected(db).await;
        let mut first = db.write().await;
        assert!(update(&mut first, &read, &Written { sealed: Some("new"), ..PLAIN }).await);
        let (store, tenant) = (db.store.clone(), read.of.tenant_id.unwrap());
        let second = tokio::spawn(async move {
            let mut tx = store.write().await.unwrap();
            connections::disconnect_tenant(&mut tx, tenant, at(1)).await.unwrap();
            tx.commit().await.unwrap();
        });
        wait_for_a_blocked_statement(db).await;
        first.commit().await.unwrap();
        second.await.unwrap();
        let row = get(&mut *db.read().await, read.id).await;
        assert_eq!((row.version, row.sealed), (read.version + 2, None));
    }
}
