//! `idempotency_keys`: taken once, answered, free again when their time is over.

use marquetry_model::ApiKeyId;
use marquetry_store::idempotency::{self, Answer, Done, KeyOf};

use crate::common::{NOW, ODD, at, on_both};

const MINE: KeyOf<'_> = KeyOf {
    api_key: ApiKeyId::new(1),
    key: ODD,
};

on_both! {
    async fn a_key_is_taken_once_and_keeps_its_answer(db) {
        let mut tx = db.write().await;
        assert_eq!(add_key(&mut tx, b"1").await, 1);
        assert_eq!(add_key(&mut tx, b"2").await, 2);
        assert_eq!(idempotency::find(&mut tx, MINE, NOW).await.unwrap(), None);
        assert!(idempotency::insert(&mut tx, MINE, b"print", 7, at(10), NOW).await.unwrap());
        assert!(!idempotency::insert(&mut tx, MINE, b"other", 8, at(10), at(9)).await.unwrap());
        let mut done = Done { fingerprint: b"print".to_vec(), effect_id: 7, answer: None };
        assert_eq!(idempotency::find(&mut tx, MINE, NOW).await.unwrap(), Some(done.clone()));
        for answer in [Answer::Open { status: 202, body: ODD.to_owned() }, Answer::Sealed(ODD.to_owned())] {
            idempotency::update_answer(&mut tx, MINE, &answer).await.unwrap();
            done.answer = Some(answer);
            assert_eq!(idempotency::find(&mut tx, MINE, at(9)).await.unwrap(), Some(done.clone()));
        }
        let other = KeyOf { api_key: ApiKeyId::new(2), ..MINE };
        assert_eq!(idempotency::find(&mut tx, other, NOW).await.unwrap(), None, "of another caller");
        assert!(idempotency::insert(&mut tx, other, b"print", 9, at(20), NOW).await.unwrap());
    }

    async fn a_key_whose_time_is_over_is_free(db) {
        let mut tx = db.write().await;
        add_key(&mut tx, b"1").await;
        idempotency::insert(&mut tx, MINE, b"print", 7, at(10), NOW).await.unwrap();
        idempotency::update_answer(&mut tx, MINE, &Answer::Sealed("x".to_owned())).await.unwrap();
        assert_eq!(idempotency::find(&mut tx, MINE, at(10)).await.unwrap(), None);
        assert!(idempotency::insert(&mut tx, MINE, b"new", 8, at(30), at(10)).await.unwrap());
        let found = idempotency::find(&mut tx, MINE, at(10)).await.unwrap().unwrap();
        assert_eq!((found.effect_id, found.answer), (8, None));
        assert_eq!(idempotency::delete_expired(&mut tx, at(29)).await.unwrap(), 0);
        assert_eq!(idempotency::delete_expired(&mut tx, at(30)).await.unwrap(), 1);
    }

    async fn what_was_answered_is_forgotten_and_what_was_done_is_not(db) {
        let mut tx = db.write().await;
        add_key(&mut tx, b"1").await;
        let other = KeyOf { key: "other", ..MINE };
        let answer = Answer::Open { status: 200, body: ODD.to_owned() };
        for (of, effect) in [(MINE, 7), (other, 8)] {
            idempotency::insert(&mut tx, of, b"print", effect, at(10), NOW).await.unwrap();
            idempotency::update_answer(&mut tx, of, &answer).await.unwrap();
        }
        idempotency::forget_answers(&mut tx, 7).await.unwrap();
        let found = idempotency::find(&mut tx, MINE, NOW).await.unwrap().unwrap();
        assert_eq!((found.effect_id, found.answer), (7, None));
        let found = idempotency::find(&mut tx, other, NOW).await.unwrap().unwrap();
        assert_eq!(found.answer, Some(answer));
    }

    async fn of_many_who_take_it_at_once_one_wins(db) {
        let mut tx = db.write().await;
        add_key(&mut tx, b"1").await;
        tx.commit().await.unwrap();
        let tasks: Vec<_> = (0..6)
            .map(|n| {
                let store = db.store.clone();
                tokio::spawn(async move {
                    let mut tx = store.write().await.unwrap();
                    let won = idempotency::insert(&mut tx, MINE, b"print", n, at(10), NOW).await;
                    tx.commit().await.unwrap();
                    won.unwrap().then_some(n)
                })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            winners.extend(task.await.unwrap());
        }
        let mut tx = db.read().await;
        let found = idempotency::find(&mut tx, MINE, NOW).await.unwrap().unwrap();
        assert_eq!(winners, [found.effect_id]);
    }
}

async fn add_key(tx: &mut marquetry_store::Tx, hash: &[u8]) -> i64 {
    crate::api_keys::add(tx, "a key", hash).await.get()
}
