//! `data_keys`: insert, find, list, generations, another master key, delete.

use marquetry_store::data_keys;

use crate::common::{NOW, at, on_both};

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

    async fn generations_come_after_the_first_key(db) {
        let mut tx = db.write().await;
        assert_eq!(data_keys::list(&mut tx, "").await.unwrap(), []);
        // Whatever their order in the table, the later one is used later.
        let last = data_keys::insert_generation(&mut tx, "builds", "a", "1.a.last", NOW, at(9)).await.unwrap();
        let middle = data_keys::insert_generation(&mut tx, "builds", "a", "1.a.middle", NOW, at(5)).await.unwrap();
        data_keys::insert(&mut tx, "builds", "a", "1.a.first", at(1)).await.unwrap();
        data_keys::insert(&mut tx, "tokens", "b", "1.b.other", at(2)).await.unwrap();
        data_keys::update_done(&mut tx, middle, at(7)).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = db.write().await;
        let found = data_keys::list(&mut tx, "builds").await.unwrap();
        let names: Vec<&str> = found.iter().map(|it| it.key.wrapped.as_str()).collect();
        assert_eq!(names, ["1.a.first", "1.a.middle", "1.a.last"]);
        let ids: Vec<i64> = found.iter().map(|it| it.key.id).collect();
        assert_eq!(ids[1..], [middle, last]);
        assert!(ids[0] < middle, "{ids:?}");
        assert_eq!((found[0].active_from, found[1].active_from), (at(1), at(5)));
        assert_eq!((found[0].done_at, found[1].done_at, found[2].done_at), (None, Some(at(7)), None));
        assert_eq!(data_keys::list(&mut tx, "").await.unwrap().len(), 4);
        // Both the first and a later one can be forgotten.
        for id in &ids[..2] {
            data_keys::delete(&mut tx, *id).await.unwrap();
        }
        let left = data_keys::list(&mut tx, "builds").await.unwrap();
        assert_eq!((left.len(), left[0].key.id), (1, last));
    }

    async fn a_key_goes_under_another_master_key_once(db) {
        let mut tx = db.write().await;
        data_keys::insert(&mut tx, "builds", "a", "1.a.x", NOW).await.unwrap();
        data_keys::insert_generation(&mut tx, "builds", "a", "1.a.y", NOW, at(5)).await.unwrap();
        for it in data_keys::list(&mut tx, "").await.unwrap() {
            assert!(data_keys::update_wrapped(&mut tx, &it.key, "b", "1.b.z").await.unwrap());
            assert!(!data_keys::update_wrapped(&mut tx, &it.key, "c", "1.c.z").await.unwrap());
        }
        let all = data_keys::list(&mut tx, "").await.unwrap();
        assert!(all.iter().all(|it| it.master_key_id == "b" && it.key.wrapped == "1.b.z"), "{all:?}");
    }
}
