//! What was acknowledged outlives a SIGKILL of the process that was told so.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use marquetry_store::{Options, Store, settings};

use crate::common::{Db, Kind, NOW, block_on, is_wanted, open, sqlite_options, variable};

/// Set for the process that is killed: where its database is.
const VICTIM: &str = "MARQUETRY_TEST_VICTIM";
/// How many rows it must have been told of before it is killed.
const ROWS: usize = 40;

/// Writes for ever and says so after each acknowledged commit.
async fn write_for_ever(options: &Options) {
    let store = Store::open(options, NOW).await.unwrap();
    for n in 0_u64.. {
        let mut tx = store.write().await.unwrap();
        settings::update(&mut tx, &format!("n{n}"), "1", NOW)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nacknowledged n{n}").unwrap();
        out.flush().unwrap();
    }
}

/// This very test once more, as a process of its own.
#[expect(clippy::disallowed_methods, reason = "the victim is this program")]
fn victim(test: &str, place: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(VICTIM, place)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn acknowledged_rows_outlive_a_kill(kind: Kind, test: &str) {
    if !is_wanted(kind) {
        return;
    }
    if let Some(place) = variable(VICTIM) {
        let options = match kind {
            Kind::Sqlite => sqlite_options(place.as_ref()),
            Kind::Postgres => Options::Postgres {
                url: place,
                connections: 2,
            },
        };
        return block_on(write_for_ever(&options));
    }
    block_on(async {
        let closed = open(kind).await.close();
        let place = match &closed.options {
            Options::Sqlite { folder, .. } => folder.display().to_string(),
            Options::Postgres { url, .. } => url.clone(),
        };
        let mut child = victim(test, &place);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told: Vec<String> = lines
            .map(Result::unwrap)
            .filter_map(|line| line.strip_prefix("acknowledged ").map(str::to_owned))
            .take(ROWS)
            .collect();
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "it was killed");
        assert_eq!(told.len(), ROWS);
        let db = Db::from_closed(closed, NOW).await;
        let mut tx = db.read().await;
        for name in told {
            assert!(
                settings::find(&mut tx, &name).await.unwrap().is_some(),
                "{name}"
            );
        }
    });
}

#[test]
fn sqlite() {
    acknowledged_rows_outlive_a_kill(Kind::Sqlite, "kill::sqlite");
}

#[test]
fn postgres() {
    acknowledged_rows_outlive_a_kill(Kind::Postgres, "kill::postgres");
}
