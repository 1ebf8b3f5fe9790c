//! PostgreSQL: a pool for transactions, a few connections that all readers share; READ COMMITTED.

mod notices;
mod readers;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime,
};
use futures_util::future::{MaybeDone, maybe_done};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use tokio::runtime::Handle;
use tokio_postgres::Statement;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres_rustls::MakeRustlsConnect;

pub(crate) use self::notices::PgNotices;
use self::readers::{Readers, Shared};
use crate::value::{Cell, Row, Value};
use crate::{Error, Result};

/// How long a caller waits for a connection before it is told to try again.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest that one statement takes, or several that are sent together. None of ours is long;
/// migrations are short of it too.
const STATEMENT: Duration = Duration::from_secs(30);

/// Statements are short, and the planner takes those that look through many queues for long ones:
/// compiling one takes a hundred times as long as doing it. And a transaction of ours waits for nothing but the
/// database; one that does nothing is of a node that is frozen or cut off, and others wait for what it holds.
const SESSION: &str = "SET jit = off; SET idle_in_transaction_session_timeout = '5s'";

/// One of so many connections is shared by readers.
const READERS: usize = 4;

#[derive(Clone)]
pub(crate) struct PgStore {
    pool: Pool,
    readers: Arc<Readers>,
    /// For connections outside of the pools.
    config: Arc<tokio_postgres::Config>,
}

impl PgStore {
    pub(crate) fn connect(url: &str, connections: usize) -> Result<Self> {
        let mut config: tokio_postgres::Config = url.parse().map_err(Error::Url)?;
        config.keepalives_idle(Duration::from_secs(30));
        config.tcp_user_timeout(STATEMENT);
        if config.get_application_name().is_none() {
            config.application_name("marquetry");
        }
        let connections = connections.max(2);
        let readers = connections.div_ceil(READERS);
        let shared = pool(config.clone(), 2 * readers, Some(readers::ONE_PLAN))?;
        Ok(Self {
            pool: pool(config.clone(), connections - readers, None)?,
            readers: Arc::new(Readers::new(shared, readers)),
            config: Arc::new(config),
        })
    }

    pub(crate) async fn listen(&self) -> Result<PgNotices> {
        notices::listen(&self.config).await
    }

    pub(crate) async fn begin(&self) -> Result<PgTx> {
        let client = self.pool.get().await?;
        let mut tx = PgTx {
            client: Some(Held::Own(Box::new(client))),
            open: true,
            silent: false,
        };
        tx.script("BEGIN").await?;
        Ok(tx)
    }

    /// How many wait for a connection of their own.
    pub(crate) fn waiting(&self) -> usize {
        self.pool.status().waiting
    }

    pub(crate) async fn read(&self) -> Result<PgTx> {
        Ok(PgTx {
            client: Some(Held::Shared(self.readers.take().await?)),
            open: false,
            silent: false,
        })
    }
}

/// A pool whose new connections are told something.
fn pool(config: tokio_postgres::Config, size: usize, told: Option<&'static str>) -> Result<Pool> {
    let tls = MakeRustlsConnect::new(tls_config()?);
    let manager = Manager::from_config(
        config,
        tls,
        ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        },
    );
    let pool = Pool::builder(manager)
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(PATIENCE))
        .create_timeout(Some(PATIENCE))
        .post_create(on_open(SESSION));
    let pool = match told {
        Some(sql) => pool.post_create(on_open(sql)),
        None => pool,
    };
    Ok(pool.build().expect("a runtime for the time-outs is named"))
}

fn on_open(sql: &'static str) -> Hook {
    Hook::async_fn(move |client, _| {
        Box::pin(async move { client.batch_execute(sql).await.map_err(HookError::Backend) })
    })
}

fn tls_config() -> Result<ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    let found: Vec<CertificateDer<'static>> = rustls_native_certs::load_native_certs().certs;
    roots.add_parsable_certificates(found);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// One connection; `open` says that a transaction is, `silent` that the server left a statement
/// without an answer, so that nothing on this connection can be trusted.
pub(crate) struct PgTx {
    client: Option<Held>,
    open: bool,
    silent: bool,
}

/// A connection of one's own, which a transaction needs, or one that others read over too.
enum Held {
    Own(Box<Object>),
    Shared(Arc<Shared>),
}

impl PgTx {
    fn client(&self) -> &ClientWrapper {
        match self.client.as_ref() {
            Some(Held::Own(client)) => client,
            Some(Held::Shared(client)) => client,
            None => unreachable!("there until it is committed or dropped"),
        }
    }

