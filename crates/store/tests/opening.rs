//! Opening a store: the lock, migrations, and databases that are not ours to open.

use std::sync::Arc;

use marquetry_store::{Error, Options, Store, secret_sweeps, settings};

use crate::common::{
    Closed, Db, Kind, NOW, World, at, client, on_both, open, sqlite_options, url_of,
};

/// A statement past the store, in a database that nobody has open.
pub(crate) async fn statement(options: &Options, sql: &str) {
    match options {
        Options::Sqlite { folder, .. } => {
            let connection = rusqlite::Connection::open(folder.join("marquetry.db")).unwrap();
            connection.execute_batch(sql).unwrap();
        }
        Options::Postgres { .. } => {
            client(url_of(options))
                .await
                .batch_execute(sql)
                .await
                .unwrap();
        }
    }
}

async fn closed(kind: Kind) -> Closed {
    open(kind).await.close()
}

async fn applied(db: &Db) -> Vec<(i64, String, i64, i64)> {
    const SQL: &str =
        "SELECT version, name, checksum, applied_at FROM schema_migrations ORDER BY version";
    match &db.options {
        Options::Sqlite { folder, .. } => {
            let connection = rusqlite::Connection::open(folder.join("marquetry.db")).unwrap();
            let mut statement = connection.prepare(SQL).unwrap();
            let rows = statement.query_map([], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            });
            rows.unwrap().map(Result::unwrap).collect()
        }
        Options::Postgres { url, .. } => {
            let rows = client(url).await.query(SQL, &[]).await.unwrap();
            rows.iter()
                .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
                .collect()
        }
    }
}

#[test]
fn a_folder_has_one_store() {
    crate::common::run(Kind::Sqlite, async |db| {
        let folder = db.folder().to_owned();
        let error = Store::open(&sqlite_options(&folder), NOW)
            .await
            .err()
            .unwrap();
        assert!(
            matches!(&error, Error::Locked(named) if *named == folder),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains(&folder.display().to_string()) && text.contains("--data-dir"),
            "{text}"
        );
        // Whoever was refused has changed nothing.
        let mut tx = db.write().await;
        assert!(settings::insert(&mut tx, "a", "1", NOW).await.unwrap());
        tx.commit().await.unwrap();
    });
}

#[test]
fn a_folder_is_free_when_its_store_is_closed() {
    crate::common::run(Kind::Sqlite, async |_| {
        let closed = closed(Kind::Sqlite).await;
        for _ in 0..3 {
            drop(Store::open(&closed.options, NOW).await.unwrap());
        }
    });
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    crate::common::run(Kind::Sqlite, async |db| {
        let file = db.folder().join("file");
        std::fs::write(&file, "x").unwrap();
        let error = Store::open(&sqlite_options(&file), NOW)
            .await
            .err()
            .unwrap();
        assert!(
            matches!(&error, Error::Folder { path, .. } if *path == file),
            "{error:?}"
        );
    });
}

#[test]
fn a_folder_is_made_with_those_above_it() {
    crate::common::run(Kind::Sqlite, async |db| {
        let folder = db.folder().join("a/b/c");
        drop(Store::open(&sqlite_options(&folder), NOW).await.unwrap());
        assert!(folder.join("marquetry.db").is_file());
    });
}

#[test]
fn a_url_that_is_none_is_refused() {
    crate::common::block_on(async {
        for url in ["", "mysql://localhost/x", "postgres://localhost:port/x"] {
            let options = Options::Postgres {
                url: url.to_owned(),
                connections: 2,
            };
            assert!(Store::open(&options, NOW).await.is_err(), "{url}");
        }
    });
}

