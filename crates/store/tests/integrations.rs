//! `integrations`: insert, update, get, lock, lock_shared, find_by_name, list, live_tenants,
//! archive_tenants.

use marquetry_model::{
    Channel, Connector, Egress, Integration, IntegrationId, IntegrationType, LocalRun, Missed,
    PageRequest, Randomization, ReleaseId, Retry, ScheduleChoice, TenantId,
};
use marquetry_store::{Error, integrations, tenants};

use crate::common::{
    Kind, NOW, ODD, World, add_integration, add_tenant, at, integration, on_both, tenant,
};

/// Every field unlike its default.
fn full(name: &str) -> Integration {
    Integration {
        id: IntegrationId::new(0),
        name: name.to_owned(),
        long_name: ODD.to_owned(),
        kind: IntegrationType::External,
        repository_url: Some("https://git.example/a?b='c'".to_owned()),
        repository_tracking_branch: ODD.to_owned(),
        repository_paths: vec![ODD.to_owned(), String::new()],
        connectors: vec![
            Connector {
                name: ODD.to_owned(),
                is_global: true,
            },
            Connector {
                name: "b".to_owned(),
                is_global: false,
            },
        ],
        default_release_id: Some(ReleaseId::new(i64::MAX)),
        default_release_channel: Some(Channel::Default),
        default_schedule: Some("0 * * * *".to_owned()),
        schedule_choices: vec![ScheduleChoice {
            label: ODD.to_owned(),
            cron: "@daily".to_owned(),
        }],
        schedule_randomization: Randomization::MinuteHour,
        missed: Missed::Skip,
        debounce_ms: 3_000_000_000,
        concurrency_limit: Some(3_000_000_000),
        timeout_seconds: 1,
        memory_mb: 2,
        retry: Retry::Platform,
        egress: Egress::Connectors,
        egress_ports: vec![1, 65535],
        poll_seconds: Some(30),
        local_run: LocalRun::Plain,
        paused: true,
        target_url: Some(ODD.to_owned()),
        push_hook_generation: 3,
        polled_at: None,
        poll_message: None,
        archived_at: None,
        created_at: at(1),
        modified_at: at(-1),
    }
}

