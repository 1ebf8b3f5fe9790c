//! The minimal axum program: the same JSON from tables of its own, one handler a route, no scopes,
//! no checks of input beyond types. What a service costs that does nothing else.

mod shapes;
mod tables;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use clap::Args;
use deadpool_postgres::{Manager, Pool};
use serde::{Deserialize, Serialize};
use tokio_postgres::NoTls;

use crate::client::KEY;
pub(crate) use tables::fill;

/// The options of the program.
#[derive(Debug, Args)]
pub(crate) struct PeerOptions {
    /// Where to answer.
    #[arg(long)]
    address: String,
    /// The SQLite file to read.
    #[arg(long)]
    sqlite: Option<PathBuf>,
    /// The PostgreSQL database to read.
    #[arg(long, env = "BENCH_PEER_POSTGRES")]
    postgres: Option<String>,
}

/// What it reads from.
#[derive(Clone)]
enum Database {
    Sqlite(Arc<Mutex<rusqlite::Connection>>),
    Postgres(Pool),
}

/// Connections to PostgreSQL, as many as the product has.
const CONNECTIONS: usize = 16;

/// Serves until it is killed.
pub(crate) fn main(options: &PeerOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let database = open(options)?;
        let router = Router::new()
            .route("/v2/tenants", get(tenants))
            .route("/v2/tenants/{id}", get(tenant))
            .route("/v2/runs", get(runs))
            .route("/v2/runs/{id}", get(run))
            .with_state(database);
        let listener = tokio::net::TcpListener::bind(&options.address).await?;
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            // Only a matter of latency; loopback works without, too.
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, router).await?;
        Ok(())
    })
}

fn open(options: &PeerOptions) -> anyhow::Result<Database> {
    if let Some(file) = &options.sqlite {
        let connection = rusqlite::Connection::open(file)?;
        connection.set_prepared_statement_cache_capacity(16);
        return Ok(Database::Sqlite(Arc::new(Mutex::new(connection))));
    }
    let url = options.postgres.as_ref().context("name a database")?;
    let manager = Manager::new(url.parse()?, NoTls);
    let pool = Pool::builder(manager).max_size(CONNECTIONS).build()?;
    Ok(Database::Postgres(pool))
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    integration_id: i64,
    limit: i64,
    skip: i64,
}

type Answer = Result<Response, StatusCode>;

async fn tenant(
    State(database): State<Database>,
    headers: HeaderMap,
    Path(id): Path<i64>,
) -> Answer {
    check(&headers)?;
    let rows = tables::TENANT.rows(&database, &[id]).await;
    one(rows, shapes::tenant)
}

async fn tenants(
    State(database): State<Database>,
    headers: HeaderMap,
    Query(query): Query<ListQuery>,
) -> Answer {
    check(&headers)?;
    let values = [query.integration_id, query.limit, query.skip];
    let rows = failed(tables::TENANTS.rows(&database, &values).await)?;
    let items: Result<Vec<_>, _> = rows.into_iter().map(shapes::tenant).collect();
    Ok(json(&failed(items)?))
}

async fn run(State(database): State<Database>, headers: HeaderMap, Path(id): Path<i64>) -> Answer {
    check(&headers)?;
    let rows = tables::RUN.rows(&database, &[id]).await;
    one(rows, shapes::run)
}

async fn runs(
    State(database): State<Database>,
    headers: HeaderMap,
    Query(query): Query<ListQuery>,
) -> Answer {
    check(&headers)?;
    let values = [query.integration_id, query.limit, query.skip];
    let rows = failed(tables::RUNS.rows(&database, &values).await)?;
    let items: Result<Vec<_>, _> = rows.into_iter().map(shapes::run).collect();
    Ok(json(&failed(items)?))
}

/// Of a program that knows one key, this is all that it needs.
fn check(headers: &HeaderMap) -> Result<(), StatusCode> {
    let given = headers
        .get("x-api-key")
        .map(axum::http::HeaderValue::as_bytes);
    if given == Some(KEY.as_bytes()) {
        Ok(())
    } else {
        Err(StatusCode::FORBIDDEN)
    }
}

fn one<T: Serialize>(
    rows: anyhow::Result<Vec<tables::Row>>,
    shape: fn(tables::Row) -> anyhow::Result<T>,
) -> Answer {
    let row = failed(rows)?.pop().ok_or(StatusCode::NOT_FOUND)?;
    Ok(json(&failed(shape(row))?))
}

fn failed<T>(result: anyhow::Result<T>) -> Result<T, StatusCode> {
    result.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A statement that both databases take.
pub(crate) struct Lookup(&'static str);

impl Lookup {
    pub(crate) const fn new(sql: &'static str) -> Self {
        Self(sql)
    }

    async fn rows(&self, database: &Database, values: &[i64]) -> anyhow::Result<Vec<tables::Row>> {
        match database {
            Database::Sqlite(connection) => {
                let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                tables::sqlite_rows(&connection, self.0, values)
            }
            Database::Postgres(pool) => {
                tables::postgres_rows(&pool.get().await?, self.0, values).await
            }
        }
    }
}
