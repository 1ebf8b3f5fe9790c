//! `tenants`: insert, update, get, lock, lock_all, is_paused_as, find_name_taken, list_by_user_name, list_after,
//! update_dynamic_configs.

use marquetry_model::{
    Channel, IntegrationId, PageRequest, ReleaseId, Tenant, TenantId, TenantSource,
};
use marquetry_store::tenants::{Pauses, TenantFilter};
use marquetry_store::{Error, tenant_states, tenant_views, tenants};
use serde_json::{Map, Value, json};

use crate::common::{
    Kind, NOW, ODD, World, add_integration, add_tenant, at, on_both, sorted, tenant,
    wait_for_a_blocked_statement,
};

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            panic!("an object is expected")
        }
    }
}

fn full(world: &World, name: &str) -> Tenant {
    Tenant {
        user_name: Some(ODD.to_owned()),
        source: TenantSource::ExternalMarketplace,
        configs: object(json!({"z": ODD, "a": [1, {"b": null}], "\u{0}": "\u{0}", "big": 1e300})),
        paused: true,
        user_schedule: Some("@daily".to_owned()),
        schedule: Some("7 0 * * *".to_owned()),
        timezone: Some("Europe/Berlin".to_owned()),
        integration_release_id: Some(world.release),
        integration_release_channel: Some(Channel::Latest),
        dynamic_configs: object(json!({"lists": [{"label": ODD, "value": 1}]})),
        secret_configs: ["z".to_owned(), ODD.to_owned()].into(),
        archived_at: None,
        created_at: at(1),
        modified_at: at(2),
        ..tenant(world.integration, name)
    }
}

