//! Which databases a test runs on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

/// By the server's own list of them.
const TABLES: &str =
    "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";

/// A database under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A file in the server's data folder.
    Sqlite,
    /// A database of its own on the server that `./test` started.
    Postgres,
}

impl Database {
    /// Whether `./test` asked for it. PostgreSQL that is asked for and missing is a failure, not a
    /// silent pass.
    pub fn is_wanted(self) -> bool {
        let wanted = std::env::var("MARQUETRY_TEST_DATABASES").unwrap_or_else(|_| "sqlite".into());
        let name = match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        };
        wanted.split(',').any(|one| one.trim() == name)
    }
}

/// A database on the PostgreSQL server of `MARQUETRY_TEST_POSTGRES`, dropped at the end.
pub struct PostgresDatabase {
    /// How the product reaches it.
    pub url: String,
    name: String,
    server: String,
}

impl PostgresDatabase {
    /// Makes an empty one.
    pub async fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var("MARQUETRY_TEST_POSTGRES")
            .expect("MARQUETRY_TEST_POSTGRES names a server; ./test starts one");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("marquetry_test_{}_{number}", std::process::id());
        run(&server, &format!("CREATE DATABASE {name}")).await;
        let url = with_database(&server, &name);
        Self { url, name, server }
    }

    /// One that somebody else makes and removes.
    pub(crate) fn elsewhere(url: String) -> Self {
        Self {
            url,
            name: String::new(),
            server: String::new(),
        }
    }

    /// The file at which its server listens.
    pub fn socket(&self) -> std::path::PathBuf {
        let config: tokio_postgres::Config = self.url.parse().unwrap();
        let port = config.get_ports().first().copied().unwrap_or(5432);
        match config.get_hosts() {
            [tokio_postgres::config::Host::Unix(folder)] => folder.join(format!(".s.PGSQL.{port}")),
            others => panic!("{others:?} is no folder of a socket"),
        }
    }

    /// How the product reaches it at another address.
    pub(crate) fn url_at(&self, address: std::net::SocketAddr) -> String {
        let config: tokio_postgres::Config = self.url.parse().unwrap();
        format!(
            "postgres://{}@{address}/{}?sslmode=disable",
            config.get_user().unwrap(),
            self.name
        )
    }

    /// The columns of a table.
    pub(crate) async fn columns(&self, table: &str) -> Vec<String> {
        let connected = tokio_postgres::connect(&self.url, tokio_postgres::NoTls).await;
        let (client, connection) = connected.unwrap();
        let driver = tokio::spawn(connection);
        let sql = "SELECT column_name::text FROM information_schema.columns WHERE table_name = $1";
        let names = client.query(sql, &[&table]).await.unwrap();
        drop(client);
        driver.await.unwrap().unwrap();
        names.iter().map(|name| name.get(0)).collect()
    }

    /// Ends all connections to it and lets nobody in, as a server that is restarted for long.
    pub(crate) async fn close(&self) {
        let closed = format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", self.name);
        run(&self.server, &closed).await;
        let ended = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            self.name
        );
        run(&self.server, &ended).await;
    }

    /// Lets everybody in again.
    pub(crate) async fn open(&self) {
        let open = format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", self.name);
        run(&self.server, &open).await;
    }

    /// Statements of a test.
    pub(crate) async fn run(&self, sql: &str) {
        run(&self.url, sql).await;
    }

    /// How many rows each table has.
    pub(crate) async fn rows_of_tables(&self) -> BTreeMap<String, u64> {
        let connected = tokio_postgres::connect(&self.url, tokio_postgres::NoTls).await;
        let (client, connection) = connected.unwrap();
        let driver = tokio::spawn(connection);
        let mut counts = BTreeMap::new();
        for table in client.query(TABLES, &[]).await.unwrap() {
            let table: String = table.get(0);
            let sql = format!("SELECT COUNT(*) FROM \"{table}\"");
            let count: i64 = client.query_one(&sql, &[]).await.unwrap().get(0);
            counts.insert(table, u64::try_from(count).unwrap());
        }
        drop(client);
        driver.await.unwrap().unwrap();
        counts
    }

    /// The rows of all tables as text.
    pub async fn rows(&self) -> String {
        let connected = tokio_postgres::connect(&self.url, tokio_postgres::NoTls).await;
        let (client, connection) = connected.unwrap();
        let driver = tokio::spawn(connection);
        let mut all = String::new();
        for table in client.query(TABLES, &[]).await.unwrap() {
            let table: String = table.get(0);
            let rows = format!("SELECT row_to_json(t)::text FROM \"{table}\" t");
            for row in client.query(&rows, &[]).await.unwrap() {
                all.push_str(&table);
                all.push_str(row.get(0));
                all.push('\n');
            }
        }
        drop(client);
        driver.await.unwrap().unwrap();
        all
    }
}

/// The same server, another database.
fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url
        .split_once('?')
        .map_or((url, None), |(base, query)| (base, Some(query)));
    let start = base.find("://").unwrap() + 3;
    let base = base[start..]
        .find('/')
        .map_or(base, |slash| &base[..start + slash]);
    query.map_or_else(
        || format!("{base}/{name}"),
        |query| format!("{base}/{name}?{query}"),
    )
}

async fn run(server: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(server, tokio_postgres::NoTls)
        .await
        .unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    driver.await.unwrap().unwrap();
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        if self.server.is_empty() {
            return;
        }
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let server = self.server.clone();
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(run(&server, &sql));
        });
        // A test that fails already must not abort in the clean-up.
        let _ = dropped.join();
    }
}
