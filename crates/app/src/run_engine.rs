//! What the engine does to runs: making them, taking them, ending them.
//!
//! Each function is one transaction. A run is touched only under its claim (node and attempt), so
//! a node that comes back late changes nothing.

use std::collections::HashMap;
use std::time::Duration;

use marquetry_model::{
    Decision, Given, Integration, IntegrationId, Outcome, Phase, Release, ReleaseId, Result, Run,
    RunId, Tenant, TenantId, Timestamp, Trigger, bundle,
};
use marquetry_store::logs::LogOf;
use marquetry_store::runs::{Claimer, NewRun, RunClaim};
use marquetry_store::{
    Tx, integrations, logs, outputs, releases, reruns, runs, tenant_states, tenants, triggers,
};
use serde_json::{Map, Value};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::hints::Topic;
use crate::learned::{self, Learned};
use crate::logs::{LogEnd, MARK};
use crate::lost;
use crate::releases::resolve;
use crate::reruns::configs_of_rerun;
use crate::settings::metadata_of;

/// How many tenants one look at the queue serves.
const BATCH: i64 = 128;
/// How long after the end of a lease a run is closed: the clocks of nodes differ a little, and the
/// process behind the lease must be gone by then, or a tenant would have two.
const REAP_MARGIN: Duration = Duration::from_secs(5);
/// When dispatch looks again at a tenant whose release is gone.
const NO_RELEASE: Duration = Duration::from_secs(60);

/// Everything that a node needs to execute a run it has taken.
#[derive(Debug, Clone)]
pub struct RunJob {
    /// The run.
    pub run: Run,
    /// For whom.
    pub tenant: Tenant,
    /// Of what.
    pub integration: Integration,
    /// Which code.
    pub release: Release,
    /// What it took, in order of arrival.
    pub triggers: Vec<Trigger>,
    /// The run that ended last.
    pub last: Option<Run>,
    /// The run that succeeded last.
    pub last_successful: Option<Run>,
    /// What stands in place of the last successful run's output, where something does; none within
    /// it: no output at all.
    pub output: Option<Option<String>>,
    /// What is known about the tenant.
    pub metadata: Map<String, Value>,
}

/// What one look at the queue did.
#[derive(Debug, Default)]
pub struct Taken {
    /// Runs that this node shall execute now.
    pub jobs: Vec<RunJob>,
    /// When to look again without a hint; none: only at a hint.
    pub next: Option<Timestamp>,
    /// Whether there may be more at once.
    pub more: bool,
}

/// Makes runs of what waits, and takes up to `slots` runs for this node, those that have waited
/// longest first. With no claimer the runs are made for other nodes to take.
///
/// A node that executes makes no more runs than it has places for: what waits longer is bundled
/// further meanwhile, and each run is written once.
pub async fn runs_take(ctx: &Ctx, claimer: Option<&Claimer>, slots: usize) -> Result<Taken> {
    let now = ctx.now();
    if claimer.is_some() && slots == 0 {
        return Ok(Taken::default());
    }
    let most = ctx.app.settings.limits.most_in_bundle;
    let mut tx = ctx.write().await?;
    let Look {
        jobs,
        full,
        changed,
    } = take(&mut tx, claimer, slots, now, most).await?;
    let free = claimer.is_none() || jobs.len() < slots;
    let next = if free {
        tenant_states::find_next_due(&mut tx)
            .await
            .map_err(store_error)?
    } else {
        None
    };
    if changed {
        tx.commit().await.map_err(store_error)?;
    }
    Ok(Taken {
        jobs,
        next,
        more: full && free,
    })
}

/// What was found in the queue.
struct Look {
    jobs: Vec<RunJob>,
    /// There may be more.
    full: bool,
    /// Something was written.
    changed: bool,
}

