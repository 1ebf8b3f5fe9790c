//! Integrations.

use marquetry_model::{
    Integration, IntegrationId, Page, PageRequest, ReleaseId, TenantId, Timestamp,
};

use crate::query::{Filter, List, json, read_all, read_one};
use crate::value::{Reader, Value, values};
use crate::{Result, Tx};

macro_rules! columns {
    () => {
        "id, name, long_name, kind, repository_url, repository_tracking_branch, repository_paths, \
         connectors, default_release_id, default_release_channel, default_schedule, \
         schedule_choices, schedule_randomization, debounce_ms, timeout_seconds, memory_mb, retry, \
         egress, egress_ports, poll_seconds, local_run, paused, target_url, archived_at, \
         created_at, modified_at, push_hook_generation, missed, \
         concurrency_limit, polled_at, poll_message"
    };
}

const INSERT: &str = "INSERT INTO integrations (name, long_name, kind, repository_url,
        repository_tracking_branch, repository_paths, connectors, default_release_id,
        default_release_channel, default_schedule, schedule_choices, schedule_randomization,
        debounce_ms, timeout_seconds, memory_mb, retry, egress, egress_ports, poll_seconds,
        local_run, paused, target_url, archived_at, created_at, modified_at, push_hook_generation,
        missed, concurrency_limit)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
        $20, $21, $22, $23, $24, $25, $26, $27, $28)
    ON CONFLICT DO NOTHING RETURNING id";
const UPDATE: &str = "UPDATE integrations SET name = $1, long_name = $2, kind = $3,
        repository_url = $4, repository_tracking_branch = $5, repository_paths = $6,
        connectors = $7, default_release_id = $8, default_release_channel = $9,
        default_schedule = $10, schedule_choices = $11, schedule_randomization = $12,
        debounce_ms = $13, timeout_seconds = $14, memory_mb = $15, retry = $16, egress = $17,
        egress_ports = $18, poll_seconds = $19, local_run = $20, paused = $21, target_url = $22,
        archived_at = $23, created_at = $24, modified_at = $25,
        push_hook_generation = $26, missed = $27, concurrency_limit = $28
    WHERE id = $29";
const GET: &str = concat!("SELECT ", columns!(), " FROM integrations WHERE id = $1");
const FIND_BY_NAME: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM integrations WHERE name = $1 AND archived_at IS NULL"
);
/// Its lists.
pub const LIST: List = List {
    select: concat!("SELECT ", columns!(), " FROM integrations"),
    count: "SELECT COUNT(*) FROM integrations",
    sorts: &[
        ("id", "id"),
        ("name", "name"),
        ("long_name", "long_name"),
        ("type", "kind"),
        ("repository_url", "repository_url"),
        ("repository_tracking_branch", "repository_tracking_branch"),
        ("repository_path", "repository_paths"),
        ("default_release_id", "default_release_id"),
        ("default_release_channel", "default_release_channel"),
        ("default_schedule", "default_schedule"),
        ("schedule_randomization", "schedule_randomization"),
        ("missed", "missed"),
        ("debounce_ms", "debounce_ms"),
        ("concurrency_limit", "concurrency_limit"),
        ("timeout_seconds", "timeout_seconds"),
        ("memory_mb", "memory_mb"),
        ("retry", "retry"),
        ("egress", "egress"),
        ("poll_seconds", "poll_seconds"),
        ("polled_date", "polled_at"),
        ("poll_message", "poll_message"),
        ("local_run", "local_run"),
        ("paused", "paused"),
        ("target_url", "target_url"),
        (
            "archived",
            "CASE WHEN archived_at IS NULL THEN 0 ELSE 1 END",
        ),
        ("created_date", "created_at"),
        ("modified_date", "modified_at"),
    ],
    order: "id",
};

/// Adds one; none when an unarchived one has the name.
pub async fn insert(tx: &mut Tx, integration: &Integration) -> Result<Option<IntegrationId>> {
    let row = tx.row(INSERT, &values_of(integration)).await?;
    row.map(|row| row.reader().i64().map(IntegrationId::new))
        .transpose()
}

/// Writes all of it but what looks at its branch saw.
pub async fn update(tx: &mut Tx, integration: &Integration) -> Result<()> {
    let mut row = values_of(integration).to_vec();
    row.push(integration.id.into());
    let changed = tx.execute(UPDATE, &row).await?;
    Tx::found(
        (changed == 1).then_some(()),
        IntegrationId::KIND,
        integration.id,
    )
}

/// One of them, archived or not.
pub async fn get(tx: &mut Tx, id: IntegrationId) -> Result<Integration> {
    let found = read_one(tx.row(GET, &values![id]).await?, read)?;
    Tx::found(found, IntegrationId::KIND, id)
}

