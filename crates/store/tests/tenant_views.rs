//! `tenant_views`: get, list.

use marquetry_model::{Connector, IntegrationId, PageRequest, Tenant, TenantId};
use marquetry_store::tenants::TenantFilter;
use marquetry_store::{Error, Tx, integrations, tenant_states, tenant_views, tenants};
use serde_json::{Map, Value, json};

use crate::common::{NOW, ODD, World, dispatched, end_run, on_both, sorted, tenant};

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

async fn connect(tx: &mut Tx, id: IntegrationId) {
    let mut integration = integrations::get(tx, id).await.unwrap();
    integration.connectors =
        serde_json::from_value(json!([{ "name": "shop" }, { "name": ODD, "isGlobal": true }]))
            .unwrap();
    integrations::update(tx, &integration).await.unwrap();
}

on_both! {
    async fn settings_are_the_text_that_was_written(db) {
        let world = World::make(db, 0).await;
        let mut tx = db.write().await;
        let configs = object(json!({ "z": [1, 2.5, null, { ODD: ODD }], "a": true }));
        let dynamic_configs = object(json!({ "lists": [ODD] }));
        let row = Tenant { configs: configs.clone(), dynamic_configs: dynamic_configs.clone(), ..tenant(world.integration, "t") };
        let id = tenants::insert(&mut tx, &row).await.unwrap().unwrap();
        let found = tenant_views::get(&mut tx, id).await.unwrap().tenant;
        assert_eq!(found.configs.get(), Value::from(configs).to_string());
        assert_eq!(found.dynamic_configs.get(), Value::from(dynamic_configs).to_string());
        let plain = tenants::get(&mut tx, id).await.unwrap();
        assert_eq!((found.id, found.name, found.created_at), (id, plain.name, plain.created_at));
        let error = tenant_views::get(&mut tx, TenantId::new(999)).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { kind: "tenant", .. }), "{error:?}");
    }

    async fn each_comes_with_its_own_runs_and_connectors(db) {
        let world = World::make(db, 3).await;
        let mut tx = db.write().await;
        let other = World::make_in(&mut tx, "erp", 2).await;
        connect(&mut tx, other.integration).await;
        let [ended, live, _] = world.tenants[..] else { panic!() };
        let (first, second) = (world.add_running(&mut tx, ended, "a").await.id, world.add_running(&mut tx, live, "a").await.id);
        for (tenant, run) in [(ended, first), (live, second)] {
            tenant_states::update_dispatched(&mut tx, &[dispatched(tenant, 0, None, run)]).await.unwrap();
        }
        end_run(&mut tx, ended, first, true, NOW).await.unwrap();
        let connector = |name: &str, is_global| Connector { name: name.to_owned(), is_global };
        let connectors = [connector("shop", false), connector(ODD, true)];
        for sort in ["id__ASC", "id__DESC", "name__DESC"] {
            let page = tenant_views::list(&mut tx, &TenantFilter::default(), &sorted(sort)).await.unwrap();
            assert_eq!(page.items.len(), 5);
            for view in page.items {
                let id = view.tenant.id;
                let state = tenant_states::get(&mut tx, id).await.unwrap();
                let runs = (view.current_run_id, view.last_run_id, view.last_successful_run_id);
                assert_eq!(runs, (state.current_run_id, state.last_run_id, state.last_successful_run_id));
                let expected = if other.tenants.contains(&id) { &connectors[..] } else { &[] };
                assert_eq!(view.connectors, expected, "{id}");
                let one = tenant_views::get(&mut tx, id).await.unwrap();
                assert_eq!((one.current_run_id, one.last_run_id, one.last_successful_run_id), runs);
                assert_eq!(one.connectors, view.connectors);
            }
        }
        let one = tenant_views::get(&mut tx, ended).await.unwrap();
        assert_eq!((one.current_run_id, one.last_run_id, one.last_successful_run_id), (None, Some(first), Some(first)));
        assert_eq!(tenant_views::get(&mut tx, live).await.unwrap().current_run_id, Some(second));
    }

    async fn a_page_keeps_its_order(db) {
        let world = World::make(db, 4).await;
        let mut tx = db.write().await;
        for (sort, expected) in [("name__ASC", [1, 2]), ("name__DESC", [2, 1]), ("timezone__ASC", [1, 2])] {
            let request = PageRequest { limit: 2, skip: 1, ..sorted(sort) };
            let page = tenant_views::list(&mut tx, &TenantFilter::default(), &request).await.unwrap();
            let found: Vec<_> = page.items.iter().map(|view| view.tenant.id).collect();
            assert_eq!(found, expected.map(|n| world.tenants[n]), "{sort}");
            assert!(page.has_more, "{sort}");
        }
    }
}
