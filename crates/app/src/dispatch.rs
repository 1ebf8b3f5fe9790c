//! Dispatch: making runs of what waits, for nodes that have places for them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use marquetry_model::{
    Decision, DecisionKind, Integration, IntegrationId, Lane, Release, Result, Run, Tenant,
    TenantId, Timestamp, Turn, bundle, share,
};
use marquetry_store::runs::{Claimer, NewRun};
use marquetry_store::tenants::Pauses;
use marquetry_store::{Tx, decisions, reruns, runs, tenant_states, tenants, triggers, turns};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::explain::noted;
use crate::known::Known;
use crate::run_engine::{RunJob, job};

/// How many tenants one look at the queue serves.
const BATCH: usize = 128;
/// When dispatch looks again at a tenant whose release is gone.
const NO_RELEASE: Duration = Duration::from_secs(60);

/// When dispatch looks again at an integration that somebody was pausing.
const PAUSING: Duration = Duration::from_millis(50);

/// What one look at the queue did.
#[derive(Debug, Default)]
pub struct Taken {
    /// Runs that this node shall execute now.
    pub jobs: Vec<RunJob>,
    /// When to look again without a hint; none: only at a hint.
    pub next: Option<Timestamp>,
    /// Whether there may be more at once.
    pub more: bool,
    /// Whether something waits for the end of another run of its integration.
    pub held: bool,
}

/// Takes runs that wait for a node, oldest first, and makes runs of what waits: up to `slots` in
/// all, shared fairly between integrations, and in each between who never ran and who did.
///
/// No more runs are made than there are places for: what waits longer is bundled further
/// meanwhile, and each run is written once.
pub async fn runs_take(ctx: &Ctx, claimer: &Claimer, slots: usize) -> Result<Taken> {
    let now = ctx.now();
    if slots == 0 {
        return Ok(Taken::default());
    }
    let most = ctx.app.settings.limits.most_in_bundle;
    let mut tx = ctx.write().await?;
    let look = take(&mut tx, claimer, slots, now, most).await?;
    let free = look.jobs.len() < slots;
    let next = if free {
        // What is held is due all the time: its turn comes with an end, not with a time.
        let after = (look.held || look.again.is_some()).then_some(now);
        let due = turns::find_next_due(&mut tx, after).await;
        let again = look.again.map(|pause| now.plus(pause));
        due.map_err(store_error)?.into_iter().chain(again).min()
    } else {
        None
    };
    if look.changed {
        tx.commit().await.map_err(store_error)?;
    }
    Ok(Taken {
        next,
        more: look.full && free,
        held: look.held,
        jobs: look.jobs,
    })
}

/// What was found in the queue.
pub(crate) struct Look {
    pub(crate) jobs: Vec<RunJob>,
    /// There may be more.
    full: bool,
    /// Something was written.
    changed: bool,
    /// An integration has as many live runs as it may.
    held: bool,
    /// After which time to look again, where somebody is pausing an integration or tenants of it.
    again: Option<Duration>,
}

pub(crate) async fn take(
    tx: &mut Tx,
    claimer: &Claimer,
    slots: usize,
    now: Timestamp,
    most: usize,
) -> Result<Look> {
    let mut known = Known::default();
    let mut jobs = Vec::new();
    let limit = slots.min(BATCH);
    let pending = runs::claim(tx, claimer, now, as_count(limit))
        .await
        .map_err(store_error)?;
    for run in pending {
        jobs.push(job_of(tx, &mut known, run).await?);
    }
    let places = limit - jobs.len();
    let mut changed = !jobs.is_empty();
    let mut looked_at = 0;
    let mut held = false;
    let mut hidden = false;
    let mut again = None;
    if places > 0 {
        let turns = turns::list(tx, now, as_count(places))
            .await
            .map_err(store_error)?;
        held = turns.iter().any(Turn::is_at_limit);
        let shares = share(&turns, places);
        let limited = within_limits(tx, &turns, &shares).await?;
        for (integration, share) in shares {
            let still = turns::try_still(tx, integration).await;
            if !still.map_err(store_error)? {
                again = Some(PAUSING);
                continue;
            }
            let share = limited.get(&integration).copied().unwrap_or(share);
            let turn = turns.iter().find(|it| it.integration_id == integration);
            let Some(turn) = turn else { continue };
            let due = claim_due(tx, turn, share, now).await?;
            looked_at += due.len();
            let (is_spent, before) = (due.len() == share, jobs.len());
            for tenant in due {
                jobs.extend(dispatch(tx, &mut known, tenant, claimer, now, most).await?);
            }
            // Who could not run after all has used up a part of what others of it may have.
            hidden |= is_spent && jobs.len() - before < share;
        }
        changed |= looked_at > 0;
    }
    Ok(Look {
        jobs,
        full: hidden || (looked_at == places && places > 0),
        changed,
        held,
        again,
    })
}

