//! Databases of our own on the PostgreSQL server that we were given.

use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

/// A database made anew, empty or as a copy of another one that nobody uses; answers its URL.
pub(crate) fn database(server: &str, name: &str, copied: Option<&str>) -> anyhow::Result<String> {
    let template = copied.map_or(String::new(), |of| format!(" TEMPLATE {of}"));
    for statement in [
        format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        format!("CREATE DATABASE {name}{template}"),
    ] {
        execute(server, &[statement])?;
    }
    let base = server.rsplit_once('/').map_or(server, |(base, _)| base);
    Ok(format!("{base}/{name}"))
}

/// Executes statements one after another.
pub(crate) fn execute(url: &str, statements: &[String]) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let client = connect(url).await?;
        for statement in statements {
            client.batch_execute(statement).await?;
        }
        Ok(())
    })
}

/// A connection; it ends with the runtime.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}
