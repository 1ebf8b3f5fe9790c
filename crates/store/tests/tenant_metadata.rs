//! `tenant_metadata`: find, list, update.

use marquetry_model::{TenantId, Timestamp};
use marquetry_store::{Tx, tenant_metadata};
use serde_json::{Map, Value, json};

use crate::common::{NOW, ODD, World, at, on_both};

async fn put(tx: &mut Tx, id: TenantId, data: Value, now: Timestamp) {
    let data: Map<String, Value> = serde_json::from_value(data).unwrap();
    tenant_metadata::update(tx, id, &data, now).await.unwrap();
}

on_both! {
    async fn metadata_is_absent_until_it_is_set(db) {
        let world = World::make(db, 2).await;
        let [one, two] = world.tenants[..] else { panic!() };
        let mut tx = db.write().await;
        assert_eq!(tenant_metadata::find(&mut tx, one).await.unwrap(), None);
        put(&mut tx, one, json!({"z": ODD, "a": "\u{0}"}), NOW).await;
        put(&mut tx, one, json!({"b": [1.5, null]}), at(7)).await;
        tx.commit().await.unwrap();
        let mut tx = db.read().await;
        let found = tenant_metadata::find(&mut tx, one).await.unwrap().unwrap();
        assert_eq!(Value::Object(found.data), json!({"b": [1.5, null]}));
        assert_eq!((found.created_at, found.modified_at), (Some(NOW), Some(at(7))));
        assert_eq!(tenant_metadata::find(&mut tx, two).await.unwrap(), None);
    }

    async fn a_list_has_those_who_have_any(db) {
        let world = World::make(db, 3).await;
        let mut tx = db.write().await;
        for (n, id) in world.tenants.iter().enumerate().skip(1) {
            put(&mut tx, *id, json!({"n": n}), NOW).await;
        }
        let asked = [world.tenants[0], world.tenants[2], TenantId::new(99)];
        let found = tenant_metadata::list(&mut tx, &asked).await.unwrap();
        let found: Vec<_> = found.into_iter().map(|one| (one.tenant_id, one.data["n"].clone())).collect();
        assert_eq!(found, [(world.tenants[2], json!(2))]);
        assert!(tenant_metadata::list(&mut tx, &[]).await.unwrap().is_empty());
    }
}