async fn take(
    tx: &mut Tx,
    claimer: Option<&Claimer>,
    slots: usize,
    now: Timestamp,
    most: usize,
) -> Result<Look> {
    let mut known = Known::default();
    let mut jobs = Vec::new();
    let mut limit = BATCH;
    if let Some(claimer) = claimer {
        limit = BATCH.min(i64::try_from(slots).unwrap_or(BATCH));
        let pending = runs::claim(tx, claimer, now, limit)
            .await
            .map_err(store_error)?;
        for run in pending {
            jobs.push(job_of(tx, &mut known, run).await?);
        }
        limit -= i64::try_from(jobs.len()).unwrap_or(limit);
    }
    let due = if limit > 0 {
        tenant_states::claim_due(tx, now, limit)
            .await
            .map_err(store_error)?
    } else {
        Vec::new()
    };
    let full = i64::try_from(due.len()).is_ok_and(|n| n == limit && n > 0);
    let changed = !jobs.is_empty() || !due.is_empty();
    for tenant in due {
        let made = dispatch(tx, &mut known, tenant, claimer, now, most).await?;
        jobs.extend(made.filter(|job| job.run.phase == Phase::Running));
    }
    Ok(Look {
        jobs,
        full,
        changed,
    })
}

/// What one look has read already: a burst is mostly of few integrations.
#[derive(Default)]
struct Known {
    integrations: HashMap<IntegrationId, Integration>,
    releases: HashMap<ReleaseId, Release>,
}

impl Known {
    async fn integration(&mut self, tx: &mut Tx, id: IntegrationId) -> Result<Integration> {
        if let Some(found) = self.integrations.get(&id) {
            return Ok(found.clone());
        }
        let found = integrations::get(tx, id).await.map_err(store_error)?;
        self.integrations.insert(id, found.clone());
        Ok(found)
    }

    async fn release(&mut self, tx: &mut Tx, id: ReleaseId) -> Result<Release> {
        if let Some(found) = self.releases.get(&id) {
            return Ok(found.clone());
        }
        let found = releases::get(tx, id).await.map_err(store_error)?;
        self.releases.insert(id, found.clone());
        Ok(found)
    }
}

/// Makes the next run of one tenant, or notes when to look again.
async fn dispatch(
    tx: &mut Tx,
    known: &mut Known,
    id: TenantId,
    claimer: Option<&Claimer>,
    now: Timestamp,
    most: usize,
) -> Result<Option<RunJob>> {
    let tenant = tenants::get(tx, id).await.map_err(store_error)?;
    let integration = known.integration(tx, tenant.integration_id).await?;
    if integration.paused {
        return postpone(tx, id, None).await;
    }
    bundle_next(tx, tenant, integration, None, claimer, now, most).await
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
    bundle_next(
        tx,
        tenant,
        integration,
        Some(release),
        Some(claimer),
        now,
        most,
    )
    .await
}

/// `release` is what the tenant's channel means now, where that is known already.
async fn bundle_next(
    tx: &mut Tx,
    tenant: Tenant,
    integration: Integration,
    release: Option<Release>,
    claimer: Option<&Claimer>,
    now: Timestamp,
    most: usize,
) -> Result<Option<RunJob>> {
    let id = tenant.id;
    let waiting = triggers::list_waiting(tx, id).await.map_err(store_error)?;
    let debounce = Duration::from_millis(u64::try_from(integration.debounce_ms).unwrap_or(0));
    let taken = match bundle(&waiting, now, debounce, tenant.paused, most) {
        Decision::Nothing => return postpone(tx, id, None).await,
        Decision::Wait { until } => return postpone(tx, id, Some(until)).await,
        Decision::Run(taken) => taken,
    };
    let rerun = match taken.triggers.first() {
        Some(trigger) if taken.is_rerun => reruns::find(tx, *trigger).await.map_err(store_error)?,
        _ => None,
    };
    let release = match (rerun.as_ref().and_then(|rerun| rerun.release_id), release) {
        (Some(id), _) => Some(releases::get(tx, id).await.map_err(store_error)?),
        (None, Some(release)) => Some(release),
        (None, None) => resolve(tx, &integration, &tenant).await?,
    };
    let Some(release) = release else {
        return postpone(tx, id, Some(now.plus(NO_RELEASE))).await;
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
    };
    let made = runs::insert(tx, &wanted, claimer, now)
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
    job(tx, run, tenant, integration, release).await.map(Some)
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
    job(tx, run, tenant, integration, release).await
}