on_both! {
    async fn a_store_says_what_it_is(db) {
        let expected = match db.kind() {
            Kind::Sqlite => ("SQLite", false),
            Kind::Postgres => ("PostgreSQL", true),
        };
        assert_eq!((db.store.kind(), db.store.is_shared()), expected);
    }

    async fn migrations_are_applied_once(db) {
        let before = applied(db).await;
        assert!(!before.is_empty());
        assert!(before.iter().all(|row| row.3 == NOW.as_millis()));
        assert!(before.is_sorted_by(|one, next| one.0 < next.0), "{before:?}");
        let closed = closed(db.kind()).await;
        let schema = crate::schema::read(&closed.options).await;
        let again = Store::open(&closed.options, at(99)).await.unwrap();
        drop(again);
        assert_eq!(crate::schema::read(&closed.options).await, schema);
        let again = Db::from_closed(closed, at(100)).await;
        assert_eq!(applied(&again).await, before, "not even the time");
    }

    async fn rows_outlive_the_store(db) {
        let mut tx = db.write().await;
        settings::update(&mut tx, "a", "1", NOW).await.unwrap();
        tx.commit().await.unwrap();
        let other = open(db.kind()).await;
        let mut tx = other.write().await;
        assert_eq!(settings::find(&mut tx, "a").await.unwrap(), None, "tests share nothing");
        settings::update(&mut tx, "b", "2", NOW).await.unwrap();
        tx.commit().await.unwrap();
        let again = Db::from_closed(other.close(), NOW).await;
        assert_eq!(settings::find(&mut *again.read().await, "b").await.unwrap().as_deref(), Some("2"));
    }

    async fn integrations_that_are_older_than_the_sealing_are_marked(db) {
        let other = open(db.kind()).await;
        let world = World::make(&other, 0).await;
        let closed = other.close();
        statement(&closed.options, "DROP TABLE tenant_secrets; DROP TABLE secret_sweeps;
            DELETE FROM schema_migrations WHERE version = 13").await;
        let again = Db::from_closed(closed, at(7)).await;
        let due = secret_sweeps::list_due(&mut *again.read().await, NOW, 9).await.unwrap();
        let marked = due.iter().map(|sweep| sweep.integration_id).collect::<Vec<_>>();
        assert_eq!(marked, [world.integration]);
    }

    async fn a_newer_database_is_refused_and_left_alone(db) {
        let closed = closed(db.kind()).await;
        statement(&closed.options, "INSERT INTO schema_migrations (version, name, checksum, applied_at)
            VALUES (9999, 'later', 1, 1)").await;
        let before = crate::schema::read(&closed.options).await;
        let error = Store::open(&closed.options, NOW).await.err().unwrap();
        assert!(matches!(error, Error::Newer { found: 9999, known: 1.. }), "{error:?}");
        assert_eq!(crate::schema::read(&closed.options).await, before);
    }

    async fn a_changed_migration_is_refused(db) {
        let closed = closed(db.kind()).await;
        statement(&closed.options, "UPDATE schema_migrations SET checksum = checksum + 1 WHERE version = 1").await;
        let error = Store::open(&closed.options, NOW).await.err().unwrap();
        assert!(matches!(error, Error::Altered(1)), "{error:?}");
        statement(&closed.options, "UPDATE schema_migrations SET checksum = checksum - 1 WHERE version = 1").await;
        drop(Store::open(&closed.options, NOW).await.unwrap());
    }
}

#[test]
fn nodes_that_start_at_once_migrate_once() {
    crate::common::run(Kind::Postgres, async |db| {
        const EMPTY: &str = "DROP SCHEMA public CASCADE; CREATE SCHEMA public";
        let closed = closed(db.kind()).await;
        statement(&closed.options, EMPTY).await;
        let options = Arc::new(closed.options.clone());
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let options = Arc::clone(&options);
                tokio::spawn(async move { Store::open(&options, NOW).await.map(drop) })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        let db = Db::from_closed(closed, NOW).await;
        assert_eq!(applied(&db).await.len(), applied_by_program(&db).await);
    });
}

/// How many migrations a fresh database has.
async fn applied_by_program(db: &Db) -> usize {
    applied(&open(db.kind()).await).await.len()
}
