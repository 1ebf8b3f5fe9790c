//! Dispatch: making runs of what waits, for nodes that have places for them.

mod making;

use std::collections::BTreeMap;
use std::time::Duration;

use marquetry_model::{
    Integration, IntegrationId, Lane, Release, Result, Tenant, TenantId, Timestamp, Turn, share,
};
use marquetry_store::runs::Claimer;
use marquetry_store::tenants::Pauses;
use marquetry_store::{Tx, runs, tenant_states, tenants, turns};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::jobs::{Claimed, RunJob, jobs};
use crate::known::Known;

/// How many tenants one look at the queue serves.
const BATCH: usize = 128;

/// When dispatch looks again at an integration that somebody was pausing, or at a tenant that somebody had.
const OTHERS: Duration = Duration::from_millis(50);

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
    /// After which time to look again at what others were changing.
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
    let limit = slots.min(BATCH);
    let pending = runs::claim(tx, claimer, now, as_count(limit))
        .await
        .map_err(store_error)?;
    let mut claimed = making::claimed(tx, &mut known, pending).await?;
    let places = limit - claimed.len();
    let mut offered = Offered::default();
    if places > 0 {
        offered = offer(tx, places, now).await?;
    }
    let changed = !claimed.is_empty() || !offered.tenants.is_empty();
    let terms = making::Terms { claimer, now, most };
    let made = making::make(tx, &mut known, &offered.tenants, &terms).await?;
    let full = offered.hides(&made) || (offered.tenants.len() == places && places > 0);
    claimed.extend(made);
    Ok(Look {
        jobs: jobs(tx, &mut known, claimed).await?,
        full,
        changed,
        held: offered.held,
        again: offered.again,
    })
}

/// Whom a look offers places to.
#[derive(Default)]
struct Offered {
    /// In the order of their turns.
    tenants: Vec<TenantId>,
    /// Integrations that have as many tenants as they were offered places.
    spent: Vec<(IntegrationId, usize)>,
    /// An integration has as many live runs as it may.
    held: bool,
    /// After which time to look again at what others were changing.
    again: Option<Duration>,
}

impl Offered {
    /// Whether somebody who could not run after all has used up a part of what others of the same
    /// integration may have.
    fn hides(&self, made: &[Claimed]) -> bool {
        self.spent.iter().any(|(integration, share)| {
            let of = made.iter().filter(|it| it.integration.id == *integration);
            of.count() < *share
        })
    }
}

async fn offer(tx: &mut Tx, places: usize, now: Timestamp) -> Result<Offered> {
    let turns = turns::list(tx, now, as_count(places))
        .await
        .map_err(store_error)?;
    let mut offered = Offered {
        held: turns.iter().any(Turn::is_at_limit),
        ..Offered::default()
    };
    let shares = share(&turns, places);
    let limited = within_limits(tx, &turns, &shares).await?;
    for (integration, share) in shares {
        let still = turns::try_still(tx, integration).await;
        if !still.map_err(store_error)? {
            offered.again = Some(OTHERS);
            continue;
        }
        let share = limited.get(&integration).copied().unwrap_or(share);
        let turn = turns.iter().find(|it| it.integration_id == integration);
        let Some(turn) = turn else { continue };
        let due = claim_due(tx, turn, share, now).await?;
        if due.len() == share {
            offered.spent.push((integration, share));
        } else {
            // Counted as due, and passed over. Whoever had it gives no hint when it was not for a run.
            offered.again = Some(OTHERS);
        }
        offered.tenants.extend(due);
    }
    Ok(offered)
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
    let mut known = Known::of(integration, &tenant, release);
    let terms = making::Terms { claimer, now, most };
    let made = making::make_of(tx, &mut known, vec![(tenant, state)], &terms).await?;
    Ok(jobs(tx, &mut known, made).await?.pop())
}
