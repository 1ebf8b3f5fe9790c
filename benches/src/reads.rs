//! A1 to A4: one object and lists of 50, against FastAPI and a minimal axum program.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::client::{Client, KEY, raw};
use crate::load::{self, Loaded};
use crate::peer;
use crate::postgres;
use crate::product::{ProductOptions, Served, free_address, on_cpu};
use crate::report::{Bar, Figure};
use crate::scenario::Scenario;
use crate::seed;
use crate::setup::{Setup, say};

/// Tenants that have never run, and those that the runs belong to.
const QUIET: usize = 4_000;
const BUSY: usize = 1_000;
const RUNS: usize = 5_000;

/// A question that all three are asked.
struct Case {
    what: &'static str,
    bar: &'static str,
    paths: Vec<String>,
}

/// What the three read from.
struct Stage {
    name: &'static str,
    data_dir: PathBuf,
    /// Of the product.
    database_url: Option<String>,
    peer: PeerDatabase,
    cases: Vec<Case>,
}

enum PeerDatabase {
    Sqlite(PathBuf),
    Postgres(String),
}

pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let mut figures = measure_on(setup, &sqlite_stage(setup)?)?;
    match &setup.postgres {
        Some(server) => {
            let stage = postgres_stage(setup, server)?;
            figures.extend(measure_on(setup, &stage)?);
        }
        None => say("there is no PostgreSQL: only SQLite is measured")?,
    }
    Ok(figures)
}

fn measure_on(setup: &Setup, stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let mut all = Vec::new();
    for case in &stage.cases {
        if !["A3", "A4", case.bar].iter().any(|bar| setup.wants(bar)) {
            continue;
        }
        let file = setup.work.join("requests.json");
        let requests: Vec<String> = case
            .paths
            .iter()
            .map(|path| raw("GET", path, None))
            .collect();
        std::fs::write(&file, serde_json::to_string(&requests)?)?;
        let mut figures = figures_of(stage, case, setup.python.is_some());
        setup.rounds(&mut figures, |round, figures| {
            round_of(setup, stage, case, &file, (round, figures))
        })?;
        all.extend(figures);
    }
    Ok(all)
}

fn figures_of(stage: &Stage, case: &Case, fastapi: bool) -> Vec<Figure> {
    let title = |with: &str| format!("{}, {} {with}", case.what, stage.name);
    let bar = match (case.bar, stage.name) {
        ("A1", "SQLite") => Bar::at_least(25.0, 40.0),
        ("A1", _) => Bar::at_least(18.0, 30.0),
        (_, "SQLite") => Bar::at_least(16.0, 25.0),
        _ => Bar::at_least(15.0, 22.0),
    };
    let axum = Figure::new(
        "A3",
        title("÷ minimal axum"),
        "×",
        Bar::at_least(0.75, 0.95),
    );
    if !fastapi {
        return vec![axum];
    }
    let p99 = Figure::new(
        "A4",
        title("p99, FastAPI ÷ ours (ms)"),
        "×",
        Bar::at_least(20.0, 50.0),
    );
    vec![
        axum,
        Figure::new(case.bar, title("÷ FastAPI"), "×", bar),
        p99,
    ]
}

fn round_of(
    setup: &Setup,
    stage: &Stage,
    case: &Case,
    requests: &Path,
    (round, figures): (usize, &mut [Figure]),
) -> anyhow::Result<()> {
    let load = |served: &Served| load::apart(&served.address, requests, setup.seconds);
    let served = axum_program(stage)?;
    let minimal = load(&served)?;
    let expected = answer(&served, case)?;
    served.stop()?;
    let served = product(setup, stage)?;
    let ours = load(&served)?;
    let got = answer(&served, case)?;
    ensure!(
        round > 0 || got == expected,
        "the peer answers another thing: {expected} not {got}"
    );
    served.stop()?;
    figures[0].ratio(ours.per_second, minimal.per_second);
    if let Some(python) = &setup.python {
        let served = fastapi(setup, stage, python)?;
        let theirs: Loaded = load(&served)?;
        let got = answer(&served, case)?;
        ensure!(
            round > 0 || got == expected,
            "FastAPI answers another thing: {got}"
        );
        served.stop()?;
        figures[1].ratio(ours.per_second, theirs.per_second);
        figures[2].values.push(theirs.p99_us / ours.p99_us);
        figures[2].ours.push(ours.p99_us / 1e3);
        figures[2].peer.push(theirs.p99_us / 1e3);
    }
    Ok(())
}

fn answer(served: &Served, case: &Case) -> anyhow::Result<Value> {
    Client::connect(&served.address)?
        .get(&case.paths[0])?
        .json()
}

fn product(setup: &Setup, stage: &Stage) -> anyhow::Result<Served> {
    ProductOptions {
        binary: &setup.binary,
        data_dir: &stage.data_dir,
        database_url: stage.database_url.as_deref(),
        roles: "api,scheduler,builder,runner",
        sandbox: "full",
        run_slots: setup.run_slots,
        pinned: true,
    }
    .start()
}

fn axum_program(stage: &Stage) -> anyhow::Result<Served> {
    let address = free_address()?;
    let mut command = on_cpu(true, &std::env::current_exe()?);
    command.args(["axum", "--address", &address]);
    match &stage.peer {
        PeerDatabase::Sqlite(file) => command.arg("--sqlite").arg(file),
        PeerDatabase::Postgres(url) => command.env("BENCH_PEER_POSTGRES", url),
    };
    Served::start(command, address, &stage.data_dir.with_extension("axum.log"))
}

