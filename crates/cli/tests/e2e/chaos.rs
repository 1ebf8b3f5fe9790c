//! `marquetry chaos`: nodes that are killed, frozen and cut off under load keep every promise.

#![expect(
    clippy::disallowed_methods,
    reason = "the program under test is started by the test"
)]

use std::process::{Command, Output};

use marquetry_testkit::{Database, both_databases, seed_to_repeat};
use serde_json::Value;

fn marquetry(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_marquetry"));
    command.args(arguments).output().unwrap()
}

/// What came of it.
fn chaos(database: Database, arguments: &[&str]) -> Value {
    let server = std::env::var("MARQUETRY_TEST_POSTGRES").unwrap_or_default();
    let mut all = vec!["chaos", "--json"];
    if database == Database::Postgres {
        all.extend(["--database-url", &server]);
    }
    all.extend(arguments);
    let seed = seed_to_repeat().unwrap_or(7).to_string();
    all.extend(["--seed", &seed]);
    let output = marquetry(&all);
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    assert!(output.status.success(), "{report}\n{said}");
    report
}

fn check(report: &Value, triggers: u64, faults: usize) {
    assert_eq!(report["broken"], Value::Array(Vec::new()));
    assert_eq!(report["triggers"], triggers);
    assert_eq!(report["faults"].as_array().unwrap().len(), faults);
    // Else nothing was tried.
    let count = |name: &str| report[name].as_u64().unwrap();
    assert!(count("succeeded") > 10 * count("lost"), "{report}");
    assert_eq!(count("succeeded") + count("lost"), count("runs"));
    assert!(count("runs") > triggers / 20, "{report}");
}

both_databases! {
    async fn ten_thousand_triggers_keep_every_promise(database) {
        // Before each commit there is no time for all of them.
        let is_quick = std::env::var("MARQUETRY_TEST_LEVEL").is_ok_and(|level| level == "quick");
        let (triggers, faults) = if is_quick { (2_500, 4) } else { (10_000, 16) };
        let [triggers_said, faults_said] = [triggers, faults].map(|number| number.to_string());
        let load = ["--triggers", &triggers_said, "--rate", "400", "--faults", &faults_said];
        let report = chaos(database, &load);
        check(&report, triggers, usize::try_from(faults).unwrap());
        let nodes = if database == Database::Postgres { 3 } else { 1 };
        assert_eq!(report["nodes"], nodes);
    }
}

both_databases! {
    #[ignore = "slow: half an hour"]
    async fn a_million_triggers_keep_every_promise(database) {
        let load = ["--triggers", "1000000", "--rate", "2000", "--tenants", "400", "--faults", "80"];
        check(&chaos(database, &load), 1_000_000, 80);
    }
}

#[test]
fn the_same_seed_has_the_same_faults() {
    let plan = |seed: &str, nodes: &str| {
        let output = marquetry(&["chaos", "--plan", "--seed", seed, "--nodes", nodes]);
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let one = plan("7", "3");
    assert_eq!(one, plan("7", "3"));
    assert_ne!(one, plan("8", "3"));
    assert_eq!(one.lines().count(), 16);
    assert!(one.starts_with("at trigger 1415, node 2: stop\n"), "{one}");
    assert!(!plan("7", "1").contains("database"));
}

#[test]
fn what_cannot_be_tried_is_said() {
    let said = |arguments: &[&str]| {
        let output = marquetry(&[&["chaos"], arguments].concat());
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(&["--nodes", "2"]).contains("--database-url"));
    let far = said(&["--database-url", "postgres://db.example.com/x"]);
    assert!(far.contains("of this machine"), "{far}");
    let closed = said(&["--database-url", "postgres://x@127.0.0.1:1/x"]);
    assert!(closed.contains("cannot be used"), "{closed}");
}