/// The tenants of an integration that `share` of its places are offered to, in the order of their
/// turns.
async fn claim_due(
    tx: &mut Tx,
    turn: &Turn,
    share: usize,
    now: Timestamp,
) -> Result<Vec<TenantId>> {
    let wanted = turn.newcomers_of(share);
    let mut newcomers = claim_lane(tx, turn, (Lane::Newcomers, wanted), now).await?;
    let left = share - newcomers.len();
    let others = claim_lane(tx, turn, (Lane::Others, left), now).await?;
    // Who is taken by another node was counted, and is passed over: the place is the other lane's.
    if newcomers.len() == wanted && others.len() < left {
        let all = share - others.len();
        newcomers = claim_lane(tx, turn, (Lane::Newcomers, all), now).await?;
    }
    Ok(turn.in_turn(newcomers, others))
}

async fn claim_lane(
    tx: &mut Tx,
    turn: &Turn,
    (lane, most): (Lane, usize),
    now: Timestamp,
) -> Result<Vec<TenantId>> {
    if most == 0 {
        return Ok(Vec::new());
    }
    tenant_states::claim_due(tx, turn.integration_id, lane, now, as_count(most))
        .await
        .map_err(store_error)
}

/// What is left of the shares of integrations that have a limit when nobody else can start a run of
/// theirs. One after another in the order of their ids, as every node does it, so that none waits in
/// a circle.
async fn within_limits(
    tx: &mut Tx,
    turns: &[Turn],
    shares: &[(IntegrationId, usize)],
) -> Result<BTreeMap<IntegrationId, usize>> {
    let mut limited = BTreeMap::new();
    for (integration, share) in shares {
        let turn = turns.iter().find(|it| it.integration_id == *integration);
        if let Some(limit) = turn.and_then(|turn| turn.concurrency_limit) {
            limited.insert(*integration, (limit, *share));
        }
    }
    let mut left = BTreeMap::new();
    for (integration, (limit, share)) in limited {
        let live = turns::lock_live(tx, integration)
            .await
            .map_err(store_error)?;
        left.insert(integration, share.min(limit.saturating_sub(live)));
    }
    Ok(left)
}

fn as_count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Makes the next run of one tenant, or notes when to look again.
async fn dispatch(
    tx: &mut Tx,
    known: &mut Known,
    id: TenantId,
    claimer: &Claimer,
    now: Timestamp,
    most: usize,
) -> Result<Option<RunJob>> {
    let tenant = tenants::get(tx, id).await.map_err(store_error)?;
    let integration = known.integration(tx, tenant.integration_id).await?;
    if integration.paused {
        return hold(tx, id, DecisionKind::HeldPaused, None, now).await;
    }
    bundle_next(tx, known, (tenant, integration), claimer, now, most).await
}

/// Makes the next run of a tenant whose row the transaction holds already, and whose integration
/// and release it has just read; none when one is live or has to wait.
pub(crate) async fn run_take_now(
    tx: &mut Tx,
    (tenant, integration, release): (Tenant, Integration, Release),
    claimer: &Claimer,
    now: Timestamp,
    most: usize,
) -> Result<Option<RunJob>> {
    let state = tenant_states::get(tx, tenant.id)
        .await
        .map_err(store_error)?;
    if state.current_run_id.is_some() {
        return Ok(None);
    }
    let read = Pauses {
        tenant: tenant.paused,
        integration: integration.paused,
    };
    // Somebody pauses it, or has done so since: dispatch sees to what waits.
    if !turns::try_still(tx, integration.id)
        .await
        .map_err(store_error)?
        || !tenants::is_paused_as(tx, tenant.id, read)
            .await
            .map_err(store_error)?
    {
        return Ok(None);
    }
    let mut known = Known::of(&integration, &tenant, release);
    let integration = Arc::new(integration);
    bundle_next(tx, &mut known, (tenant, integration), claimer, now, most).await
}

