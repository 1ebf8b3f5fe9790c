//! `data_keys`: insert, find, `find_foreign`.

use marquetry_store::data_keys;

use crate::common::{NOW, on_both};

on_both! {
    async fn the_first_key_of_a_kind_stays(db) {
        let mut tx = db.write().await;
        assert_eq!(data_keys::find(&mut tx, "builds").await.unwrap(), None);
        for wrapped in ["1.a.first", "1.a.second"] {
            data_keys::insert(&mut tx, "builds", "a", wrapped, NOW).await.unwrap();
        }
        data_keys::insert(&mut tx, "tokens", "a", "1.a.third", NOW).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = db.read().await;
        let first = data_keys::find(&mut tx, "builds").await.unwrap().unwrap();
        let third = data_keys::find(&mut tx, "tokens").await.unwrap().unwrap();
        assert_eq!((first.wrapped.as_str(), third.wrapped.as_str()), ("1.a.first", "1.a.third"));
        assert_ne!(first.id, third.id);
        assert_eq!(data_keys::find(&mut tx, "else").await.unwrap(), None);
    }

    async fn another_master_key_is_found(db) {
        let mut tx = db.write().await;
        assert_eq!(data_keys::find_foreign(&mut tx, "a").await.unwrap(), None);
        data_keys::insert(&mut tx, "builds", "a", "1.a.x", NOW).await.unwrap();
        assert_eq!(data_keys::find_foreign(&mut tx, "a").await.unwrap(), None);
        assert_eq!(data_keys::find_foreign(&mut tx, "b").await.unwrap().as_deref(), Some("a"));
    }
}
