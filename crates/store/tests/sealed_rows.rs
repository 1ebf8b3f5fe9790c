//! `sealed_rows`: what is sealed with which key, and what is put in its place.

use marquetry_model::ConnectionOf;
use marquetry_store::connections::{self, Written};
use marquetry_store::sealed_rows::{self, SealedTable};
use marquetry_store::{Tx, integration_secrets, provisions, tenant_secrets};

use crate::common::{NOW, World, on_both};

/// A text of an old key and one of the new in each table.
async fn fill(tx: &mut Tx) {
    let world = World::make_in(tx, "crm", 2).await;
    let integration = world.integration;
    for (tenant, key) in world.tenants.iter().zip(["1.1.", "1.22."]) {
        let text = format!("{key}abc");
        tenant_secrets::update(tx, *tenant, &text, NOW)
            .await
            .unwrap();
        integration_secrets::update(tx, integration, key, &text, NOW)
            .await
            .unwrap();
        let row = provisions::ensure(tx, integration, key, NOW).await.unwrap();
        provisions::update(tx, row, &[], &text, NOW).await.unwrap();
        let of = ConnectionOf {
            integration_id: integration,
            tenant_id: Some(*tenant),
            connector: "chat".to_owned(),
        };
        let row = connections::ensure(tx, &of, NOW).await.unwrap();
        let written = Written {
            status: marquetry_model::ConnectionStatus::Connected,
            reason: None,
            sealed: Some(&text),
            issued_at: None,
            expires_at: None,
            refresh_at: None,
            check_at: None,
            checked_at: None,
            anew: true,
        };
        assert!(connections::update(tx, &row, &written, NOW).await.unwrap());
    }
    // One that has nothing sealed yet.
    provisions::ensure(tx, integration, "empty", NOW)
        .await
        .unwrap();
}

on_both! {
    async fn what_another_key_has_sealed_is_found_and_replaced(db) {
        let mut tx = db.write().await;
        fill(&mut tx).await;
        for table in SealedTable::ALL {
            assert_eq!(sealed_rows::count(&mut tx, table, "1.22.").await.unwrap(), (2, 1), "{table:?}");
            // `1.2` begins `1.22.`, and is another key.
            assert_eq!(sealed_rows::count(&mut tx, table, "1.2.").await.unwrap(), (2, 2), "{table:?}");
            let all = sealed_rows::list_other(&mut tx, table, "1.3.", 9).await.unwrap();
            assert_eq!(all.len(), 2, "{table:?}");
            assert_eq!(sealed_rows::list_other(&mut tx, table, "1.3.", 1).await.unwrap(), all[..1]);
            let found = sealed_rows::list_other(&mut tx, table, "1.22.", 9).await.unwrap();
            let [old] = &found[..] else { panic!("{table:?}: {found:?}") };
            assert_eq!(old.sealed, "1.1.abc");
            assert!(sealed_rows::update(&mut tx, table, old, "1.22.new").await.unwrap(), "{table:?}");
            // Who read the old text comes too late.
            assert!(!sealed_rows::update(&mut tx, table, old, "1.22.late").await.unwrap(), "{table:?}");
            assert_eq!(sealed_rows::count(&mut tx, table, "1.22.").await.unwrap(), (2, 0), "{table:?}");
        }
    }
}