async fn bundle_next(
    tx: &mut Tx,
    known: &mut Known,
    (tenant, integration): (Tenant, Arc<Integration>),
    claimer: &Claimer,
    now: Timestamp,
    most: usize,
) -> Result<Option<RunJob>> {
    let id = tenant.id;
    let waiting = triggers::list_waiting(tx, id).await.map_err(store_error)?;
    let debounce = Duration::from_millis(u64::try_from(integration.debounce_ms).unwrap_or(0));
    let taken = match bundle(&waiting, now, debounce, tenant.paused, most) {
        Decision::Nothing if !waiting.is_empty() => {
            return hold(tx, id, DecisionKind::HeldTenantPaused, None, now).await;
        }
        Decision::Nothing => return postpone(tx, id, None).await,
        Decision::Wait { until } => return postpone(tx, id, Some(until)).await,
        Decision::Run(taken) => taken,
    };
    let rerun = match taken.triggers.first() {
        Some(trigger) if taken.is_rerun => reruns::find(tx, *trigger).await.map_err(store_error)?,
        _ => None,
    };
    let release = match rerun.as_ref().and_then(|rerun| rerun.release_id) {
        Some(id) => Some(known.release(tx, id).await?),
        None => known.resolved(tx, &integration, &tenant).await?,
    };
    let Some(release) = release else {
        let again = Some(now.plus(NO_RELEASE));
        return hold(tx, id, DecisionKind::HeldNoRelease, again, now).await;
    };
    let state = tenant_states::get(tx, id).await.map_err(store_error)?;
    let rerun = rerun.as_ref();
    let by_hand = rerun.is_some_and(|rerun| rerun.configs.is_some());
    let version = rerun.and_then(|rerun| rerun.configs_version);
    let wanted = NewRun {
        tenant_id: id,
        integration_id: integration.id,
        release_id: release.id,
        mode: taken.mode,
        rerun_of: rerun.map(|rerun| rerun.run_id),
        is_saved: rerun.is_none_or(|rerun| rerun.is_saved),
        configs_version: (!by_hand).then(|| version.unwrap_or(tenant.configs_version)),
        given: rerun
            .and_then(|rerun| rerun.given)
            .unwrap_or_else(|| state.given()),
        stop: taken.stop,
    };
    let made = runs::insert(tx, &wanted, Some(claimer), now)
        .await
        .map_err(store_error)?;
    // The index says that a run is live already: its end looks again.
    let Some(run) = made else {
        return postpone(tx, id, None).await;
    };
    triggers::update_taken(tx, run.id, &taken.triggers)
        .await
        .map_err(store_error)?;
    let left = waiting.len() - taken.triggers.len();
    let due = (left > 0).then_some(now);
    let count = i64::try_from(taken.triggers.len()).unwrap_or(i64::MAX);
    tenant_states::update_dispatched(tx, id, count, due, run.id)
        .await
        .map_err(store_error)?;
    let of = known.of_run(tx, integration, release).await?;
    job(tx, run, tenant, of).await.map(Some)
}

/// What waits is held until something changes, or `again`, which is worth a note.
async fn hold(
    tx: &mut Tx,
    id: TenantId,
    why: DecisionKind,
    again: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<RunJob>> {
    decisions::insert(tx, &[noted(id, why, now)])
        .await
        .map_err(store_error)?;
    postpone(tx, id, again).await
}

async fn postpone(tx: &mut Tx, id: TenantId, due: Option<Timestamp>) -> Result<Option<RunJob>> {
    tenant_states::update_due(tx, id, due)
        .await
        .map_err(store_error)?;
    Ok(None)
}

async fn job_of(tx: &mut Tx, known: &mut Known, run: Run) -> Result<RunJob> {
    let tenant = tenants::get(tx, run.tenant_id).await.map_err(store_error)?;
    let integration = known.integration(tx, run.integration_id).await?;
    let release = known.release(tx, run.release_id).await?;
    let of = known.of_run(tx, integration, release).await?;
    job(tx, run, tenant, of).await
}
