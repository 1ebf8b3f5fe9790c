//! Many tenants with a schedule, and when each of them is due.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use rusqlite::Connection;
use serde_json::json;

use super::clock::Millis;
use crate::client::Client;
use crate::product::{ProductOptions, Served};
use crate::scenario::Scenario;
use crate::setup::Setup;

/// The only schedule of once a minute that five fields can say: all are due as the minute begins.
const SCHEDULE: &str = "* * * * *";
/// Coprime to the numbers of tenants that are asked for, so that neighbours in the table are not due
/// one after another.
const STRIDE: usize = 7_919;

/// A stopped server's folder with scheduled tenants.
pub(super) struct Stage {
    pub(super) scenario: Scenario,
    pub(super) database: PathBuf,
    pub(super) count: usize,
}

impl Stage {
    /// One tenant is made through the product's API; the others are its copies, row by row, apart
    /// from id and name.
    pub(super) fn make(setup: &Setup) -> anyhow::Result<Self> {
        let folder = setup.work.join("schedules");
        let scenario = Scenario::make(&setup.binary, &folder, None, 0)?;
        let database = folder.join("marquetry.db");
        let stage = Self {
            scenario,
            database,
            count: setup.schedules,
        };
        let model = stage.make_model(setup)?;
        stage.multiply(model)?;
        Ok(stage)
    }

    fn make_model(&self, setup: &Setup) -> anyhow::Result<i64> {
        let served = self.start(setup, "api")?;
        let body = json!({
            "name": "tenant",
            "integration_id": self.scenario.integration,
            "integration_release_channel": "Latest",
            "user_name": "user",
            "user_schedule": SCHEDULE,
            "paused": false,
            "configs": {"shop": "shop.example.com", "batch": 50, "dry_run": false},
        });
        let mut client = Client::connect(&served.address)?;
        let made = client.post("/v2/tenants", Some(&body))?.json()?;
        served.stop()?;
        made["id"].as_i64().context("a tenant has an id")
    }

    fn multiply(&self, model: i64) -> anyhow::Result<()> {
        let mut connection = Connection::open(&self.database)?;
        let tx = connection.transaction()?;
        for (table, key, changed) in [
            ("tenants", "id", &["id", "name"][..]),
            ("tenant_states", "tenant_id", &["tenant_id"]),
        ] {
            let columns = columns(&tx, table)?;
            let values: Vec<String> = columns
                .iter()
                .map(|column| match column.as_str() {
                    "name" if changed.contains(&"name") => "m.name || '-' || n".to_owned(),
                    name if changed.contains(&name) => format!("m.{name} + n"),
                    name => format!("m.{name}"),
                })
                .collect();
            tx.execute_batch(&format!(
                "WITH RECURSIVE numbers (n) AS (
                    SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {}
                )
                INSERT INTO {table} ({}) SELECT {} FROM {table} AS m, numbers WHERE m.{key} = {model}",
                self.count,
                columns.join(", "),
                values.join(", ")
            ))?;
        }
        tx.commit()?;
        Ok(())
    }

    /// A server that fires schedules and runs nothing.
    pub(super) fn start(&self, setup: &Setup, roles: &str) -> anyhow::Result<Served> {
        ProductOptions {
            binary: &setup.binary,
            data_dir: &self.scenario.data_dir,
            database_url: None,
            roles,
            sandbox: "off",
            run_slots: 1,
            pinned: false,
        }
        .start()
    }

    /// Makes every tenant due at a time of its own, evenly from `first` over `over`, and forgets what
    /// fired before. Answers when each is due.
    pub(super) fn spread(
        &self,
        first: Millis,
        over: Millis,
    ) -> anyhow::Result<HashMap<i64, Millis>> {
        let connection = Connection::open(&self.database)?;
        let count = self.count;
        connection.execute_batch(&format!(
            "BEGIN;
            DELETE FROM decisions;
            DELETE FROM triggers;
            UPDATE tenant_states SET waiting = 0, due_at = NULL,
                fire_at = {first} + ((tenant_id * {STRIDE}) % {count}) * {over} / {count};
            COMMIT;"
        ))?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        let mut all = connection.prepare("SELECT tenant_id, fire_at FROM tenant_states")?;
        let due = all
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<HashMap<_, _>, _>>()?;
        ensure!(due.len() == self.count, "there are {} tenants", due.len());
        Ok(due)
    }
}

fn columns(connection: &Connection, table: &str) -> anyhow::Result<Vec<String>> {
    let mut all = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let names = all
        .query_map([table], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(names)
}