async fn job(
    tx: &mut Tx,
    mut run: Run,
    mut tenant: Tenant,
    integration: Integration,
    release: Release,
) -> Result<RunJob> {
    let mut triggers = triggers::list_of_run(tx, run.id)
        .await
        .map_err(store_error)?;
    let rerun = match triggers.first() {
        Some(trigger) if run.rerun_of.is_some() => {
            reruns::find(tx, trigger.id).await.map_err(store_error)?
        }
        _ => None,
    };
    if let Some(rerun) = &rerun {
        triggers = triggers::list_of_run(tx, rerun.triggers_run_id)
            .await
            .map_err(store_error)?;
        configs_of_rerun(tx, &release, rerun, &mut tenant).await?;
    }
    // Settings that changed while the run waited for a node are what it gets.
    let names_version =
        rerun.is_some_and(|it| it.configs.is_some() || it.configs_version.is_some());
    if !names_version && run.configs_version != Some(tenant.configs_version) {
        run.configs_version = Some(tenant.configs_version);
        runs::update_configs_version(tx, run.id, tenant.configs_version)
            .await
            .map_err(store_error)?;
    }
    let (last, last_successful) = runs_of(tx, &run.given).await?;
    let output = output_of(tx, &run.given).await?;
    let metadata = metadata_of(tx, run.tenant_id).await?;
    Ok(RunJob {
        run,
        tenant,
        integration,
        release,
        triggers,
        last,
        last_successful,
        output,
        metadata,
    })
}

/// The runs that ended last, and that succeeded last, by the state that a run is given.
pub(crate) async fn runs_of(tx: &mut Tx, given: &Given) -> Result<(Option<Run>, Option<Run>)> {
    let last = match given.last_run_id {
        Some(id) => runs::find(tx, id).await.map_err(store_error)?,
        None => None,
    };
    let last_successful = match given.last_successful_run_id {
        Some(id) if Some(id) == given.last_run_id => last.clone(),
        Some(id) => runs::find(tx, id).await.map_err(store_error)?,
        None => None,
    };
    Ok((last, last_successful))
}

/// What stands in place of the last successful run's output, where something does.
pub(crate) async fn output_of(tx: &mut Tx, given: &Given) -> Result<Option<Option<String>>> {
    match given.output_id {
        Some(id) => outputs::get(tx, id).await.map(Some).map_err(store_error),
        None => Ok(None),
    }
}

/// Moves one run's lease and adds to its log; false when the claim is lost.
pub async fn run_log(
    ctx: &Ctx,
    tenant: TenantId,
    claim: &RunClaim,
    lease_until: Timestamp,
    chunk: (i64, Vec<u8>),
) -> Result<bool> {
    let mut tx = ctx.write().await?;
    if runs::renew(&mut tx, claim, lease_until)
        .await
        .map_err(store_error)?
        .is_none()
    {
        return Ok(false);
    }
    logs::append(&mut tx, LogOf::Run(claim.id), chunk.0, chunk.1)
        .await
        .map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    ctx.app.hints.give(Topic::Tenant(tenant));
    Ok(true)
}

/// A run that a node still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The run.
    pub id: RunId,
    /// The fence.
    pub attempt: i64,
    /// Whether somebody asked to stop it.
    pub cancel_requested: bool,
}

/// Moves the leases of the runs that a node watches over and answers which it still holds.
pub async fn runs_renew(
    ctx: &Ctx,
    node: &str,
    watched: &[RunId],
    lease_until: Timestamp,
) -> Result<Vec<Held>> {
    let mut tx = ctx.write().await?;
    let held = runs::renew_node(&mut tx, node, watched, lease_until)
        .await
        .map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    let held = held.into_iter();
    Ok(held
        .map(|(id, attempt, cancel_requested)| Held {
            id,
            attempt,
            cancel_requested,
        })
        .collect())
}

/// A run as it ended.
#[derive(Debug, Clone)]
pub struct RunEnd<'a> {
    /// For whom it ran.
    pub tenant: TenantId,
    /// Who had it.
    pub claim: &'a RunClaim,
    /// How it ended.
    pub outcome: &'a Outcome,
    /// What it says about its tenant.
    pub learned: &'a Learned,
    /// What its log has that is not stored.
    pub log: LogEnd,
}

/// What ending a run brought.
#[derive(Debug)]
pub enum Finished {
    /// The end is stored, and here is the run that the same place shall execute next, if one was
    /// asked for and waits.
    Kept(Option<Box<RunJob>>),
    /// The claim is lost; nothing was changed.
    Lost,
}

