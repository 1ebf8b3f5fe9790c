//! What a transaction promises on both databases.

use std::time::Duration;

use marquetry_model::{PageRequest, Source};
use marquetry_store::runs::RunFilter;
use marquetry_store::{Error, Options, Store, run_views, runs, settings, triggers};

use crate::common::{
    Kind, NOW, ODD, World, at, client, finish_run, give_to, on_both, trigger, url_of,
};

async fn value(store: &Store, name: &str) -> Option<String> {
    let mut tx = store.read().await.unwrap();
    settings::find(&mut tx, name).await.unwrap()
}

on_both! {
    async fn what_is_not_committed_is_seen_by_its_writer_only(db) {
        let mut tx = db.write().await;
        settings::update(&mut tx, "a", "1", NOW).await.unwrap();
        assert_eq!(settings::find(&mut tx, "a").await.unwrap().as_deref(), Some("1"));
        assert_eq!(value(&db.store, "a").await, None);
        tx.commit().await.unwrap();
        assert_eq!(value(&db.store, "a").await.as_deref(), Some("1"));
    }

    async fn a_dropped_transaction_leaves_nothing(db) {
        let mut tx = db.write().await;
        settings::update(&mut tx, "a", "1", NOW).await.unwrap();
        drop(tx);
        let mut tx = db.write().await;
        assert_eq!(settings::find(&mut tx, "a").await.unwrap(), None);
        assert!(settings::insert(&mut tx, "a", "2", NOW).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(value(&db.store, "a").await.as_deref(), Some("2"));
    }

    async fn after_a_failed_statement_nothing_is_committed(db) {
        let mut tx = db.write().await;
        settings::update(&mut tx, "a", "1", NOW).await.unwrap();
        let absent = marquetry_model::TenantId::new(99);
        assert!(triggers::insert(&mut tx, &trigger(absent)).await.is_err());
        let error = tx.commit().await.unwrap_err();
        assert!(matches!(error, Error::Undone), "{error:?}");
        let mut tx = db.write().await;
        assert_eq!(settings::find(&mut tx, "a").await.unwrap(), None);
        tx.commit().await.unwrap();
    }

    async fn a_reader_cannot_be_committed_by_mistake_and_reads_what_came_since(db) {
        let mut reader = db.read().await;
        for text in ["1", "2"] {
            let mut tx = db.write().await;
            settings::update(&mut tx, "a", text, NOW).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(settings::find(&mut reader, "a").await.unwrap().as_deref(), Some(text));
        }
    }

    /// Its node may be frozen, or cut off, so that nobody but the database can end it.
    async fn a_transaction_that_does_nothing_holds_others_up_for_some_seconds_at_most(db) {
        if db.kind() == Kind::Sqlite {
            return;
        }
        let mut frozen = db.write().await;
        settings::update(&mut frozen, "a", "1", NOW).await.unwrap();
        let begun = std::time::Instant::now();
        let mut other = db.write().await;
        settings::update(&mut other, "a", "2", NOW).await.unwrap();
        other.commit().await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert!(frozen.commit().await.is_err());
        assert_eq!(value(&db.store, "a").await.as_deref(), Some("2"));
    }

    async fn text_with_nul_is_refused(db) {
        let mut tx = db.write().await;
        assert!(settings::update(&mut tx, "a", "x\0y", NOW).await.is_err());
        drop(tx);
        assert_eq!(value(&db.store, "a").await, None);
    }

    async fn text_comes_back_byte_by_byte(db) {
        let mut tx = db.write().await;
        let long = ODD.repeat(20_000);
        let texts = ["", " ", "$1", "?", "NULL", "'; DROP TABLE settings; --", "\u{10ffff}", ODD, &long];
        for text in texts {
            settings::update(&mut tx, "a", text, NOW).await.unwrap();
            assert_eq!(settings::find(&mut tx, "a").await.unwrap().as_deref(), Some(text));
        }
    }

    /// The statement of `list` with these filters names its parameters out of order: the source
    /// is bound before the times, and the page behind them; that of `finish` begins with `$4`.
    async fn parameters_are_bound_by_number_and_not_by_place(db) {
        let world = World::make(db, 1).await;
        let mut tx = db.write().await;
        let run = world.add_running(&mut tx, world.tenants[0], "a").await;
        let id = triggers::insert(&mut tx, &trigger(world.tenants[0])).await.unwrap();
        give_to(&mut tx, run.id, &[id]).await;
        let filter = RunFilter { source: Some(Source::Api), to: Some(at(1)), ..RunFilter::default() };
        let page = run_views::list(&mut tx, &filter, &PageRequest::default()).await.unwrap();
        assert_eq!(page.items.len(), 1);
        let claim = crate::runs::claim_of(&run);
        let ended = crate::runs::outcome(marquetry_model::Phase::FailedTimeout);
        assert!(finish_run(&mut tx, &claim, &ended, at(7)).await.unwrap());
        let found = runs::get(&mut tx, run.id).await.unwrap();
        assert_eq!((found.phase, found.completed_at), (ended.phase, Some(at(7))));
        assert_eq!(run_views::list(&mut tx, &filter, &PageRequest::default()).await.unwrap().items[0].run, found);
    }

    async fn more_readers_than_connections_take_turns(db) {
        let mut tx = db.write().await;
        settings::update(&mut tx, "a", "1", NOW).await.unwrap();
        tx.commit().await.unwrap();
        let tasks: Vec<_> = (0..50).map(|_| {
            let store = db.store.clone();
            tokio::spawn(async move { value(&store, "a").await })
        }).collect();
        for task in tasks {
            let found = tokio::time::timeout(Duration::from_secs(20), task).await;
            assert_eq!(found.unwrap().unwrap().as_deref(), Some("1"));
        }
    }

    async fn a_transaction_that_is_aborted_anywhere_leaves_the_store_usable(db) {
        for step in 0..12 {
            let store = db.store.clone();
            let task = tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                settings::update(&mut tx, "a", "lost", NOW).await.unwrap();
                std::future::pending::<()>().await;
                tx.commit().await.unwrap();
            });
            for _ in 0..step * 5 {
                tokio::task::yield_now().await;
            }
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        }
        let mut tx = tokio::time::timeout(Duration::from_secs(20), db.write()).await.unwrap();
        assert_eq!(settings::find(&mut tx, "a").await.unwrap(), None);
        tx.commit().await.unwrap();
    }
}

