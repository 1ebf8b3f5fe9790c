//! Finished runs, written into a stopped product's database.

use std::path::Path;

use crate::scenario::Scenario;

/// Statements that add finished runs, with one trigger and one piece of log each, of a tenant of
/// their own each of `tenants` in turn. The same text for both databases.
pub(crate) fn statements(stage: &Scenario, tenants: &[i64], runs: usize) -> Vec<String> {
    let numbers: Vec<usize> = (1..=runs).collect();
    numbers
        .chunks(500)
        .flat_map(|part| chunk(stage, tenants, part))
        .collect()
}

fn chunk(stage: &Scenario, tenants: &[i64], numbers: &[usize]) -> [String; 3] {
    let (integration, release) = (stage.integration, stage.release);
    let rows = |row: &dyn Fn(usize) -> String| {
        let rows: Vec<String> = numbers.iter().map(|number| row(*number)).collect();
        rows.join(", ")
    };
    let at = |number: usize| 1_795_000_000_000 + number * 250;
    let tenant = |number: usize| tenants[number % tenants.len()];
    let runs = rows(&|n| {
        format!(
            "({n}, {}, {integration}, {release}, 'normal', 'Succeeded', 0, 'hi', 1, 'bench-00000000', \
             0, 1, 2097152, 120, {at}, {at}, {})",
            tenant(n),
            at(n) + 3,
            at = at(n)
        )
    });
    let triggers = rows(&|n| format!("({n}, {}, 'api', 'normal', {n}, {})", tenant(n), at(n)));
    let logs = rows(&|n| format!("({n}, 1, x.bytes)")).replace("x.bytes", LOG);
    [
        format!(
            "INSERT INTO runs (id, tenant_id, integration_id, release_id, mode, phase, exit_code, \
             std_out, attempt, node, cancel_requested, cpu_ms, max_rss_bytes, log_bytes, \
             created_at, started_at, completed_at) VALUES {runs}"
        ),
        format!(
            "INSERT INTO triggers (id, tenant_id, source, mode, run_id, created_at) \
             VALUES {triggers}"
        ),
        format!("INSERT INTO run_logs (run_id, number, bytes) VALUES {logs}"),
    ]
}

/// As long as the log of a trivial run; both databases take the cast.
const LOG: &str = "CAST('[marquetry] run of release bench-1.0.0 in mode normal; \
                   [marquetry] variables: PAN_CTX_ENV PAN_CTX_TENANT_ID PAN_CTX_RUN_ID' AS BYTES)";

/// Fills the SQLite file of a stopped server.
pub(crate) fn sqlite(
    file: &Path,
    stage: &Scenario,
    tenants: &[i64],
    runs: usize,
) -> anyhow::Result<()> {
    let mut connection = rusqlite::Connection::open(file)?;
    let tx = connection.transaction()?;
    for statement in statements(stage, tenants, runs) {
        tx.execute_batch(&statement.replace("AS BYTES", "AS BLOB"))?;
    }
    tx.commit()?;
    Ok(())
}