fn fastapi(setup: &Setup, stage: &Stage, python: &Path) -> anyhow::Result<Served> {
    let folder = setup
        .fastapi
        .as_ref()
        .context("--fastapi names the program's folder")?;
    let address = free_address()?;
    let port = address.rsplit(':').next().unwrap_or_default();
    let url = match &stage.peer {
        PeerDatabase::Sqlite(file) => format!("sqlite:///{}", file.display()),
        PeerDatabase::Postgres(url) => alchemy_url(url)?,
    };
    let mut command = on_cpu(true, python);
    command
        .args([
            "-m",
            "uvicorn",
            "app:app",
            "--workers",
            "1",
            "--no-access-log",
        ])
        .args(["--log-level", "warning", "--port", port, "--app-dir"])
        .arg(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("BENCH_KEY", KEY)
        .env("BENCH_DATABASE", url);
    Served::start(
        command,
        address,
        &stage.data_dir.with_extension("fastapi.log"),
    )
}

/// The URL of a socket in a folder, as SQLAlchemy writes it.
fn alchemy_url(url: &str) -> anyhow::Result<String> {
    let rest = url.split_once("://").context("a URL has a scheme")?.1;
    let (user, rest) = rest.split_once('@').context("the URL names a user")?;
    let (host, database) = rest.rsplit_once('/').context("the URL names a database")?;
    let folder = host.replace("%2F", "/");
    Ok(format!(
        "postgresql+psycopg://{user}@/{database}?host={folder}"
    ))
}

fn cases(stage: &Scenario) -> Vec<Case> {
    let integration = stage.integration;
    let list = |of: &str| {
        let pages = 0..10;
        pages
            .map(|n| {
                format!(
                    "/v2/{of}?integration_id={integration}&limit=50&skip={}",
                    n * 50
                )
            })
            .collect()
    };
    let quiet = &stage.tenants[..QUIET];
    vec![
        Case {
            what: "GET a tenant",
            bar: "A1",
            paths: quiet.iter().map(|id| format!("/v2/tenants/{id}")).collect(),
        },
        Case {
            what: "GET a run",
            bar: "A1",
            paths: (1..=RUNS).map(|id| format!("/v2/runs/{id}")).collect(),
        },
        Case {
            what: "50 tenants",
            bar: "A2",
            paths: list("tenants"),
        },
        Case {
            what: "50 runs",
            bar: "A2",
            paths: list("runs"),
        },
    ]
}

fn sqlite_stage(setup: &Setup) -> anyhow::Result<Stage> {
    let data_dir = setup.work.join("reads-sqlite");
    let stage = Scenario::make(&setup.binary, &data_dir, None, QUIET + BUSY)?;
    let busy = &stage.tenants[QUIET..];
    seed::sqlite(&data_dir.join("marquetry.db"), &stage, busy, RUNS)?;
    let file = setup.work.join("reads-peer.db");
    if file.exists() {
        std::fs::remove_file(&file)?;
    }
    let tables = peer_tables(setup, &stage, None)?;
    let mut connection = rusqlite::Connection::open(&file)?;
    let tx = connection.transaction()?;
    for statement in tables {
        tx.execute_batch(&statement)?;
    }
    tx.commit()?;
    let cases = cases(&stage);
    Ok(Stage {
        name: "SQLite",
        data_dir,
        database_url: None,
        peer: PeerDatabase::Sqlite(file),
        cases,
    })
}

fn postgres_stage(setup: &Setup, server: &str) -> anyhow::Result<Stage> {
    let ours = postgres::database(server, "bench_product", None)?;
    let theirs = postgres::database(server, "bench_peer", None)?;
    let data_dir = setup.work.join("reads-postgres");
    let stage = Scenario::make(&setup.binary, &data_dir, Some(&ours), QUIET + BUSY)?;
    let mut runs = seed::statements(&stage, &stage.tenants[QUIET..], RUNS);
    for statement in &mut runs {
        *statement = statement.replace("AS BYTES", "AS BYTEA");
    }
    postgres::execute(&ours, &runs)?;
    postgres::execute(&theirs, &peer_tables(setup, &stage, Some(&ours))?)?;
    for url in [&ours, &theirs] {
        postgres::execute(url, &["VACUUM ANALYZE".to_owned()])?;
    }
    let cases = cases(&stage);
    Ok(Stage {
        name: "PostgreSQL",
        data_dir,
        database_url: Some(ours),
        peer: PeerDatabase::Postgres(theirs),
        cases,
    })
}

/// The peers' tables, filled with what the product answers.
fn peer_tables(setup: &Setup, stage: &Scenario, url: Option<&str>) -> anyhow::Result<Vec<String>> {
    let served = ProductOptions {
        binary: &setup.binary,
        data_dir: &stage.data_dir,
        database_url: url,
        roles: "api",
        sandbox: "off",
        run_slots: 1,
        pinned: false,
    }
    .start()?;
    let mut client = Client::connect(&served.address)?;
    let mut all = |path: &str| -> anyhow::Result<Vec<Value>> {
        let mut found = Vec::new();
        loop {
            let page = format!("/v2/{path}?limit=500&skip={}", found.len());
            let page = client.get(&page)?.json()?;
            let page = page.as_array().context("a list")?;
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page.iter().cloned());
        }
    };
    let (mut tenants, runs) = (all("tenants")?, all("runs")?);
    tenants.truncate(QUIET);
    let statements = peer::fill(&tenants, &runs)?;
    served.stop()?;
    Ok(statements)
}