/// One of them, for a change.
pub async fn lock(tx: &mut Tx, id: IntegrationId) -> Result<Integration> {
    let sql = format!("{GET}{}", tx.dialect().for_update());
    let found = read_one(tx.row(&sql, &values![id]).await?, read)?;
    Tx::found(found, IntegrationId::KIND, id)
}

/// One of them, which nobody changes before the end of the transaction: for rows that are added to
/// it. It is taken before those rows, as archiving takes them.
pub async fn lock_shared(tx: &mut Tx, id: IntegrationId) -> Result<Integration> {
    let sql = format!("{GET}{}", tx.dialect().for_share());
    let found = read_one(tx.row(&sql, &values![id]).await?, read)?;
    Tx::found(found, IntegrationId::KIND, id)
}

/// The unarchived one of this name.
pub async fn find_by_name(tx: &mut Tx, name: &str) -> Result<Option<Integration>> {
    read_one(tx.row(FIND_BY_NAME, &values![name]).await?, read)
}

/// All that are, or are not, archived.
pub async fn list(tx: &mut Tx, archived: bool, request: &PageRequest) -> Result<Page<Integration>> {
    let mut filter = Filter::new();
    filter.when(if archived {
        "archived_at IS NOT NULL"
    } else {
        "archived_at IS NULL"
    });
    LIST.page(tx, filter, request, read).await
}

fn values_of(integration: &Integration) -> [Value; 28] {
    let i = integration;
    values![
        i.name.as_str(),
        i.long_name.as_str(),
        i.kind.as_str(),
        i.repository_url.clone(),
        i.repository_tracking_branch.as_str(),
        json(&i.repository_paths),
        json(&i.connectors),
        i.default_release_id,
        i.default_release_channel
            .map(marquetry_model::Channel::as_str),
        i.default_schedule.clone(),
        json(&i.schedule_choices),
        i.schedule_randomization.as_str(),
        i.debounce_ms,
        i.timeout_seconds,
        i.memory_mb,
        i.retry.as_str(),
        i.egress.as_str(),
        json(&i.egress_ports),
        i.poll_seconds,
        i.local_run.as_str(),
        i.paused,
        i.target_url.clone(),
        i.archived_at,
        i.created_at,
        i.modified_at,
        i.push_hook_generation,
        i.missed.as_str(),
        i.concurrency_limit
    ]
}

fn read(row: &mut Reader<'_>) -> Result<Integration> {
    Ok(Integration {
        id: IntegrationId::new(row.i64()?),
        name: row.text()?,
        long_name: row.text()?,
        kind: row.word()?,
        repository_url: row.opt_text()?,
        repository_tracking_branch: row.text()?,
        repository_paths: row.json()?,
        connectors: row.json()?,
        default_release_id: row.opt_i64()?.map(ReleaseId::new),
        default_release_channel: row.opt_word()?,
        default_schedule: row.opt_text()?,
        schedule_choices: row.json()?,
        schedule_randomization: row.word()?,
        debounce_ms: row.i64()?,
        timeout_seconds: row.i64()?,
        memory_mb: row.i64()?,
        retry: row.word()?,
        egress: row.word()?,
        egress_ports: row.json()?,
        poll_seconds: row.opt_i64()?,
        local_run: row.word()?,
        paused: row.bool()?,
        target_url: row.opt_text()?,
        archived_at: row.opt_time()?,
        created_at: row.time()?,
        modified_at: row.time()?,
        push_hook_generation: row.i64()?,
        missed: row.word()?,
        concurrency_limit: row.opt_i64()?,
        polled_at: row.opt_time()?,
        poll_message: row.opt_text()?,
    })
}

/// How many unarchived tenants it has.
pub async fn live_tenants(tx: &mut Tx, id: IntegrationId) -> Result<i64> {
    const SQL: &str =
        "SELECT COUNT(*) FROM tenants WHERE integration_id = $1 AND archived_at IS NULL";
    let row = tx.row(SQL, &values![id]).await?;
    row.map_or(Ok(0), |row| row.reader().i64())
}

/// Archives every live tenant of it and answers which they were, by id.
pub async fn archive_tenants(
    tx: &mut Tx,
    id: IntegrationId,
    now: Timestamp,
) -> Result<Vec<TenantId>> {
    let sql = format!(
        "WITH held AS MATERIALIZED (SELECT id FROM tenants
            WHERE integration_id = $1 AND archived_at IS NULL ORDER BY id{})
        UPDATE tenants SET archived_at = $2, modified_at = $2 WHERE id IN (SELECT id FROM held)
        RETURNING id",
        tx.dialect().for_update()
    );
    let rows = tx.rows(&sql, &values![id, now]).await?;
    let mut ids = read_all(rows, |row| row.i64().map(TenantId::new))?;
    // RETURNING has no order.
    ids.sort_unstable();
    Ok(ids)
}
