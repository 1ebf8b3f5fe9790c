//! `tenant_secrets`: find, update, delete; and that nothing is left of what a transaction shreds.

use marquetry_store::{tenant_secrets, tenants};
use serde_json::json;

use crate::common::{Kind, NOW, ODD, World, at, on_both};
use crate::tenants::object;

on_both! {
    async fn a_tenant_has_one_sealed_text(db) {
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 2).await;
        let [tenant, other] = world.tenants[..] else { panic!() };
        assert_eq!(tenant_secrets::find(&mut tx, tenant).await.unwrap(), None);
        for (text, now) in [("first", NOW), (ODD, at(7))] {
            tenant_secrets::update(&mut tx, tenant, text, now).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut tx = db.write().await;
        assert_eq!(tenant_secrets::find(&mut tx, tenant).await.unwrap().as_deref(), Some(ODD));
        assert_eq!(tenant_secrets::find(&mut tx, other).await.unwrap(), None);
        for id in [other, tenant] {
            tenant_secrets::delete(&mut tx, id).await.unwrap();
        }
        assert_eq!(tenant_secrets::find(&mut tx, tenant).await.unwrap(), None);
    }

    async fn a_tenant_that_is_not_there_has_none(db) {
        let absent = marquetry_model::TenantId::new(9);
        assert!(tenant_secrets::update(&mut *db.write().await, absent, "x", NOW).await.is_err());
    }

    async fn what_a_transaction_shreds_is_gone(db) {
        // One value in the row's page, one that needs pages of its own.
        let values = ["short-5f0c11aa".to_owned(), "long-7d21e9b3-".repeat(4_000)];
        let mut tx = db.write().await;
        let world = World::make_in(&mut tx, "crm", 60).await;
        tx.commit().await.unwrap();
        for id in &world.tenants {
            let mut tx = db.write().await;
            let mut row = tenants::get(&mut tx, *id).await.unwrap();
            row.configs = object(json!({"a": values[0], "b": values[1]}));
            tenants::update(&mut tx, &row).await.unwrap();
            tx.commit().await.unwrap();
        }
        for id in &world.tenants {
            let mut tx = db.write().await;
            tx.shred().unwrap();
            let mut row = tenants::get(&mut tx, *id).await.unwrap();
            row.configs = object(json!({"a": "********", "b": "********"}));
            tenants::update(&mut tx, &row).await.unwrap();
            tx.commit().await.unwrap();
        }
        db.store.empty_log().await.unwrap();
        let mut tx = db.read().await;
        let row = tenants::get(&mut tx, world.tenants[0]).await.unwrap();
        assert_eq!(row.configs["a"], "********");
        if db.kind() == Kind::Sqlite {
            for file in std::fs::read_dir(db.folder()).unwrap() {
                let file = file.unwrap().path();
                let bytes = std::fs::read(&file).unwrap();
                for text in ["short-5f0c11aa", "long-7d21e9b3-"] {
                    let found = bytes.windows(text.len()).any(|part| part == text.as_bytes());
                    assert!(!found, "{text} in {}", file.display());
                }
            }
        }
    }
}
