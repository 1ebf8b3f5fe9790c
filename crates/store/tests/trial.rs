//! `trial`: create, end_sessions, remove.

use marquetry_store::Error;
use marquetry_store::trial::TrialDatabase;

use crate::common::{Kind, on_both, url_of};

on_both! {
    async fn a_trial_has_a_database_of_its_own(db) {
        if db.kind() == Kind::Sqlite {
            return;
        }
        let server = url_of(&db.options).to_owned();
        let name = format!("marquetry trial {}", std::process::id());
        let trial = TrialDatabase::create(&server, &name).await.unwrap();
        let again = TrialDatabase::create(&server, &name).await.unwrap_err();
        assert!(matches!(again, Error::Postgres(_)), "what there is is not taken: {again:?}");
        let mut config: tokio_postgres::Config = server.parse().unwrap();
        config.dbname(&name);
        let (mine, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        trial.end_sessions().await.unwrap();
        assert!(driver.await.unwrap().is_err(), "its sessions end");
        assert!(mine.is_closed());
        db.store.read().await.unwrap();
        trial.remove().await.unwrap();
        assert!(config.connect(tokio_postgres::NoTls).await.is_err());
    }
}