/// Ends a run: its outcome, the end of its log, what it learned and the tenant's state in one
/// transaction. With a claimer, the same transaction takes the next run for it: its place has become free.
pub async fn run_finish(ctx: &Ctx, end: RunEnd<'_>, claimer: Option<&Claimer>) -> Result<Finished> {
    let now = ctx.now();
    let RunEnd {
        tenant,
        claim,
        outcome,
        learned,
        mut log,
    } = end;
    let mut outcome = outcome.clone();
    let mut tx = ctx.write().await?;
    // What a rerun that is not saved finds out stays in its own row.
    let unsaved = !learned.is_empty()
        && !runs::get(&mut tx, claim.id)
            .await
            .map_err(store_error)?
            .is_saved;
    let nothing = Learned::default();
    let learned = if unsaved { &nothing } else { learned };
    // The tenant is locked first, as everywhere, so that nobody waits in a circle.
    let merged = learned::merge(&mut tx, tenant, learned, &mut outcome).await?;
    if outcome.phase != end.outcome.phase
        && let Some(message) = &outcome.message
    {
        let added = log.say(&format!("{}: {message}", outcome.phase));
        outcome.usage.log_bytes += i64::try_from(added).unwrap_or(0);
    }
    if !runs::finish(&mut tx, claim, &outcome, now)
        .await
        .map_err(store_error)?
    {
        return Ok(Finished::Lost);
    }
    if let Some(merged) = merged {
        learned::keep(&mut tx, tenant, &merged, now).await?;
    }
    if !log.text.is_empty() {
        logs::append(&mut tx, LogOf::Run(claim.id), log.number, log.text)
            .await
            .map_err(store_error)?;
    }
    let succeeded = outcome.phase == Phase::Succeeded;
    let more = tenant_states::update_ended(&mut tx, tenant, claim.id, succeeded, now)
        .await
        .map_err(store_error)?;
    let mut next = None;
    if claimer.is_some() {
        let most = ctx.app.settings.limits.most_in_bundle;
        // Boxed, or every ending run carries its room.
        let taken = Box::pin(take(&mut tx, claimer, 1, now, most));
        next = taken.await?.jobs.pop();
    }
    tx.commit().await.map_err(store_error)?;
    ctx.app.hints.give(Topic::Tenant(tenant));
    if more {
        ctx.app.hints.give(Topic::Dispatch);
    }
    Ok(Finished::Kept(next.map(Box::new)))
}

/// Closes runs whose node is lost; of `node` itself too when it has just started. Answers how
/// many.
pub async fn runs_reap(ctx: &Ctx, node: Option<&str>) -> Result<usize> {
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let lost = runs::claim_lost(&mut tx, node, now.minus(REAP_MARGIN), BATCH)
        .await
        .map_err(store_error)?;
    if lost.is_empty() {
        return Ok(0);
    }
    for run in &lost {
        let name = run.node.clone().unwrap_or_default();
        let outcome = Outcome::platform(format!("node {name} was lost while it ran this"));
        let claim = RunClaim {
            id: run.id,
            attempt: run.attempt,
            node: name,
        };
        if runs::finish(&mut tx, &claim, &outcome, now)
            .await
            .map_err(store_error)?
        {
            // Locks the tenant's state: nobody archives it from here on.
            tenant_states::update_ended(&mut tx, run.tenant_id, run.id, false, now)
                .await
                .map_err(store_error)?;
            let again = lost::repeats(&mut tx, run).await?;
            let then = if again {
                "it is run again, once"
            } else {
                "the run is closed"
            };
            let line = format!("{MARK}the node that ran this was lost; {then}\n");
            let number = logs::find_last(&mut tx, LogOf::Run(run.id))
                .await
                .map_err(store_error)?
                + 1;
            logs::append(&mut tx, LogOf::Run(run.id), number, line.into_bytes())
                .await
                .map_err(store_error)?;
            if again {
                lost::repeat(&mut tx, run, now).await?;
            }
        }
    }
    tx.commit().await.map_err(store_error)?;
    for run in &lost {
        ctx.app.hints.give(Topic::Tenant(run.tenant_id));
    }
    ctx.app.hints.give(Topic::Dispatch);
    Ok(lost.len())
}
