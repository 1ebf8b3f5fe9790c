//! Schedules: when a tenant's runs are due, and what happens then.

use std::collections::HashMap;

use marquetry_model::{
    Channel, Error, Integration, IntegrationId, ReleaseId, Result, Schedule, Scope, Tenant,
    TenantId, Timestamp, randomize,
};
use marquetry_store::schedules::{DueSchedule, Ticked};
use marquetry_store::{Tx, integrations, schedules, tenants};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::hints::Topic;
use crate::releases::resolve_choice;

/// How many schedules one look serves.
const BATCH: i64 = 1_000;

/// What one look at the schedules did.
#[derive(Debug, Clone, Copy)]
pub struct SchedulesFired {
    /// How many triggers were made.
    pub fired: usize,
    /// When the next schedule is due; none: only after a hint.
    pub next: Option<Timestamp>,
}

/// The schedule as a tenant of the integration runs it.
pub(crate) fn as_run(asked: &str, integration: &Integration, tenant: TenantId) -> String {
    randomize(asked, integration.schedule_randomization, tenant)
}

/// Notes when a tenant is due next, from what it is now.
pub(crate) async fn plan(tx: &mut Tx, tenant: &Tenant, now: Timestamp) -> Result<()> {
    let stands_still = tenant.paused || tenant.archived_at.is_some();
    let schedule = tenant.schedule.as_deref().filter(|_| !stands_still);
    let due = schedule.and_then(|text| next(text, tenant.timezone.as_deref(), now));
    schedules::update_next(tx, tenant.id, due)
        .await
        .map_err(store_error)
}

fn next(schedule: &str, timezone: Option<&str>, now: Timestamp) -> Option<Timestamp> {
    Schedule::parse(schedule, timezone).ok()?.next_after(now)
}

/// Makes triggers of the schedules that are due. After downtime a schedule fires once, not once
/// for each tick that was missed; the tick of a paused integration, of one without a release, and
/// of a tenant with too much waiting is passed over.
pub async fn schedules_fire(ctx: &Ctx) -> Result<SchedulesFired> {
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let due = schedules::claim_due(&mut tx, now, BATCH)
        .await
        .map_err(store_error)?;
    let mut ready = Ready::default();
    let mut ticked = Vec::with_capacity(due.len());
    for due in &due {
        let most = ctx.app.settings.limits.waiting_per_tenant;
        ticked.push(tick(&mut tx, &mut ready, due, most, now).await?);
    }
    if !ticked.is_empty() {
        schedules::update_ticked(&mut tx, &ticked, now)
            .await
            .map_err(store_error)?;
    }
    let next = schedules::find_next(&mut tx).await.map_err(store_error)?;
    if !ticked.is_empty() {
        tx.commit().await.map_err(store_error)?;
    }
    let fired = ticked.iter().filter(|ticked| ticked.fired).count();
    if fired > 0 {
        ctx.app.hints.give(Topic::Dispatch);
    }
    Ok(SchedulesFired { fired, next })
}

/// The next times of a tenant's schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulePreview {
    /// The schedule as run; none: the tenant has none.
    pub schedule: Option<String>,
    /// IANA name of the zone that it is read in.
    pub timezone: String,
    /// Whether the tenant or its integration is paused, so that these times pass.
    pub paused: bool,
    /// The first instants after now that it names.
    pub next: Vec<Timestamp>,
}

/// The next `count` times of a tenant's schedule, by the rule that fires it; those of a paused one
/// too, because it is looked at before it is resumed.
///
/// # Errors
///
/// There is no such tenant, or it is archived: it has no next time.
pub async fn schedule_preview(ctx: &Ctx, id: TenantId, count: usize) -> Result<SchedulePreview> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    let tenant = tenants::get(&mut tx, id).await.map_err(store_error)?;
    if tenant.archived_at.is_some() {
        return Err(Error::not_found(TenantId::KIND, id));
    }
    let integration = integrations::get(&mut tx, tenant.integration_id)
        .await
        .map_err(store_error)?;
    drop(tx);
    let zone = tenant.timezone.as_deref();
    let asked = tenant.schedule.as_deref();
    let schedule = asked.and_then(|text| Schedule::parse(text, zone).ok());
    let first = schedule.as_ref().and_then(|it| it.next_after(ctx.now()));
    let times = std::iter::successors(first, |at| schedule.as_ref()?.next_after(*at));
    let next = times.take(count).collect();
    Ok(SchedulePreview {
        schedule: tenant.schedule,
        timezone: tenant.timezone.unwrap_or_else(|| "UTC".to_owned()),
        paused: tenant.paused || integration.paused,
        next,
    })
}

async fn tick(
    tx: &mut Tx,
    ready: &mut Ready,
    due: &DueSchedule,
    most: i64,
    now: Timestamp,
) -> Result<Ticked> {
    let schedule = due.schedule.as_deref().filter(|_| !due.stands_still);
    let Some(schedule) = schedule else {
        return Ok(Ticked {
            tenant_id: due.tenant_id,
            next: None,
            fired: false,
        });
    };
    // Only a schedule whose time is known has a time to miss.
    let known = due.fire_at > Timestamp::from_millis(0);
    let fired = known && due.waiting < most && ready.is(tx, due).await?;
    let next = next(schedule, due.timezone.as_deref(), now);
    Ok(Ticked {
        tenant_id: due.tenant_id,
        next,
        fired,
    })
}

/// Which integrations could run anything now; most schedules that are due together are of few.
#[derive(Default)]
struct Ready(HashMap<(IntegrationId, Option<ReleaseId>, Option<Channel>), bool>);

impl Ready {
    async fn is(&mut self, tx: &mut Tx, due: &DueSchedule) -> Result<bool> {
        let (id, channel) = (due.integration_release_id, due.integration_release_channel);
        let key = (due.integration_id, id, channel);
        if let Some(known) = self.0.get(&key) {
            return Ok(*known);
        }
        let integration = integrations::get(tx, due.integration_id)
            .await
            .map_err(store_error)?;
        let ready = !integration.paused
            && resolve_choice(tx, &integration, id, channel)
                .await?
                .is_some();
        self.0.insert(key, ready);
        Ok(ready)
    }
}