on_both! {
    async fn an_integration_comes_back_as_it_was(db) {
        let mut tx = db.write().await;
        for mut wanted in [full("full"), integration("plain")] {
            wanted.id = integrations::insert(&mut tx, &wanted).await.unwrap().unwrap();
            assert_eq!(integrations::get(&mut tx, wanted.id).await.unwrap(), wanted);
            assert_eq!(integrations::lock(&mut tx, wanted.id).await.unwrap(), wanted);
            assert_eq!(integrations::lock_shared(&mut tx, wanted.id).await.unwrap(), wanted);
            let name = wanted.name.clone();
            let found = integrations::find_by_name(&mut tx, &name).await.unwrap();
            assert_eq!(found, Some(wanted));
        }
        tx.commit().await.unwrap();
        let all = integrations::list(&mut *db.read().await, false, &PageRequest::default()).await;
        assert_eq!(all.unwrap().items.len(), 2);
    }

    async fn update_writes_every_field_of_that_one_only(db) {
        let mut tx = db.write().await;
        let id = add_integration(&mut tx, "one").await;
        let other = add_integration(&mut tx, "other").await;
        let wanted = Integration { id, archived_at: Some(at(7)), ..full("renamed") };
        integrations::update(&mut tx, &wanted).await.unwrap();
        assert_eq!(integrations::get(&mut tx, id).await.unwrap(), wanted);
        let expected = Integration { id: other, ..integration("other") };
        assert_eq!(integrations::get(&mut tx, other).await.unwrap(), expected);
    }

    async fn an_absent_integration_is_not_found(db) {
        let mut tx = db.write().await;
        let absent = Integration { id: IntegrationId::new(9), ..integration("x") };
        for result in [
            integrations::get(&mut tx, absent.id).await.map(drop),
            integrations::lock(&mut tx, absent.id).await.map(drop),
            integrations::lock_shared(&mut tx, absent.id).await.map(drop),
            integrations::update(&mut tx, &absent).await,
        ] {
            let error = result.unwrap_err();
            assert!(matches!(&error, Error::NotFound { kind: "integration", id } if id == "9"), "{error:?}");
        }
        assert_eq!(integrations::find_by_name(&mut tx, "x").await.unwrap(), None);
        assert_eq!(integrations::live_tenants(&mut tx, absent.id).await.unwrap(), 0);
        assert_eq!(integrations::archive_tenants(&mut tx, absent.id, NOW).await.unwrap(), []);
    }

    async fn a_name_is_unique_among_the_unarchived(db) {
        let mut tx = db.write().await;
        let id = add_integration(&mut tx, "crm").await;
        assert_eq!(integrations::insert(&mut tx, &integration("crm")).await.unwrap(), None);
        // The conflict is an answer, not a failure: the transaction goes on.
        let gone = Integration { id, archived_at: Some(NOW), ..integration("crm") };
        integrations::update(&mut tx, &gone).await.unwrap();
        assert_eq!(integrations::find_by_name(&mut tx, "crm").await.unwrap(), None);
        let again = integrations::insert(&mut tx, &integration("crm")).await.unwrap().unwrap();
        assert!(again > id);
        tx.commit().await.unwrap();
        let mut tx = db.read().await;
        for (archived, expected) in [(false, again), (true, id)] {
            let page = integrations::list(&mut tx, archived, &PageRequest::default()).await.unwrap();
            let ids: Vec<_> = page.items.iter().map(|row| row.id).collect();
            assert_eq!(ids, [expected]);
        }
    }

    async fn a_rename_to_a_taken_name_is_refused(db) {
        let mut tx = db.write().await;
        let one = add_integration(&mut tx, "one").await;
        add_integration(&mut tx, "two").await;
        tx.commit().await.unwrap();
        let mut tx = db.write().await;
        let renamed = Integration { id: one, ..integration("two") };
        let error = integrations::update(&mut tx, &renamed).await.unwrap_err();
        assert!(error.is_duplicate() && !error.is_temporary(), "{error:?}");
        drop(tx);
        let found = integrations::get(&mut *db.read().await, one).await.unwrap();
        assert_eq!(found.name, "one");
    }

    async fn archiving_takes_live_tenants_of_that_integration_only(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 3).await;
        let other = add_integration(&mut tx, "erp").await;
        add_tenant(&mut tx, other, "t0").await;
        let gone = marquetry_model::Tenant {
            archived_at: Some(at(1)), ..tenant(world.integration, "gone")
        };
        let gone = tenants::insert(&mut tx, &gone).await.unwrap().unwrap();
        assert_eq!(integrations::live_tenants(&mut tx, world.integration).await.unwrap(), 3);
        let archived = integrations::archive_tenants(&mut tx, world.integration, at(9)).await;
        let mut archived = archived.unwrap();
        archived.sort_unstable();
        assert_eq!(archived, world.tenants);
        assert_eq!(integrations::live_tenants(&mut tx, world.integration).await.unwrap(), 0);
        assert_eq!(integrations::live_tenants(&mut tx, other).await.unwrap(), 1);
        let times = async |tx: &mut marquetry_store::Tx, id: TenantId| {
            let row = tenants::get(tx, id).await.unwrap();
            (row.archived_at, row.modified_at)
        };
        assert_eq!(times(&mut tx, world.tenants[1]).await, (Some(at(9)), at(9)));
        assert_eq!(times(&mut tx, gone).await, (Some(at(1)), NOW));
    }

    async fn a_lock_makes_the_next_change_wait(db) {
        let mut tx = db.write().await;
        let id = add_integration(&mut tx, "crm").await;
        tx.commit().await.unwrap();
        let mut tx = db.write().await;
        let mut row = integrations::lock(&mut tx, id).await.unwrap();
        let store = db.store.clone();
        let second = tokio::spawn(async move {
            let mut tx = store.write().await.unwrap();
            let mut row = integrations::lock(&mut tx, id).await.unwrap();
            row.debounce_ms += 10;
            integrations::update(&mut tx, &row).await.unwrap();
            tx.commit().await.unwrap();
        });
        if db.kind() == Kind::Postgres {
            crate::common::wait_for_a_blocked_statement(db).await;
        }
        row.debounce_ms += 1;
        integrations::update(&mut tx, &row).await.unwrap();
        tx.commit().await.unwrap();
        second.await.unwrap();
        let row = integrations::get(&mut *db.read().await, id).await.unwrap();
        assert_eq!(row.debounce_ms, 11, "neither change is lost");
    }

    async fn who_adds_to_it_makes_who_changes_it_wait_and_nobody_else(db) {
        let mut tx = db.write().await;
        let id = add_integration(&mut tx, "crm").await;
        tx.commit().await.unwrap();
        let mut tx = db.write().await;
        integrations::lock_shared(&mut tx, id).await.unwrap();
        if db.kind() == Kind::Postgres {
            let mut other = db.write().await;
            integrations::lock_shared(&mut other, id).await.unwrap();
            other.commit().await.unwrap();
        }
        let store = db.store.clone();
        let archiving = tokio::spawn(async move {
            let mut tx = store.write().await.unwrap();
            integrations::lock(&mut tx, id).await.unwrap();
            let live = integrations::live_tenants(&mut tx, id).await.unwrap();
            tx.commit().await.unwrap();
            live
        });
        if db.kind() == Kind::Postgres {
            crate::common::wait_for_a_blocked_statement(db).await;
        }
        add_tenant(&mut tx, id, "acme").await;
        tx.commit().await.unwrap();
        assert_eq!(archiving.await.unwrap(), 1, "what was added before is seen");
    }
}
