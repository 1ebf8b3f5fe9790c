//! The JSON that the product answers, of rows.

use anyhow::Context as _;
use serde::Serialize;
use serde_json::value::RawValue;

use super::tables::{Cell, Row};

#[derive(Debug, Serialize)]
pub(super) struct Tenant {
    id: i64,
    name: String,
    archived: bool,
    integration_id: i64,
    configs: Box<RawValue>,
    created_date: String,
    modified_date: String,
    paused: bool,
    user_schedule: Option<String>,
    schedule: Option<String>,
    source: String,
    integration_release_id: Option<i64>,
    integration_release_channel: Option<String>,
    status: TenantStatus,
    user_name: Option<String>,
    timezone: Option<String>,
    configs_problems: Box<RawValue>,
}

/// An object without fields, which a run that is not there is shown as.
#[derive(Debug, Serialize)]
struct Empty {}

#[derive(Debug, Serialize)]
struct TenantStatus {
    last_run: Empty,
    current_run: Empty,
    last_successful_run: Empty,
    dynamic_configs: Box<RawValue>,
    auth: Auth,
}

#[derive(Debug, Serialize)]
struct Auth {
    connected: bool,
    connectors: [Empty; 0],
}

#[derive(Debug, Serialize)]
pub(super) struct Run {
    id: i64,
    mode: String,
    status: RunStatus,
    triggers: Box<RawValue>,
    started_date: Option<String>,
    completed_date: Option<String>,
    tenant_id: i64,
    integration_id: i64,
    release_id: i64,
    exit_code: Option<i64>,
    std_out: Option<String>,
    message: Option<String>,
    rerun_of: Option<i64>,
    node: Option<String>,
    usage: Usage,
}

#[derive(Debug, Serialize)]
struct RunStatus {
    phase: String,
    #[serde(rename = "startTime")]
    start_time: Option<String>,
    #[serde(rename = "completionTime")]
    completion_time: Option<String>,
}

#[derive(Debug, Serialize)]
struct Usage {
    cpu_ms: i64,
    max_rss_bytes: i64,
    log_bytes: i64,
}

pub(super) fn tenant(mut row: Row) -> anyhow::Result<Tenant> {
    let row = &mut row;
    let (id, name, archived, integration_id) = (number(row)?, text(row)?, flag(row)?, number(row)?);
    let (configs, created_date, modified_date) = (json(row)?, text(row)?, text(row)?);
    let (paused, user_schedule, schedule) = (flag(row)?, opt_text(row)?, opt_text(row)?);
    Ok(Tenant {
        id,
        name,
        archived,
        integration_id,
        configs,
        created_date,
        modified_date,
        paused,
        user_schedule,
        schedule,
        source: text(row)?,
        integration_release_id: opt_number(row)?,
        integration_release_channel: opt_text(row)?,
        status: TenantStatus {
            last_run: Empty {},
            current_run: Empty {},
            last_successful_run: Empty {},
            dynamic_configs: json(row)?,
            auth: Auth {
                connected: flag(row)?,
                connectors: [],
            },
        },
        user_name: opt_text(row)?,
        timezone: opt_text(row)?,
        configs_problems: json(row)?,
    })
}

pub(super) fn run(mut row: Row) -> anyhow::Result<Run> {
    let row = &mut row;
    let (id, mode, phase, triggers) = (number(row)?, text(row)?, text(row)?, json(row)?);
    let (started_date, completed_date) = (opt_text(row)?, opt_text(row)?);
    Ok(Run {
        id,
        mode,
        status: RunStatus {
            phase,
            start_time: started_date.clone(),
            completion_time: completed_date.clone(),
        },
        triggers,
        started_date,
        completed_date,
        tenant_id: number(row)?,
        integration_id: number(row)?,
        release_id: number(row)?,
        exit_code: opt_number(row)?,
        std_out: opt_text(row)?,
        message: opt_text(row)?,
        rerun_of: opt_number(row)?,
        node: opt_text(row)?,
        usage: Usage {
            cpu_ms: number(row)?,
            max_rss_bytes: number(row)?,
            log_bytes: number(row)?,
        },
    })
}

fn opt_number(row: &mut Row) -> anyhow::Result<Option<i64>> {
    match row.next().context("a column is missing")? {
        Cell::Null => Ok(None),
        Cell::Number(value) => Ok(Some(value)),
        Cell::Text(text) => anyhow::bail!("{text} is no number"),
    }
}

fn opt_text(row: &mut Row) -> anyhow::Result<Option<String>> {
    match row.next().context("a column is missing")? {
        Cell::Null => Ok(None),
        Cell::Text(text) => Ok(Some(text)),
        Cell::Number(value) => anyhow::bail!("{value} is no text"),
    }
}

fn number(row: &mut Row) -> anyhow::Result<i64> {
    opt_number(row)?.context("a number is missing")
}

fn text(row: &mut Row) -> anyhow::Result<String> {
    opt_text(row)?.context("a text is missing")
}

fn flag(row: &mut Row) -> anyhow::Result<bool> {
    Ok(number(row)? != 0)
}

fn json(row: &mut Row) -> anyhow::Result<Box<RawValue>> {
    Ok(RawValue::from_string(text(row)?)?)
}
