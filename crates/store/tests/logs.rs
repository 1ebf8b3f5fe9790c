//! `logs`: append, list, find_last, find_blob, update_blob, delete.

use marquetry_model::{BuildId, RunId};
use marquetry_store::logs::{Chunk, LogOf};
use marquetry_store::{logs, runs};

use crate::common::{Db, ODD, World, append_log, on_both};

/// A run and a build with the same number, so that one is easily taken for the other.
async fn both(db: &Db) -> [LogOf; 2] {
    let world = World::make(db, 1).await;
    let mut tx = db.write().await;
    let run = world.add_run(&mut tx, world.tenants[0]).await.id;
    assert_eq!(run.get(), 1);
    tx.commit().await.unwrap();
    [LogOf::Run(run), LogOf::Build(BuildId::new(1))]
}

on_both! {
    async fn chunks_are_followed_by_number(db) {
        for of in both(db).await {
            let mut tx = db.write().await;
            assert_eq!(logs::find_last(&mut tx, of).await.unwrap(), 0);
            assert!(logs::list(&mut tx, of, 0, 9).await.unwrap().is_empty());
            let texts = [ODD.as_bytes().to_vec(), Vec::new(), vec![0xff, 0, 0x80], b"end".to_vec()];
            let mut expected = Vec::new();
            for (number, bytes) in (1..).zip(texts) {
                append_log(&mut tx, of, number, bytes.clone()).await.unwrap();
                expected.push(Chunk { number, bytes });
            }
            tx.commit().await.unwrap();
            let mut tx = db.read().await;
            assert_eq!(logs::list(&mut tx, of, 0, 9).await.unwrap(), expected);
            assert_eq!(logs::list(&mut tx, of, 1, 2).await.unwrap(), expected[1..3]);
            assert!(logs::list(&mut tx, of, 4, 9).await.unwrap().is_empty());
            assert_eq!(logs::find_last(&mut tx, of).await.unwrap(), 4);
        }
    }

    async fn a_chunk_that_is_tried_again_takes_the_place_of_the_first(db) {
        for of in both(db).await {
            let mut tx = db.write().await;
            append_log(&mut tx, of, 1, b"first".to_vec()).await.unwrap();
            tx.commit().await.unwrap();
            let mut tx = db.write().await;
            append_log(&mut tx, of, 1, b"first, and more".to_vec()).await.unwrap();
            tx.commit().await.unwrap();
            let found = logs::list(&mut *db.read().await, of, 0, 9).await.unwrap();
            assert_eq!(found, [Chunk { number: 1, bytes: b"first, and more".to_vec() }]);
        }
    }

    async fn what_is_packed_is_read_and_counted_as_it_was(db) {
        let text = "the same line of text, again and again\n".repeat(50).into_bytes();
        for of in both(db).await {
            let mut tx = db.write().await;
            append_log(&mut tx, of, 1, text.clone()).await.unwrap();
            append_log(&mut tx, of, 2, b"short".to_vec()).await.unwrap();
            tx.commit().await.unwrap();
            let mut tx = db.read().await;
            let found = logs::list(&mut tx, of, 0, 9).await.unwrap();
            assert_eq!((&found[0].bytes, found[1].bytes.as_slice()), (&text, &b"short"[..]));
            let size = i64::try_from(text.len()).unwrap() + 5;
            assert_eq!(logs::find_size(&mut tx, of).await.unwrap(), size);
        }
    }

    async fn a_log_of_nothing_is_refused_and_read_as_empty(db) {
        for of in [LogOf::Run(RunId::new(9)), LogOf::Build(BuildId::new(9))] {
            assert!(append_log(&mut *db.write().await, of, 1, Vec::new()).await.is_err());
            let mut tx = db.write().await;
            assert_eq!(logs::find_last(&mut tx, of).await.unwrap(), 0);
            assert_eq!(logs::find_blob(&mut tx, of).await.unwrap(), None);
            logs::update_blob(&mut tx, of, "nowhere").await.unwrap();
        }
    }

    async fn a_moved_log_leaves_its_place_and_no_chunks(db) {
        let [run, build] = both(db).await;
        let mut tx = db.write().await;
        for of in [run, build] {
            append_log(&mut tx, of, 1, b"x".to_vec()).await.unwrap();
            assert_eq!(logs::find_blob(&mut tx, of).await.unwrap(), None);
        }
        logs::update_blob(&mut tx, run, ODD).await.unwrap();
        assert_eq!(logs::find_blob(&mut tx, run).await.unwrap().as_deref(), Some(ODD));
        assert!(logs::list(&mut tx, run, 0, 9).await.unwrap().is_empty());
        assert_eq!(runs::get(&mut tx, RunId::new(1)).await.unwrap().log_blob.as_deref(), Some(ODD));
        assert_eq!(logs::find_blob(&mut tx, build).await.unwrap(), None, "the other one stays");
        assert_eq!(logs::find_last(&mut tx, build).await.unwrap(), 1);
        logs::update_blob(&mut tx, build, "b").await.unwrap();
        assert_eq!(logs::find_blob(&mut tx, build).await.unwrap().as_deref(), Some("b"));
        assert_eq!(logs::find_last(&mut tx, build).await.unwrap(), 0);
    }

    async fn the_size_is_in_bytes_and_of_that_one_only(db) {
        let [run, build] = both(db).await;
        let mut tx = db.write().await;
        for of in [run, build] {
            assert_eq!(logs::find_size(&mut tx, of).await.unwrap(), 0);
        }
        // A zero byte ends no blob, and a letter may have two bytes.
        for (number, bytes) in [(1, "a\0b"), (2, "ä")] {
            append_log(&mut tx, build, number, bytes.into()).await.unwrap();
        }
        assert_eq!(logs::find_size(&mut tx, build).await.unwrap(), 5);
        assert_eq!(logs::find_size(&mut tx, run).await.unwrap(), 0);
    }
}
