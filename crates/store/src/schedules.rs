//! When each tenant's schedule is due next. It stands in the tenant's state, because it changes with
//! every tick.

use std::collections::BTreeMap;

use marquetry_model::{Channel, IntegrationId, Missed, ReleaseId, TenantId, Timestamp};

use crate::query::json;
use crate::value::{Reader, values};
use crate::{Result, Tx};

/// A schedule whose time has come, with what decides about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueSchedule {
    /// Whose.
    pub tenant_id: TenantId,
    /// Of what.
    pub integration_id: IntegrationId,
    /// The release it runs, when it is a fixed one.
    pub integration_release_id: Option<ReleaseId>,
    /// The channel it follows, when it is not a fixed release.
    pub integration_release_channel: Option<Channel>,
    /// When it was due; the beginning of time: not worked out yet.
    pub fire_at: Timestamp,
    /// The schedule as run; none: it has none any more.
    pub schedule: Option<String>,
    /// IANA name; none: UTC.
    pub timezone: Option<String>,
    /// What becomes of ticks that passed while no server looked.
    pub missed: Missed,
    /// Whether the tenant is paused or archived.
    pub stands_still: bool,
    /// Triggers that no run has taken.
    pub waiting: i64,
    /// When dispatch looks at the tenant; none: not before something changes.
    pub due_at: Option<Timestamp>,
}

/// What was decided about a schedule that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticked {
    /// Whose.
    pub tenant_id: TenantId,
    /// When it is due again.
    pub next: Option<Timestamp>,
    /// Whether a trigger was made.
    pub fired: bool,
    /// When dispatch looks at the tenant, as [`DueSchedule`] has it.
    pub due_at: Option<Timestamp>,
}

/// Schedules that are due, longest due first, at most `limit`; taken for this transaction, and
/// passed over by others.
pub async fn claim_due(tx: &mut Tx, now: Timestamp, limit: i64) -> Result<Vec<DueSchedule>> {
    let sql = format!(
        "SELECT s.tenant_id, t.integration_id, t.integration_release_id,
            t.integration_release_channel, s.fire_at, t.schedule, t.timezone, i.missed,
            CASE WHEN t.paused <> 0 OR t.archived_at IS NOT NULL THEN 1 ELSE 0 END, s.waiting,
            s.due_at
        FROM tenant_states s JOIN tenants t ON t.id = s.tenant_id
            JOIN integrations i ON i.id = t.integration_id
        WHERE s.fire_at <= $1 ORDER BY s.fire_at, s.tenant_id LIMIT $2{}",
        tx.dialect().skip_locked("s")
    );
    tx.read_rows(&sql, &values![now, limit], read).await
}

/// When the next schedule is due.
pub async fn find_next(tx: &mut Tx) -> Result<Option<Timestamp>> {
    const SQL: &str = "SELECT MIN(fire_at) FROM tenant_states WHERE fire_at IS NOT NULL";
    let row = tx.row(SQL, &[]).await?;
    Ok(row
        .map(|row| row.reader().opt_time())
        .transpose()?
        .flatten())
}

/// When one tenant's schedule is due next.
pub async fn find_next_of(tx: &mut Tx, id: TenantId) -> Result<Option<Timestamp>> {
    const SQL: &str = "SELECT fire_at FROM tenant_states WHERE tenant_id = $1";
    let row = tx.row(SQL, &values![id]).await?;
    let next = row.map(|row| row.reader().opt_time()).transpose()?;
    Ok(next.flatten())
}

/// Sets when one tenant's schedule is due next; none: not at all.
pub async fn update_next(tx: &mut Tx, id: TenantId, next: Option<Timestamp>) -> Result<()> {
    const SQL: &str = "UPDATE tenant_states SET fire_at = $2 WHERE tenant_id = $1";
    tx.execute(SQL, &values![id, next]).await?;
    Ok(())
}

/// Moves schedules on and makes a trigger for each that fired. Where dispatch looks soon enough
/// anyway, the time of that stays untouched: SQLite writes the entry of an index anew for each
/// column that is set, changed or not, and those of one batch lie all over the index.
pub async fn update_ticked(tx: &mut Tx, ticked: &[Ticked], now: Timestamp) -> Result<()> {
    let pairs = tx.dialect().pairs(1);
    let count = format!(
        "UPDATE tenant_states SET fire_at = f.b, waiting = waiting + $2
        FROM {pairs} AS f WHERE tenant_states.tenant_id = f.a"
    );
    let count_and_tell = format!(
        "UPDATE tenant_states SET fire_at = f.b, waiting = waiting + 1,
            due_at = CASE WHEN due_at IS NULL OR due_at > $2 THEN CAST($2 AS BIGINT)
                ELSE due_at END
        FROM {pairs} AS f WHERE tenant_states.tenant_id = f.a"
    );
    let (fired, passed): (Vec<&Ticked>, Vec<&Ticked>) = ticked.iter().partition(|t| t.fired);
    let (known, told): (Vec<&Ticked>, Vec<&Ticked>) = fired
        .iter()
        .copied()
        .partition(|t| t.due_at.is_some_and(|at| at <= now));
    for (part, sql, value) in [
        (passed, &count, 0),
        (known, &count, 1),
        (told, &count_and_tell, now.as_millis()),
    ] {
        if !part.is_empty() {
            tx.execute(sql, &values![next_times(&part), value]).await?;
        }
    }
    if fired.is_empty() {
        return Ok(());
    }
    let fired: Vec<TenantId> = fired.iter().map(|t| t.tenant_id).collect();
    let insert = format!(
        "INSERT INTO triggers (tenant_id, source, mode, created_at)
        SELECT id, 'cron', 'normal', CAST($2 AS BIGINT) FROM tenants WHERE id IN {} ORDER BY id",
        tx.dialect().id_list(1)
    );
    tx.execute(&insert, &values![json(&fired), now]).await?;
    Ok(())
}

/// When each is due again, as an object, in the order of the table.
fn next_times(ticked: &[&Ticked]) -> String {
    let times: BTreeMap<i64, Option<i64>> = ticked
        .iter()
        .map(|t| (t.tenant_id.get(), t.next.map(Timestamp::as_millis)))
        .collect();
    json(&times)
}

fn read(row: &mut Reader<'_>) -> Result<DueSchedule> {
    Ok(DueSchedule {
        tenant_id: TenantId::new(row.i64()?),
        integration_id: IntegrationId::new(row.i64()?),
        integration_release_id: row.opt_i64()?.map(ReleaseId::new),
        integration_release_channel: row.opt_word()?,
        fire_at: row.time()?,
        schedule: row.opt_text()?,
        timezone: row.opt_text()?,
        missed: row.word()?,
        stands_still: row.bool()?,
        waiting: row.i64()?,
        due_at: row.opt_time()?,
    })
}
