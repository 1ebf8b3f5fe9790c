//! The peers' tables: what they answer, in columns. A run's triggers lie beside it as JSON, which
//! spares the peers the statement that the product needs.

use anyhow::{Context as _, bail};
use rusqlite::types::ValueRef;
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};

use super::Lookup;

/// The columns of a table, in order; the FastAPI program knows them too.
pub(crate) const TENANT_COLUMNS: &[(&str, &str)] = &[
    ("id", "BIGINT PRIMARY KEY"),
    ("name", "TEXT"),
    ("archived", "BIGINT"),
    ("integration_id", "BIGINT"),
    ("configs", "TEXT"),
    ("created_date", "TEXT"),
    ("modified_date", "TEXT"),
    ("paused", "BIGINT"),
    ("user_schedule", "TEXT"),
    ("schedule", "TEXT"),
    ("source", "TEXT"),
    ("integration_release_id", "BIGINT"),
    ("integration_release_channel", "TEXT"),
    ("dynamic_configs", "TEXT"),
    ("connected", "BIGINT"),
    ("user_name", "TEXT"),
    ("timezone", "TEXT"),
    ("configs_problems", "TEXT"),
];
pub(crate) const RUN_COLUMNS: &[(&str, &str)] = &[
    ("id", "BIGINT PRIMARY KEY"),
    ("mode", "TEXT"),
    ("phase", "TEXT"),
    ("triggers", "TEXT"),
    ("started_date", "TEXT"),
    ("completed_date", "TEXT"),
    ("tenant_id", "BIGINT"),
    ("integration_id", "BIGINT"),
    ("release_id", "BIGINT"),
    ("exit_code", "BIGINT"),
    ("std_out", "TEXT"),
    ("message", "TEXT"),
    ("rerun_of", "BIGINT"),
    ("node", "TEXT"),
    ("cpu_ms", "BIGINT"),
    ("max_rss_bytes", "BIGINT"),
    ("log_bytes", "BIGINT"),
];

pub(super) const TENANT: Lookup = Lookup::new("SELECT * FROM tenants WHERE id = $1");
pub(super) const TENANTS: Lookup = Lookup::new(
    "SELECT * FROM tenants WHERE integration_id = $1 AND archived = 0 ORDER BY id LIMIT $2 OFFSET $3",
);
pub(super) const RUN: Lookup = Lookup::new("SELECT * FROM runs WHERE id = $1");
pub(super) const RUNS: Lookup =
    Lookup::new("SELECT * FROM runs WHERE integration_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3");

/// One value of a row.
#[derive(Debug)]
pub(crate) enum Cell {
    Null,
    Number(i64),
    Text(String),
}

/// A row, read from its first column to its last.
pub(crate) type Row = std::vec::IntoIter<Cell>;

pub(super) fn sqlite_rows(
    connection: &rusqlite::Connection,
    sql: &str,
    values: &[i64],
) -> anyhow::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut cells = Vec::with_capacity(columns);
        for number in 0..columns {
            cells.push(match row.get_ref(number)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(value) => Cell::Number(value),
                ValueRef::Text(text) => Cell::Text(std::str::from_utf8(text)?.to_owned()),
                ValueRef::Real(_) | ValueRef::Blob(_) => bail!("no column is of this type"),
            });
        }
        found.push(cells.into_iter());
    }
    Ok(found)
}

pub(super) async fn postgres_rows(
    client: &deadpool_postgres::Object,
    sql: &str,
    values: &[i64],
) -> anyhow::Result<Vec<Row>> {
    let statement = client.prepare_cached(sql).await?;
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|v| v as _).collect();
    let rows = client.query(&statement, &values).await?;
    let cells = |row: &tokio_postgres::Row| {
        let cells: anyhow::Result<Vec<Cell>> = row
            .columns()
            .iter()
            .enumerate()
            .map(|(number, column)| {
                Ok(if *column.type_() == Type::INT8 {
                    row.try_get::<_, Option<i64>>(number)?
                        .map_or(Cell::Null, Cell::Number)
                } else {
                    row.try_get::<_, Option<String>>(number)?
                        .map_or(Cell::Null, Cell::Text)
                })
            })
            .collect();
        Ok(cells?.into_iter())
    };
    rows.iter().map(cells).collect()
}

/// Statements that make a table and fill it from what the product answers.
fn table(name: &str, columns: &[(&str, &str)], items: &[Value]) -> anyhow::Result<Vec<String>> {
    let declared: Vec<String> = columns
        .iter()
        .map(|(n, kind)| format!("{n} {kind}"))
        .collect();
    let mut statements = vec![format!("CREATE TABLE {name} ({})", declared.join(", "))];
    for part in items.chunks(200) {
        let rows: anyhow::Result<Vec<String>> =
            part.iter().map(|item| row(columns, item)).collect();
        statements.push(format!("INSERT INTO {name} VALUES {}", rows?.join(", ")));
    }
    statements.push(format!(
        "CREATE INDEX {name}_integration ON {name} (integration_id, id)"
    ));
    Ok(statements)
}

fn row(columns: &[(&str, &str)], item: &Value) -> anyhow::Result<String> {
    let cells: anyhow::Result<Vec<String>> = columns
        .iter()
        .map(|(name, _)| {
            let found = match *name {
                "phase" => item.pointer("/status/phase"),
                "dynamic_configs" => item.pointer("/status/dynamic_configs"),
                "connected" => item.pointer("/status/auth/connected"),
                "cpu_ms" | "max_rss_bytes" | "log_bytes" => item["usage"].get(name),
                name => item.get(name),
            };
            let found = found.with_context(|| format!("the product answers no {name}"))?;
            let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
            Ok(match found {
                Value::Null => "NULL".to_owned(),
                Value::Bool(value) => i64::from(*value).to_string(),
                Value::Number(number) => number.to_string(),
                Value::String(text) => quoted(text),
                Value::Array(_) | Value::Object(_) => quoted(&found.to_string()),
            })
        })
        .collect();
    Ok(format!("({})", cells?.join(", ")))
}

/// The statements that make both tables.
pub(crate) fn fill(tenants: &[Value], runs: &[Value]) -> anyhow::Result<Vec<String>> {
    let mut statements = table("tenants", TENANT_COLUMNS, tenants)?;
    statements.extend(table("runs", RUN_COLUMNS, runs)?);
    Ok(statements)
}
