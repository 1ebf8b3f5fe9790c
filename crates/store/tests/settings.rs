//! `settings`: find, insert once, update.

use marquetry_store::settings;

use crate::common::{NOW, ODD, at, on_both};

on_both! {
    async fn a_setting_is_absent_until_it_is_set(db) {
        let mut tx = db.write().await;
        assert_eq!(settings::find(&mut tx, "colour").await.unwrap(), None);
        settings::update(&mut tx, "colour", "red", NOW).await.unwrap();
        settings::update(&mut tx, "colour", ODD, at(1)).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = db.read().await;
        assert_eq!(settings::find(&mut tx, "colour").await.unwrap().as_deref(), Some(ODD));
        assert_eq!(settings::find(&mut tx, "Colour").await.unwrap(), None);
    }

    async fn only_the_first_insert_counts(db) {
        let mut tx = db.write().await;
        assert!(settings::insert(&mut tx, ODD, "first", NOW).await.unwrap());
        assert!(!settings::insert(&mut tx, ODD, "second", NOW).await.unwrap());
        tx.commit().await.unwrap();
        let mut tx = db.read().await;
        assert_eq!(settings::find(&mut tx, ODD).await.unwrap().as_deref(), Some("first"));
    }

    async fn of_many_who_insert_at_once_one_wins(db) {
        let tasks: Vec<_> = (0..6)
            .map(|n| {
                let store = db.store.clone();
                tokio::spawn(async move {
                    let mut tx = store.write().await.unwrap();
                    let won = settings::insert(&mut tx, "signing_key", &n.to_string(), NOW).await;
                    tx.commit().await.unwrap();
                    won.unwrap().then_some(n.to_string())
                })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            winners.extend(task.await.unwrap());
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        let mut tx = db.read().await;
        assert_eq!(settings::find(&mut tx, "signing_key").await.unwrap(), winners.pop());
    }

    async fn a_turn_is_taken_once_in_a_while(db) {
        let mut tx = db.write().await;
        assert!(settings::claim(&mut tx, "turn", at(100), at(50)).await.unwrap(), "nobody had it yet");
        assert!(!settings::claim(&mut tx, "turn", at(110), at(60)).await.unwrap());
        assert!(settings::claim(&mut tx, "other", at(110), at(60)).await.unwrap());
        assert!(settings::claim(&mut tx, "turn", at(150), at(100)).await.unwrap());
        assert!(!settings::claim(&mut tx, "turn", at(151), at(149)).await.unwrap());
    }
}
