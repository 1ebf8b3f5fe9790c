//! `notices`: announce; listening and hearing.

use marquetry_store::notices;

use crate::common::{Db, Kind, client, on_both, url_of};

/// Ends every connection of the database that listens.
async fn cut_off(db: &Db) {
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    client(url_of(&db.options))
        .await
        .query(cut, &[])
        .await
        .unwrap();
}

on_both! {
    async fn what_is_said_is_heard_by_all_who_listen(db) {
        let heard = db.store.listen().await.unwrap();
        if db.kind() == Kind::Sqlite {
            assert!(heard.is_none(), "there is nobody else");
            return;
        }
        let (mut one, mut two) = (heard.unwrap(), db.store.listen().await.unwrap().unwrap());
        let longest = "x".repeat(notices::LONGEST);
        for word in ["first 'odd' $1", &longest] {
            let mut tx = db.read().await;
            notices::announce(&mut tx, word).await.unwrap();
        }
        for listener in [&mut one, &mut two] {
            assert_eq!(listener.next().await.unwrap(), "first 'odd' $1");
            assert_eq!(listener.next().await.unwrap(), longest);
        }
    }

    async fn who_is_cut_off_is_told(db) {
        let Some(mut heard) = db.store.listen().await.unwrap() else {
            return;
        };
        cut_off(db).await;
        assert!(heard.next().await.is_err());
    }
}
