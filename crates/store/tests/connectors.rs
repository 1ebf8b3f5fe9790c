//! `connectors`: find, list, update, delete, list_users.

use marquetry_model::{Connector, Integration};
use marquetry_store::{connectors, integrations};

use crate::common::{NOW, ODD, at, integration, on_both};

fn using(name: &str, connectors: &[&str]) -> Integration {
    let connector = |(n, name): (usize, &&str)| Connector {
        name: (*name).to_owned(),
        is_global: n % 2 == 1,
    };
    Integration {
        connectors: connectors.iter().enumerate().map(connector).collect(),
        ..integration(name)
    }
}

on_both! {
    async fn a_definition_is_kept_by_name(db) {
        let mut tx = db.write().await;
        assert_eq!(connectors::find(&mut tx, "b").await.unwrap(), None);
        assert!(connectors::list(&mut tx).await.unwrap().is_empty());
        for (name, text, now) in [
            ("b", "{\"former\": 1}", NOW), ("a", "2", NOW), ("B", "3", NOW), (ODD, ODD, NOW), ("b", ODD, at(7)),
        ] {
            connectors::update(&mut tx, name, text, now).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut tx = db.write().await;
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let all = [pair("B", "3"), pair("a", "2"), pair(ODD, ODD), pair("b", ODD)];
        assert_eq!(connectors::list(&mut tx).await.unwrap(), all, "by the bytes of their names");
        for (name, text) in &all {
            assert_eq!(connectors::find(&mut tx, name).await.unwrap().as_ref(), Some(text));
        }
        assert_eq!(connectors::find(&mut tx, "A").await.unwrap(), None);
        for expected in [true, false] {
            assert_eq!(connectors::delete(&mut tx, "b").await.unwrap(), expected);
        }
        assert_eq!(connectors::find(&mut tx, "b").await.unwrap(), None);
        assert_eq!(connectors::list(&mut tx).await.unwrap(), all[..3]);
        connectors::update(&mut tx, "b", "4", at(9)).await.unwrap();
        assert_eq!(connectors::find(&mut tx, "b").await.unwrap().as_deref(), Some("4"));
    }

    async fn who_gives_one_at_once_with_others_replaces_theirs(db) {
        let tasks: Vec<_> = (0..4).map(|n| {
            let store = db.store.clone();
            tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                connectors::update(&mut tx, "a", &n.to_string(), NOW).await.unwrap();
                tx.commit().await.unwrap();
            })
        }).collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(connectors::list(&mut *db.read().await).await.unwrap().len(), 1);
    }

    async fn integrations_that_use_one_are_named(db) {
        let mut tx = db.write().await;
        for row in [
            using("z", &["shop"]),
            using("mail", &["mail", "shop", "a_b"]),
            Integration { archived_at: Some(NOW), ..using("gone", &["shop", "old"]) },
            using("alike", &["workshop", "shop-2", "shopx", "my.shop", "Shop", "a-b", "axb", "A_B"]),
            using("shop", &[]),
            using("a", &["mail", "shop"]),
            using("odd", &[ODD, "x\",\"name\":\"inner"]),
        ] {
            integrations::insert(&mut tx, &row).await.unwrap().unwrap();
        }
        for (name, most, expected) in [
            ("shop", 9, vec!["z", "mail", "a"]),
            ("shop", 2, vec!["z", "mail"]),
            ("mail", 9, vec!["mail", "a"]),
            ("Shop", 9, vec!["alike"]),
            ("a_b", 9, vec!["mail"]),
            ("a-b", 9, vec!["alike"]),
            ("axb", 9, vec!["alike"]),
            ("workshop", 9, vec!["alike"]),
            (ODD, 9, vec!["odd"]),
            ("old", 9, vec![]),
            ("inner", 9, vec![]),
            ("sho", 9, vec![]),
            ("hop", 9, vec![]),
            ("%", 9, vec![]),
            ("", 9, vec![]),
            ("name", 9, vec![]),
        ] {
            assert_eq!(connectors::list_users(&mut tx, name, most).await.unwrap(), expected, "{name}");
        }
    }
}
