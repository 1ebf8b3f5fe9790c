//! Schedules: when a tenant's runs are due, and what happens then.

use std::collections::HashMap;
use std::time::Duration;

use marquetry_model::{
    Channel, DecisionKind, DecisionNote, Error, Integration, IntegrationId, Missed, ReleaseId,
    Result, Schedule, Scope, Tenant, TenantId, Timestamp, randomize,
};
use marquetry_store::schedules::{DueSchedule, Ticked};
use marquetry_store::{Tx, decisions, integrations, schedules, tenants};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::explain::noted;
use crate::hints::Topic;
use crate::releases::resolve_choice;

/// How many schedules one look serves.
const BATCH: i64 = 1_000;

/// What one look at the schedules did.
#[derive(Debug, Clone, Copy)]
pub struct SchedulesFired {
    /// How many triggers were made.
    pub fired: usize,
    /// Whether any schedule was due.
    pub found: bool,
    /// Whether as many were due as one look serves, so that there may be more.
    pub more: bool,
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

/// A tick that is later than this was missed: nobody looked when it was due.
const LATE: Duration = Duration::from_secs(60);
/// Missed ticks are counted up to so many, because others wait for the writer meanwhile.
pub(crate) const MOST_MISSED: i64 = 100;

/// Makes triggers of the schedules that are due. After downtime a schedule fires once, not once
/// for each tick that was missed, or not at all where the integration says so; the tick of a paused
/// integration, of one without a release, and of a tenant with too much waiting is passed over.
/// What did not become a trigger is noted.
pub async fn schedules_fire(ctx: &Ctx) -> Result<SchedulesFired> {
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let due = schedules::claim_due(&mut tx, now, BATCH)
        .await
        .map_err(store_error)?;
    let mut ready = Ready::default();
    let mut ticked = Vec::with_capacity(due.len());
    let mut notes = Vec::new();
    for due in &due {
        let most = ctx.app.settings.limits.waiting_per_tenant;
        ticked.push(tick(&mut tx, &mut ready, due, most, now, &mut notes).await?);
    }
    if !ticked.is_empty() {
        decisions::insert(&mut tx, &notes)
            .await
            .map_err(store_error)?;
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
    Ok(SchedulesFired {
        fired,
        found: !due.is_empty(),
        more: i64::try_from(due.len()).is_ok_and(|count| count >= BATCH),
        next,
    })
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
    notes: &mut Vec<DecisionNote>,
) -> Result<Ticked> {
    let schedule = due.schedule.as_deref().filter(|_| !due.stands_still);
    let schedule = schedule.and_then(|text| Schedule::parse(text, due.timezone.as_deref()).ok());
    let mut ticked = Ticked {
        tenant_id: due.tenant_id,
        next: schedule.as_ref().and_then(|it| it.next_after(now)),
        fired: false,
        due_at: due.due_at,
    };
    // Only a schedule whose time is known has a time to miss.
    let is_known = due.fire_at > Timestamp::from_millis(0);
    let Some(schedule) = schedule.filter(|_| is_known) else {
        return Ok(ticked);
    };
    let missed = missed(&schedule, due.fire_at, now);
    if missed > 0 {
        let kind = match due.missed {
            Missed::Once => DecisionKind::TicksLate,
            Missed::Skip => DecisionKind::TicksSkipped,
        };
        notes.push(DecisionNote {
            first_at: due.fire_at,
            count: missed,
            ..noted(due.tenant_id, kind, now)
        });
    }
    if due.missed == Missed::Skip && !is_in_time(&schedule, now) {
        return Ok(ticked);
    }
    let against = if due.waiting >= most {
        Some(DecisionKind::TickFull)
    } else {
        ready.against(tx, due).await?
    };
    ticked.fired = against.is_none();
    notes.extend(against.map(|kind| noted(due.tenant_id, kind, now)));
    Ok(ticked)
}

/// How many ticks since the one at `first` are over by more than [`LATE`], up to [`MOST_MISSED`].
fn missed(schedule: &Schedule, first: Timestamp, now: Timestamp) -> i64 {
    let all = std::iter::successors(Some(first), |at| schedule.next_after(*at));
    let over = all.take_while(|at| now.since(*at) > LATE);
    (0..MOST_MISSED)
        .zip(over)
        .map(|(n, _)| n + 1)
        .last()
        .unwrap_or(0)
}

/// Whether there is a tick that is due now and not late.
fn is_in_time(schedule: &Schedule, now: Timestamp) -> bool {
    let begin = now.minus(LATE + Duration::from_millis(1));
    schedule.next_after(begin).is_some_and(|at| at <= now)
}

/// Which integrations could run anything now, and what is against the others; most schedules that
/// are due together are of few.
#[derive(Default)]
struct Ready(HashMap<(IntegrationId, Option<ReleaseId>, Option<Channel>), Option<DecisionKind>>);

impl Ready {
    async fn against(&mut self, tx: &mut Tx, due: &DueSchedule) -> Result<Option<DecisionKind>> {
        let (id, channel) = (due.integration_release_id, due.integration_release_channel);
        let key = (due.integration_id, id, channel);
        if let Some(known) = self.0.get(&key) {
            return Ok(*known);
        }
        let integration = integrations::get(tx, due.integration_id)
            .await
            .map_err(store_error)?;
        let release = resolve_choice(tx, &integration, id, channel).await?;
        let against = match release {
            _ if integration.paused => Some(DecisionKind::TickPaused),
            None => Some(DecisionKind::TickNoRelease),
            Some(_) => None,
        };
        self.0.insert(key, against);
        Ok(against)
    }
}