on_both! {
    async fn a_tenant_comes_back_as_it_was(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 0).await;
        for mut wanted in [full(&world, ODD), tenant(world.integration, "plain")] {
            wanted.id = tenants::insert(&mut tx, &wanted).await.unwrap().unwrap();
            let found = tenants::get(&mut tx, wanted.id).await.unwrap();
            assert_eq!(
                Value::from(found.configs.clone()).to_string(),
                Value::from(wanted.configs.clone()).to_string(),
                "fields keep their order"
            );
            assert_eq!(found, wanted);
            assert_eq!(tenants::lock(&mut tx, wanted.id).await.unwrap(), wanted);
            let state = tenant_states::get(&mut tx, wanted.id).await.unwrap();
            assert_eq!((state.waiting, state.due_at, state.current_run_id), (0, None, None));
        }
    }

    async fn update_writes_every_field_of_that_one_only(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 2).await;
        let id = world.tenants[0];
        let wanted = Tenant { id, archived_at: Some(at(3)), ..full(&world, "renamed") };
        tenants::update(&mut tx, &wanted).await.unwrap();
        assert_eq!(tenants::get(&mut tx, id).await.unwrap(), wanted);
        let other = tenants::get(&mut tx, world.tenants[1]).await.unwrap();
        assert_eq!(other, Tenant { id: other.id, ..tenant(world.integration, "t1") });
    }

    async fn an_absent_tenant_is_not_found(db) {
        let mut tx = db.write().await;
        let absent = Tenant { id: TenantId::new(9), ..tenant(IntegrationId::new(9), "x") };
        for result in [
            tenants::get(&mut tx, absent.id).await.map(drop),
            tenants::lock(&mut tx, absent.id).await.map(drop),
            tenants::update(&mut tx, &absent).await,
        ] {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::NotFound { kind: "tenant", .. }), "{error:?}");
        }
        tenants::update_dynamic_configs(&mut tx, absent.id, &Map::new(), NOW).await.unwrap();
    }

    async fn references_must_exist(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 0).await;
        tx.commit().await.unwrap();
        for broken in [
            tenant(IntegrationId::new(99), "x"),
            Tenant { integration_release_id: Some(ReleaseId::new(99)), ..tenant(world.integration, "x") },
        ] {
            assert!(tenants::insert(&mut *db.write().await, &broken).await.is_err());
        }
    }

    async fn a_name_is_unique_among_the_unarchived_of_an_integration(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        let erp = add_integration(&mut tx, "erp").await;
        let id = add_tenant(&mut tx, crm, "acme").await;
        assert_eq!(tenants::insert(&mut tx, &tenant(crm, "acme")).await.unwrap(), None);
        add_tenant(&mut tx, erp, "acme").await;
        let nobody = TenantId::new(0);
        assert!(tenants::find_name_taken(&mut tx, crm, "acme", nobody).await.unwrap());
        assert!(!tenants::find_name_taken(&mut tx, crm, "acme", id).await.unwrap(), "besides itself");
        assert!(!tenants::find_name_taken(&mut tx, crm, "ACME", nobody).await.unwrap());
        let gone = Tenant { id, archived_at: Some(NOW), ..tenant(crm, "acme") };
        tenants::update(&mut tx, &gone).await.unwrap();
        assert!(!tenants::find_name_taken(&mut tx, crm, "acme", nobody).await.unwrap());
        add_tenant(&mut tx, crm, "acme").await;
        tx.commit().await.unwrap();
        // The second unarchived one of the name.
        let back = Tenant { archived_at: None, ..gone };
        let error = tenants::update(&mut *db.write().await, &back).await.unwrap_err();
        assert!(error.is_duplicate() && !error.is_temporary(), "{error:?}");
    }

    async fn two_who_insert_one_name_at_once_make_one(db) {
        let world = World::make(db, 0).await;
        let tasks: Vec<_> = (0..4).map(|_| {
            let (store, row) = (db.store.clone(), tenant(world.integration, "acme"));
            tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                let made = tenants::insert(&mut tx, &row).await.unwrap();
                tx.commit().await.unwrap();
                usize::from(made.is_some())
            })
        }).collect();
        let mut made = 0;
        for task in tasks {
            made += task.await.unwrap();
        }
        assert_eq!(made, 1);
    }

    async fn of_a_users_tenants_the_unarchived_are_found_newest_first(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        let erp = add_integration(&mut tx, "erp").await;
        let rows = [(crm, "a", None), (crm, "b", None), (crm, "c", Some(NOW)), (erp, "d", None)];
        for (of, name, archived_at) in rows {
            let row = Tenant { user_name: Some(ODD.to_owned()), archived_at, ..tenant(of, name) };
            tenants::insert(&mut tx, &row).await.unwrap().unwrap();
        }
        add_tenant(&mut tx, crm, "nobody").await;
        let found = tenants::list_by_user_name(&mut tx, crm, ODD).await.unwrap();
        let [newest, older] = &found[..] else { panic!("{found:?}") };
        assert_eq!((newest.name.as_str(), older.name.as_str()), ("b", "a"));
        assert_eq!(*newest, tenants::get(&mut tx, newest.id).await.unwrap());
        assert!(tenants::list_by_user_name(&mut tx, crm, "").await.unwrap().is_empty());
        let by_user = TenantFilter { user_name: Some(ODD.to_owned()), ..TenantFilter::default() };
        for (filter, expected) in [
            (by_user.clone(), vec!["a", "b", "d"]),
            (TenantFilter { integration: Some(crm), ..by_user.clone() }, vec!["a", "b"]),
            (TenantFilter { archived: true, ..by_user.clone() }, vec!["c"]),
            (TenantFilter { integration: Some(erp), archived: true, ..by_user }, vec![]),
            (TenantFilter { integration: Some(crm), ..TenantFilter::default() }, vec!["a", "b", "nobody"]),
        ] {
            let request = PageRequest { total: true, ..PageRequest::default() };
            let page = tenant_views::list(&mut tx, &filter, &request).await.unwrap();
            let names: Vec<_> = page.items.iter().map(|row| row.tenant.name.as_str()).collect();
            assert_eq!(names, expected, "{filter:?}");
            assert_eq!(page.total, i64::try_from(expected.len()).ok());
            let ids = tenants::list_ids(&mut tx, &filter, 99).await.unwrap();
            let listed: Vec<_> = page.items.iter().map(|row| row.tenant.id).collect();
            assert_eq!(ids, listed, "{filter:?}");
        }
    }

    async fn of_a_users_very_many_tenants_the_newest_are_found(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        let mut made = Vec::new();
        for n in 0..102 {
            let row = Tenant { user_name: Some("u".to_owned()), ..tenant(crm, &format!("t{n}")) };
            made.push(tenants::insert(&mut tx, &row).await.unwrap().unwrap());
        }
        let found = tenants::list_by_user_name(&mut tx, crm, "u").await.unwrap();
        let ids: Vec<_> = found.iter().map(|row| row.id).rev().collect();
        assert_eq!(ids, made[2..]);
    }

    async fn ids_are_narrowed_by_what_bulk_acts_ask_for(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 3).await;
        let [one, two, three] = world.tenants[..] else { panic!() };
        let mut changed = tenants::get(&mut tx, two).await.unwrap();
        changed.paused = true;
        changed.integration_release_id = Some(world.release);
        changed.integration_release_channel = None;
        tenants::update(&mut tx, &changed).await.unwrap();
        let mut changed = tenants::get(&mut tx, three).await.unwrap();
        changed.integration_release_id = None;
        changed.integration_release_channel = Some(Channel::Latest);
        tenants::update(&mut tx, &changed).await.unwrap();
        let all = TenantFilter::default;
        for (filter, expected) in [
            (all(), vec![one, two, three]),
            (TenantFilter { ids: Some(vec![three, one, TenantId::new(99)]), ..all() }, vec![one, three]),
            (TenantFilter { ids: Some(Vec::new()), ..all() }, vec![]),
            (TenantFilter { paused: Some(true), ..all() }, vec![two]),
            (TenantFilter { paused: Some(true), release: Some(world.release), ids: Some(vec![two]), ..all() }, vec![two]),
            (TenantFilter { channel: Some(Channel::Latest), ..all() }, vec![three]),
            (TenantFilter { release: Some(world.release), channel: Some(Channel::Latest), ..all() }, vec![]),
        ] {
            assert_eq!(tenants::list_ids(&mut tx, &filter, 9).await.unwrap(), expected, "{filter:?}");
        }
        assert_eq!(tenants::list_ids(&mut tx, &all(), 2).await.unwrap(), [one, two]);
    }

    async fn tenants_of_an_integration_come_in_steps(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 3).await;
        let erp = add_integration(&mut tx, "erp").await;
        add_tenant(&mut tx, erp, "other").await;
        let [first, second, third] = world.tenants[..] else { panic!() };
        let archived = Tenant { id: second, archived_at: Some(NOW), ..tenant(world.integration, "t1") };
        tenants::update(&mut tx, &archived).await.unwrap();
        for (after, limit, expected) in [
            (TenantId::new(0), 2, vec![first, second]),
            (second, 2, vec![third]),
            (third, 2, vec![]),
        ] {
            let found = tenants::list_after(&mut tx, world.integration, after, limit).await.unwrap();
            assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), expected);
        }
        let found = tenants::list_after(&mut tx, world.integration, first, 1).await.unwrap();
        assert_eq!(found, [archived]);
    }

    async fn tenants_without_a_value_sort_last_both_ways(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        for (name, user) in [("none", None), ("upper", Some("B")), ("lower", Some("a")), ("accent", Some("ä"))] {
            let row = Tenant { user_name: user.map(str::to_owned), ..tenant(crm, name) };
            tenants::insert(&mut tx, &row).await.unwrap().unwrap();
        }
        for (sort, expected) in [
            ("user_name__ASC", ["upper", "lower", "accent", "none"]),
            ("user_name__DESC", ["accent", "lower", "upper", "none"]),
            ("timezone__DESC", ["none", "upper", "lower", "accent"]),
        ] {
            let page = tenant_views::list(&mut tx, &TenantFilter::default(), &sorted(sort)).await.unwrap();
            let names: Vec<_> = page.items.iter().map(|row| row.tenant.name.as_str()).collect();
            assert_eq!(names, expected, "{sort}");
        }
    }

    async fn dynamic_configs_are_replaced(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 2).await;
        let found = object(json!({"lists": [ODD]}));
        tenants::update_dynamic_configs(&mut tx, world.tenants[0], &found, at(8)).await.unwrap();
        let row = tenants::get(&mut tx, world.tenants[0]).await.unwrap();
        assert_eq!((row.dynamic_configs, row.modified_at), (found, at(8)));
        let other = tenants::get(&mut tx, world.tenants[1]).await.unwrap();
        assert_eq!((other.dynamic_configs, other.modified_at), (Map::new(), NOW));
    }
}

on_both! {
    async fn a_pause_that_was_read_may_have_changed(db) {
        let world = World::make(db, 1).await;
        let id = world.tenants[0];
        let known = Pauses { tenant: false, integration: false };
        let mut tx = db.write().await;
        assert!(tenants::is_paused_as(&mut tx, id, known).await.unwrap());
        if db.kind() == Kind::Sqlite {
            return;
        }
        let other = Pauses { integration: true, ..known };
        assert!(!tenants::is_paused_as(&mut tx, id, other).await.unwrap());
    }

    async fn several_rows_are_locked_in_one_order(db) {
        let world = World::make(db, 3).await;
        let ids: Vec<TenantId> = world.tenants.iter().rev().copied().collect();
        let mut first = db.write().await;
        tenants::lock_all(&mut first, &ids).await.unwrap();
        if db.kind() == Kind::Sqlite {
            return;
        }
        let (store, last) = (db.store.clone(), world.tenants[2]);
        let second = tokio::spawn(async move {
            let mut tx = store.write().await.unwrap();
            tenants::lock(&mut tx, last).await.unwrap().id
        });
        wait_for_a_blocked_statement(db).await;
        drop(first);
        assert_eq!(second.await.unwrap(), last);
    }
}
