//! When each tenant's schedule is due next. It stands in the tenant's state, because it changes with
//! every tick.

use marquetry_model::{Channel, IntegrationId, Missed, ReleaseId, TenantId, Timestamp};

use crate::query::{json, read_all};
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
}

/// Schedules that are due, longest due first, at most `limit`; taken for this transaction, and
/// passed over by others.
pub async fn claim_due(tx: &mut Tx, now: Timestamp, limit: i64) -> Result<Vec<DueSchedule>> {
    let sql = format!(
        "SELECT s.tenant_id, t.integration_id, t.integration_release_id,
            t.integration_release_channel, s.fire_at, t.schedule, t.timezone, i.missed,
            CASE WHEN t.paused <> 0 OR t.archived_at IS NOT NULL THEN 1 ELSE 0 END, s.waiting
        FROM tenant_states s JOIN tenants t ON t.id = s.tenant_id
            JOIN integrations i ON i.id = t.integration_id
        WHERE s.fire_at <= $1 ORDER BY s.fire_at, s.tenant_id LIMIT $2{}",
        tx.dialect().skip_locked("s")
    );
    read_all(tx.rows(&sql, &values![now, limit]).await?, read)
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

/// Moves schedules on and makes a trigger for each that fired.
pub async fn update_ticked(tx: &mut Tx, ticked: &[Ticked], now: Timestamp) -> Result<()> {
    let rows: Vec<(i64, Option<i64>, i64)> = ticked
        .iter()
        .map(|t| {
            let next = t.next.map(Timestamp::as_millis);
            (t.tenant_id.get(), next, i64::from(t.fired))
        })
        .collect();
    let move_on = format!(
        "UPDATE tenant_states SET fire_at = f.b, waiting = waiting + f.c,
            due_at = CASE WHEN f.c = 1 AND (due_at IS NULL OR due_at > $2) THEN CAST($2 AS BIGINT)
                ELSE due_at END
        FROM {} AS f WHERE tenant_states.tenant_id = f.a",
        tx.dialect().triples(1)
    );
    tx.execute(&move_on, &values![json(&rows), now]).await?;
    let fired: Vec<TenantId> = ticked
        .iter()
        .filter(|t| t.fired)
        .map(|t| t.tenant_id)
        .collect();
    if fired.is_empty() {
        return Ok(());
    }
    let insert = format!(
        "INSERT INTO triggers (tenant_id, source, mode, created_at)
        SELECT id, 'cron', 'normal', CAST($2 AS BIGINT) FROM tenants WHERE id IN {} ORDER BY id",
        tx.dialect().id_list(1)
    );
    tx.execute(&insert, &values![json(&fired), now]).await?;
    Ok(())
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
    })
}
