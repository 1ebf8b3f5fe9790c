//! Databases on the server of `MARQUETRY_TEST_POSTGRES`: copies of one migrated template, dropped
//! when their test ends; the template goes with the last of them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use marquetry_store::{Options, Store};
use tokio_postgres::{Client, NoTls};

use super::{NOW, variable};

static TEMPLATE: Mutex<Weak<Named>> = Mutex::new(Weak::new());
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A database that is dropped with this value.
struct Named(String);

/// One test's database.
pub(crate) struct Database {
    own: Named,
    _template: Arc<Named>,
}

impl Database {
    /// Copies the template, which is made when there is none. Blocks.
    pub(crate) fn make() -> Self {
        let template = template();
        let own = Named::make(&format!("TEMPLATE {}", template.0));
        Self {
            own,
            _template: template,
        }
    }

    pub(crate) fn options(&self) -> Options {
        options(&self.own.0)
    }
}

fn template() -> Arc<Named> {
    let mut shared = TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(template) = shared.upgrade() {
        return template;
    }
    let made = Arc::new(Named::make(""));
    let options = options(&made.0);
    apart(async move {
        Store::open(&options, NOW).await.unwrap();
    });
    *shared = Arc::downgrade(&made);
    made
}

impl Named {
    fn make(how: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("marquetry_test_{}_{number}", std::process::id());
        statement(format!("CREATE DATABASE {name} {how}"));
        Self(name)
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        statement(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.0));
    }
}

fn options(name: &str) -> Options {
    Options::Postgres {
        url: url(name),
        connections: 8,
    }
}

fn maintenance() -> String {
    variable("MARQUETRY_TEST_POSTGRES")
        .expect("MARQUETRY_TEST_POSTGRES must be the URL of a PostgreSQL database for tests")
}

/// The server's URL with another database.
fn url(name: &str) -> String {
    let server = maintenance();
    let (address, options) = server.split_once('?').unwrap_or((&server, ""));
    let (scheme, rest) = address.split_once("://").expect("a URL has a scheme");
    let host = rest.split_once('/').map_or(rest, |(host, _)| host);
    format!("{scheme}://{host}/{name}?{options}")
}

/// The URL in a store's options.
pub(crate) fn url_of(options: &Options) -> &str {
    match options {
        Options::Postgres { url, .. } => url,
        Options::Sqlite { .. } => panic!("SQLite has no URL"),
    }
}

/// A connection past the store.
pub(crate) async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(async move {
        // The test notices by its own statements when the connection is gone.
        let _ = connection.await;
    });
    client
}

/// One statement in the maintenance database.
fn statement(sql: String) {
    apart(async move {
        let client = client(&maintenance()).await;
        client.batch_execute(&sql).await.unwrap();
    });
}

/// Runs on a thread of its own, because a drop may happen inside a runtime.
fn apart(work: impl Future<Output = ()> + Send + 'static) {
    let thread = std::thread::spawn(|| super::block_on(work));
    let done = thread.join().is_ok();
    // A second panic would hide the one that is on its way.
    assert!(
        done || std::thread::panicking(),
        "PostgreSQL did not do it; see the panic above"
    );
}

/// Until somebody waits for a lock in a test's database.
pub(crate) async fn wait_for_a_blocked_statement(db: &super::Db) {
    const BLOCKED: &str = "SELECT COUNT(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let client = client(url_of(&db.options)).await;
    super::until("a statement waits for a lock", async || {
        let row = client.query_one(BLOCKED, &[]).await.unwrap();
        row.get::<_, i64>(0) > 0
    })
    .await;
}