#[test]
fn a_connection_comes_back_clean_after_a_dropped_transaction() {
    crate::common::run(Kind::Postgres, async |db| {
        // Two connections: both are soon used again by those who come next.
        let url = url_of(&db.options).to_owned();
        let options = Options::Postgres {
            url: url.clone(),
            connections: 2,
        };
        let store = Store::open(&options, NOW).await.unwrap();
        for round in 0..6 {
            let mut tx = store.write().await.unwrap();
            settings::update(&mut tx, "a", "lost", NOW).await.unwrap();
            if round % 2 == 0 {
                // As after an error: the server refuses everything until the ROLLBACK.
                let absent = marquetry_model::TenantId::new(99);
                assert!(triggers::insert(&mut tx, &trigger(absent)).await.is_err());
            }
            drop(tx);
            assert_eq!(value(&store, "a").await, None);
            let mut tx = store.write().await.unwrap();
            let name = format!("round {round}");
            settings::update(&mut tx, &name, "kept", NOW).await.unwrap();
            tx.commit().await.unwrap();
        }
        let client = client(&url).await;
        crate::common::until("no connection has a transaction open", async || {
            let row = client
                .query_one(
                    "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()
                    AND state LIKE 'idle in transaction%'",
                    &[],
                )
                .await
                .unwrap();
            row.get::<_, i64>(0) == 0
        })
        .await;
        let row = client
            .query_one("SELECT COUNT(*) FROM settings WHERE value = 'kept'", &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, i64>(0), 6);
    });
}

#[test]
fn readers_get_another_connection_when_theirs_is_cut() {
    crate::common::run(Kind::Postgres, async |db| {
        let mut tx = db.write().await;
        settings::update(&mut tx, "a", "1", NOW).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(value(&db.store, "a").await.as_deref(), Some("1"));
        let client = client(url_of(&db.options)).await;
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        assert!(!client.query(cut, &[]).await.unwrap().is_empty());
        // Who reads before the client has noticed is told, once for each connection that was cut;
        // nobody has to start the store again.
        let mut in_a_row = 0;
        crate::common::until("readers have connections", async || {
            let mut tx = db.store.read().await.unwrap();
            let found = settings::find(&mut tx, "a").await;
            let right = matches!(&found, Ok(Some(value)) if value == "1");
            in_a_row = if right { in_a_row + 1 } else { 0 };
            in_a_row == 20
        })
        .await;
    });
}