    pub(crate) async fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        let client = self.client();
        let answer = bounded(async {
            let statement = client.prepare_cached(sql).await?;
            Ok(client.query(&statement, &parameters(values)).await?)
        });
        let found = answer.await;
        Ok(self.heard(found)?.into_iter().map(Row::Postgres).collect())
    }

    pub(crate) async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64> {
        let client = self.client();
        let answer = bounded(async {
            let statement = client.prepare_cached(sql).await?;
            Ok(client.execute(&statement, &parameters(values)).await?)
        });
        let changed = answer.await;
        self.heard(changed)
    }

    /// The rows of each answer to several sets of values, which are sent without waiting in between.
    pub(crate) async fn rows_each<const N: usize>(
        &mut self,
        sql: &str,
        sets: &[[Value; N]],
    ) -> Result<Vec<Vec<tokio_postgres::Row>>> {
        let client = self.client();
        let answers = bounded(async {
            let statement = client.prepare_cached(sql).await?;
            let mut asked = Vec::with_capacity(sets.len());
            for values in sets {
                asked.push(ask(client, &statement, values));
            }
            Ok(in_order(asked).await?)
        });
        let found = answers.await;
        self.heard(found)
    }

    /// The same, for how many rows each changed.
    pub(crate) async fn execute_each<const N: usize>(
        &mut self,
        sql: &str,
        sets: &[[Value; N]],
    ) -> Result<Vec<u64>> {
        let client = self.client();
        let answers = bounded(async {
            let statement = client.prepare_cached(sql).await?;
            let mut told = Vec::with_capacity(sets.len());
            for values in sets {
                told.push(tell(client, &statement, values));
            }
            Ok(in_order(told).await?)
        });
        let changed = answers.await;
        self.heard(changed)
    }

    pub(crate) async fn script(&mut self, sql: &str) -> Result<()> {
        let client = self.client();
        let done = bounded(async { Ok(client.batch_execute(sql).await?) }).await;
        self.heard(done)
    }

    /// Notes whether the server answered.
    fn heard<T>(&mut self, answer: Result<T>) -> Result<T> {
        self.silent |= matches!(answer, Err(Error::Silent));
        answer
    }

    pub(crate) async fn commit(mut self) -> Result<()> {
        if self.open {
            self.script("COMMIT").await?;
            self.open = false;
        }
        Ok(())
    }
}

impl Drop for PgTx {
    /// A connection with an open transaction must not go back to the pool.
    fn drop(&mut self) {
        let client = match self.client.take() {
            Some(Held::Own(client)) if self.open || self.silent => client,
            Some(Held::Shared(client)) if self.silent => return client.give_up(),
            Some(Held::Own(_) | Held::Shared(_)) | None => return,
        };
        let runtime = Handle::try_current().ok().filter(|_| !self.silent);
        let Some(runtime) = runtime else {
            drop(Object::take(*client));
            return;
        };
        runtime.spawn(async move {
            if client.batch_execute("ROLLBACK").await.is_err() {
                drop(Object::take(*client));
            }
        });
    }
}

/// A server that is frozen or cut off does not refuse, it says nothing; who waits must be told.
async fn bounded<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(STATEMENT, answer)
        .await
        .unwrap_or(Err(Error::Silent))
}

async fn ask(
    client: &ClientWrapper,
    statement: &Statement,
    values: &[Value],
) -> std::result::Result<Vec<tokio_postgres::Row>, tokio_postgres::Error> {
    client.query(statement, &parameters(values)).await
}

async fn tell(
    client: &ClientWrapper,
    statement: &Statement,
    values: &[Value],
) -> std::result::Result<u64, tokio_postgres::Error> {
    client.execute(statement, &parameters(values)).await
}

/// What each of them answers. All are sent before the first answer is waited for, and in their order,
/// which who locks rows relies on.
async fn in_order<F, T, E>(asked: Vec<F>) -> std::result::Result<Vec<T>, E>
where
    F: Future<Output = std::result::Result<T, E>>,
{
    let mut asked: Vec<Pin<Box<MaybeDone<F>>>> = asked
        .into_iter()
        .map(|one| Box::pin(maybe_done(one)))
        .collect();
    // The first look at each sends it.
    poll_fn(|context| {
        for one in &mut asked {
            let _ = one.as_mut().poll(context);
        }
        Poll::Ready(())
    })
    .await;
    let mut answers = Vec::with_capacity(asked.len());
    for mut one in asked {
        one.as_mut().await;
        answers.extend(one.as_mut().take_output().transpose()?);
    }
    Ok(answers)
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

/// A cell of a row.
pub(crate) fn cell(row: &tokio_postgres::Row, column: usize) -> Result<Cell<'_>> {
    let bad = Error::BadRow { column };
    let Some(described) = row.columns().get(column) else {
        return Err(bad);
    };
    let cell = match *described.type_() {
        Type::INT8 => row.try_get::<_, Option<i64>>(column)?.map(Cell::I64),
        Type::INT4 => {
            let value = row.try_get::<_, Option<i32>>(column)?;
            value.map(|value| Cell::I64(value.into()))
        }
        Type::TEXT | Type::VARCHAR | Type::NAME => {
            row.try_get::<_, Option<&str>>(column)?.map(Cell::Text)
        }
        Type::BYTEA => row.try_get::<_, Option<&[u8]>>(column)?.map(Cell::Blob),
        Type::BOOL => {
            let value = row.try_get::<_, Option<bool>>(column)?;
            value.map(|value| Cell::I64(value.into()))
        }
        _ => return Err(bad),
    };
    Ok(cell.unwrap_or(Cell::Null))
}

/// Asks a server for its version, without touching anything in it.
pub(crate) async fn version(url: &str) -> Result<String> {
    let mut tx = PgStore::connect(url, 1)?.read().await?;
    let rows = tx
        .rows(
            "SELECT CAST(current_setting('server_version') AS TEXT)",
            &[],
        )
        .await?;
    rows.into_iter()
        .next()
        .map_or(Ok(String::new()), |row| row.reader().text())
}
