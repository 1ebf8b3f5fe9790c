//! What the engine does to runs once they are made: keeping them, ending them, closing what is lost.
//!
//! Each public function is one transaction. A run is touched only under its claim (node and attempt), so
//! a node that comes back late changes nothing.

use std::sync::Arc;
use std::time::Duration;

use marquetry_model::{
    Given, Integration, Outcome, Phase, Release, Result, Run, RunId, Tenant, TenantId, Timestamp,
    Trigger,
};
use marquetry_store::logs::LogOf;
use marquetry_store::runs::{Claimer, RunClaim};
use marquetry_store::{Tx, logs, outputs, reruns, runs, tenant_states, tenants, triggers};
use serde_json::{Map, Value};

use crate::ctx::Ctx;
use crate::dispatch::take;
use crate::errors::store_error;
use crate::hints::Topic;
use crate::integration_secrets::Sealed;
use crate::learned::{self, Learned};
use crate::logs::{LogEnd, MARK};
use crate::lost;
use crate::reruns::configs_of_rerun;
use crate::settings::metadata_of;
use crate::tenant_secrets;

/// How many lost runs one look closes.
const BATCH: i64 = 128;
/// How long after the end of a lease a run is closed: the clocks of nodes differ a little, and the
/// process behind the lease must be gone by then, or a tenant would have two.
const REAP_MARGIN: Duration = Duration::from_secs(5);

/// Everything that a node needs to execute a run it has taken.
#[derive(Debug, Clone)]
pub struct RunJob {
    /// The run.
    pub run: Run,
    /// For whom; with marks in place of its secrets, which
    /// [`run_configs`](crate::tenant_secrets::run_configs) puts there.
    pub tenant: Tenant,
    /// The values of its secrets, sealed.
    pub sealed: Option<String>,
    /// Of what.
    pub integration: Arc<Integration>,
    /// What its builds are given, sealed.
    pub build_secrets: Arc<Sealed>,
    /// Which code.
    pub release: Arc<Release>,
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

/// What a run is of, which others may have been read for already.
pub(crate) struct Of {
    pub(crate) integration: Arc<Integration>,
    pub(crate) build_secrets: Arc<Sealed>,
    pub(crate) release: Arc<Release>,
}

/// All that a node needs for a run that it has taken.
pub(crate) async fn job(tx: &mut Tx, mut run: Run, mut tenant: Tenant, of: Of) -> Result<RunJob> {
    let Of {
        integration,
        build_secrets,
        release,
    } = of;
    let mut triggers = triggers::list_of_run(tx, run.id)
        .await
        .map_err(store_error)?;
    let sealed = tenant_secrets::sealed(tx, &tenant).await?;
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
        sealed,
        integration,
        build_secrets,
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

/// What ending runs brought.
#[derive(Debug)]
pub struct Finished {
    /// Of each run, in their order, whether its end is stored. Where the claim is lost, nothing was
    /// changed.
    pub kept: Vec<bool>,
    /// What the places that have become free shall execute next, as far as something waits.
    pub jobs: Vec<RunJob>,
}

/// Ends runs: the outcome of each, the end of its log, what it learned and its tenant's state, all
/// in one transaction. With a claimer, the same transaction takes what waits for as many places.
///
/// # Errors
///
/// Nothing of any of them is stored then.
pub async fn runs_finish(
    ctx: &Ctx,
    ends: Vec<RunEnd<'_>>,
    next: Option<(&Claimer, usize)>,
) -> Result<Finished> {
    let now = ctx.now();
    let of: Vec<TenantId> = ends.iter().map(|end| end.tenant).collect();
    let mut numbered: Vec<_> = ends.into_iter().enumerate().collect();
    // As everywhere, so that nobody waits in a circle.
    numbered.sort_unstable_by_key(|(_, end)| end.tenant);
    let mut kept = vec![false; numbered.len()];
    let mut more = false;
    let mut tx = ctx.write().await?;
    // Those whose row is to be changed too, before any of their states, as who archives them does.
    let learned = numbered.iter().filter(|(_, end)| !end.learned.is_empty());
    let learned: Vec<TenantId> = learned.map(|(_, end)| end.tenant).collect();
    if numbered.len() > 1 && !learned.is_empty() {
        let locked = tenants::lock_all(&mut tx, &learned).await;
        locked.map_err(store_error)?;
    }
    for (number, end) in numbered {
        if let Some(waits) = finish(&mut tx, end, now).await? {
            kept[number] = true;
            more |= waits;
        }
    }
    let mut jobs = Vec::new();
    if let Some((claimer, places)) = next {
        let most = ctx.app.settings.limits.most_in_bundle;
        // Boxed, or every ending run carries its room.
        let taken = Box::pin(take(&mut tx, claimer, places, now, most));
        jobs = taken.await?.jobs;
    }
    tx.commit().await.map_err(store_error)?;
    for (tenant, kept) in of.into_iter().zip(&kept) {
        if *kept {
            ctx.app.hints.give(Topic::Tenant(tenant));
        }
    }
    if more {
        ctx.app.hints.give(Topic::Dispatch);
    }
    Ok(Finished { kept, jobs })
}

/// Ends one run; answers whether triggers of its tenant wait, or none where the claim is lost.
async fn finish(tx: &mut Tx, end: RunEnd<'_>, now: Timestamp) -> Result<Option<bool>> {
    let RunEnd {
        tenant,
        claim,
        outcome,
        learned,
        mut log,
    } = end;
    let phase = outcome.phase;
    let mut outcome = outcome.clone();
    // What a rerun that is not saved finds out stays in its own row.
    let unsaved =
        !learned.is_empty() && !runs::get(tx, claim.id).await.map_err(store_error)?.is_saved;
    let nothing = Learned::default();
    let learned = if unsaved { &nothing } else { learned };
    // The tenant is locked first, as everywhere, so that nobody waits in a circle.
    let merged = learned::merge(tx, tenant, learned, &mut outcome).await?;
    if outcome.phase != phase
        && let Some(message) = &outcome.message
    {
        let added = log.say(&format!("{}: {message}", outcome.phase));
        outcome.usage.log_bytes += i64::try_from(added).unwrap_or(0);
    }
    if !runs::finish(tx, claim, &outcome, now)
        .await
        .map_err(store_error)?
    {
        return Ok(None);
    }
    if let Some(merged) = merged {
        learned::keep(tx, tenant, &merged, now).await?;
    }
    if !log.text.is_empty() {
        logs::append(tx, LogOf::Run(claim.id), log.number, log.text)
            .await
            .map_err(store_error)?;
    }
    let succeeded = outcome.phase == Phase::Succeeded;
    tenant_states::update_ended(tx, tenant, claim.id, succeeded, now)
        .await
        .map(Some)
        .map_err(store_error)
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
