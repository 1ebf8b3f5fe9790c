//! Does the database answer?

use super::Check;
use crate::config::ServerConfig;

const NAME: &str = "database";

pub(super) async fn check(config: &ServerConfig) -> Check {
    let Some(url) = &config.database_url else {
        return Check::ok(NAME, "SQLite in the data folder");
    };
    match marquetry_store::probe(url.reveal()).await {
        Ok(version) => Check::ok(NAME, format!("PostgreSQL {version}")),
        Err(error) => {
            let error = anyhow::Error::from(error);
            Check::fail(
                NAME,
                format!("{error:#}"),
                "check --database-url, the server and its access rules",
            )
        }
    }
}
