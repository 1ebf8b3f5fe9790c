//! `integration_secrets`: update, delete, list.

use marquetry_store::integration_secrets;

use crate::common::{NOW, World, at, on_both};

on_both! {
    async fn secrets_are_kept_by_name(db) {
        let world = World::make(db, 1).await;
        let id = world.integration;
        let mut tx = db.write().await;
        assert!(integration_secrets::list(&mut tx, id).await.unwrap().is_empty());
        integration_secrets::update(&mut tx, id, "b", "1", NOW).await.unwrap();
        integration_secrets::update(&mut tx, id, "a", "2", NOW).await.unwrap();
        integration_secrets::update(&mut tx, id, "b", "3", at(7)).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = db.write().await;
        let pair = |name: &str, sealed: &str| (name.to_owned(), sealed.to_owned());
        assert_eq!(integration_secrets::list(&mut tx, id).await.unwrap(), [pair("a", "2"), pair("b", "3")]);
        integration_secrets::delete(&mut tx, id, "a").await.unwrap();
        integration_secrets::delete(&mut tx, id, "none").await.unwrap();
        assert_eq!(integration_secrets::list(&mut tx, id).await.unwrap(), [pair("b", "3")]);
    }
}
