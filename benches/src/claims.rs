//! D2: how fast runs that wait are given out on PostgreSQL, against clients that take one row at a
//! time from a queue.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use tokio::runtime::Runtime;
use tokio_postgres::Client;

use crate::burst;
use crate::postgres::{connect, database, execute, runtime};
use crate::process::descendants;
use crate::product::ProductOptions;
use crate::report::{Bar, Figure};
use crate::scenario::Scenario;
use crate::setup::{Setup, say};

/// The product takes no more at a time.
const MOST_AT_ONCE: usize = 4_096;
const CLIENTS: i64 = 8;
/// More than the clients can take.
const ROWS_A_SECOND: f64 = 50_000.0;
/// Between two looks at how many runs there are.
const PAUSE: Duration = Duration::from_millis(2);

pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let Some(server) = &setup.postgres else {
        say("there is no PostgreSQL: D2 is not measured")?;
        return Ok(Vec::new());
    };
    let template = database(server, "bench_dispatch", None)?;
    let folder = setup.work.join("dispatch");
    let tenants = setup.burst.min(MOST_AT_ONCE);
    let stage = Scenario::make(&setup.binary, &folder, Some(&template), tenants)?;
    let what = "runs given out, PostgreSQL ÷ single claims of 8 clients";
    let mut figures = [
        Figure::new("D2", what, "×", Bar::at_least(3.0, 8.0)),
        Figure::note("D2", "runs executed, sandbox off ÷ the same", "×"),
    ];
    setup.rounds(&mut figures, |_, figures| {
        let claims = single_claims(setup, &database(server, "bench_queue", None)?)?;
        let copy = || database(server, "bench_round", Some("bench_dispatch"));
        figures[0].ratio(given_out(setup, &stage, &copy()?)?, claims);
        figures[1].ratio(executed(setup, &stage, &copy()?)?, claims);
        Ok(())
    })?;
    Ok(figures.into())
}

/// Rows a second that are taken by clients that each take one, commit and go on.
fn single_claims(setup: &Setup, url: &str) -> anyhow::Result<f64> {
    let rows = (ROWS_A_SECOND * setup.seconds).ceil();
    let statements = [
        "CREATE TABLE queue (id BIGINT PRIMARY KEY, taken_by BIGINT)".to_owned(),
        format!("INSERT INTO queue SELECT n, NULL FROM generate_series(1, {rows}) AS n"),
        "CREATE INDEX queue_waiting ON queue (id) WHERE taken_by IS NULL".to_owned(),
        "VACUUM ANALYZE queue".to_owned(),
        "CHECKPOINT".to_owned(),
    ];
    execute(url, &statements)?;
    let taken = runtime()?.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..CLIENTS {
            connections.push(connect(url).await?);
        }
        let until = Instant::now() + Duration::from_secs_f64(setup.seconds);
        let clients: Vec<_> = (0..)
            .zip(connections)
            .map(|(number, client)| tokio::spawn(take(client, number, until)))
            .collect();
        let mut taken = 0;
        for client in clients {
            taken += client.await??;
        }
        anyhow::Ok(taken)
    })?;
    Ok(taken as f64 / setup.seconds)
}

/// The statement is prepared, and is a transaction of its own: the cheapest form for the client.
async fn take(client: Client, number: i64, until: Instant) -> anyhow::Result<usize> {
    let statement = client
        .prepare(
            "UPDATE queue SET taken_by = $1 WHERE id = (SELECT id FROM queue
                WHERE taken_by IS NULL ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1)",
        )
        .await?;
    let mut taken = 0;
    while Instant::now() < until {
        let rows = client.execute(&statement, &[&number]).await?;
        ensure!(rows == 1, "the queue is empty: too few rows were made");
        taken += 1;
    }
    Ok(taken)
}

/// A server that only accepts.
fn accepting<'a>(setup: &'a Setup, stage: &'a Scenario, url: &'a str) -> ProductOptions<'a> {
    ProductOptions {
        database_url: Some(url),
        ..burst::options(setup, stage, "off")
    }
}

/// Runs a second that the server takes for itself, while none of them gets a process: the program
/// that starts them is halted with the first. So what is measured is what the server and the
/// database do, not the starts, which R1 and R2 measure.
fn given_out(setup: &Setup, stage: &Scenario, url: &str) -> anyhow::Result<f64> {
    let options = accepting(setup, stage, url);
    let count = burst::accept(options.start()?, stage)?.len();
    let served = ProductOptions {
        roles: "api,scheduler,builder,runner",
        sandbox: "full",
        run_slots: count,
        ..options
    }
    .start()?;
    let runs = Runs::of(url)?;
    // Halted before, it would not get ready, and the server would wait for that.
    runs.wait_for(1)?;
    let spawners = descendants(served.pid())?;
    signal("STOP", &spawners)?;
    let (first, begun) = (runs.count()?, Instant::now());
    ensure!(
        first < count / 2,
        "{first} were given out before the first was seen"
    );
    runs.wait_for(count)?;
    let taken = begun.elapsed();
    // It would wait for processes that never start.
    served.kill()?;
    signal("CONT", &spawners)?;
    Ok((count - first) as f64 / taken.as_secs_f64())
}

/// Runs a second, from the first dispatch until the last run is seen to be over.
fn executed(setup: &Setup, stage: &Scenario, url: &str) -> anyhow::Result<f64> {
    let options = accepting(setup, stage, url);
    let triggers = burst::accept(options.start()?, stage)?;
    let roles = "api,scheduler,builder,runner";
    let served = ProductOptions { roles, ..options }.start()?;
    let rate = burst::work_off(&served, &triggers)?;
    served.stop()?;
    Ok(rate)
}

/// The runs that the product's database shows, which are those that are committed.
struct Runs {
    runtime: Runtime,
    client: Client,
}

impl Runs {
    fn of(url: &str) -> anyhow::Result<Self> {
        let runtime = runtime()?;
        let client = runtime.block_on(connect(url))?;
        Ok(Self { runtime, client })
    }

    fn count(&self) -> anyhow::Result<usize> {
        const SQL: &str = "SELECT COUNT(*) FROM runs";
        let row = self.runtime.block_on(self.client.query_one(SQL, &[]))?;
        Ok(usize::try_from(row.get::<_, i64>(0))?)
    }

    fn wait_for(&self, count: usize) -> anyhow::Result<()> {
        let until = Instant::now() + Duration::from_secs(60);
        while self.count()? < count {
            if Instant::now() > until {
                bail!("there are only {} of {count} runs", self.count()?);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

fn signal(name: &str, processes: &[u32]) -> anyhow::Result<()> {
    ensure!(!processes.is_empty(), "the server has no other process");
    // One that has ended meanwhile needs no signal.
    Command::new("kill")
        .args(["-s", name])
        .args(processes.iter().map(u32::to_string))
        .status()?;
    Ok(())
}
