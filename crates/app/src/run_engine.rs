//! What the engine does to runs once they are made: keeping them, ending them, closing what is lost.
//!
//! Each public function is one transaction. A run is touched only under its claim (node and attempt), so
//! a node that comes back late changes nothing.

use std::time::Duration;

use marquetry_model::{Outcome, Phase, Result, RunId, TenantId, Timestamp};
use marquetry_store::logs::{Chunk, LogOf};
use marquetry_store::runs::{Claimer, RunClaim};
use marquetry_store::tenant_states::Ended;
use marquetry_store::{Tx, logs, runs, tenant_states, tenants};

use crate::ctx::Ctx;
use crate::dispatch::take;
use crate::errors::store_error;
use crate::hints::Topic;
use crate::jobs::RunJob;
use crate::learned::{self, Learned, Merged};
use crate::logs::LogEnd;
use crate::lost;

/// How many lost runs one look closes.
const BATCH: i64 = 128;
/// How long after the end of a lease a run is closed: the clocks of nodes differ a little, and the
/// process behind the lease must be gone by then, or a tenant would have two.
const REAP_MARGIN: Duration = Duration::from_secs(5);

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
    let (number, bytes) = chunk;
    let chunk = (LogOf::Run(claim.id), Chunk { number, bytes });
    logs::append(&mut tx, vec![chunk])
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
    /// Why the platform ended it, where its node could not go on: `retry: platform` is about these.
    pub cut_off: Option<&'a str>,
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
    let (numbers, ends): (Vec<usize>, Vec<_>) = numbered.into_iter().unzip();
    for (number, waits) in numbers.into_iter().zip(finish(&mut tx, ends, now).await?) {
        kept[number] = waits.is_some();
        more |= waits == Some(true);
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

/// Ends runs; answers of each whether triggers of its tenant wait, or none where the claim is lost.
async fn finish(tx: &mut Tx, ends: Vec<RunEnd<'_>>, now: Timestamp) -> Result<Vec<Option<bool>>> {
    let mut judged = Vec::with_capacity(ends.len());
    for end in ends {
        judged.push(judge(tx, end).await?);
    }
    let rows: Vec<_> = judged.iter().map(|it| (it.claim, &it.outcome)).collect();
    let kept = runs::finish(tx, &rows, now).await.map_err(store_error)?;
    let mut chunks = Vec::with_capacity(judged.len());
    let mut ended = Vec::with_capacity(judged.len());
    let mut cut_off = Vec::new();
    for (it, kept) in judged.into_iter().zip(&kept) {
        if !kept {
            continue;
        }
        if let Some(merged) = it.merged {
            learned::keep(tx, it.tenant, &merged, now).await?;
        }
        if !it.log.text.is_empty() {
            let (number, bytes) = (it.log.number, it.log.text);
            chunks.push((LogOf::Run(it.claim.id), Chunk { number, bytes }));
        }
        cut_off.extend(it.cut_off.map(|why| (it.claim.id, why)));
        ended.push(Ended {
            tenant_id: it.tenant,
            run_id: it.claim.id,
            succeeded: it.outcome.phase == Phase::Succeeded,
        });
    }
    logs::append(tx, chunks).await.map_err(store_error)?;
    let waits = tenant_states::update_ended(tx, &ended, now).await;
    let mut waits = waits.map_err(store_error)?.into_iter();
    for (id, why) in cut_off {
        let run = runs::get(tx, id).await.map_err(store_error)?;
        lost::follow_up(tx, &run, why, now).await?;
    }
    let waits = kept
        .iter()
        .map(|kept| if *kept { waits.next() } else { None });
    Ok(waits.collect())
}

/// An end of which all is known that is to be stored.
struct Judged<'a> {
    tenant: TenantId,
    claim: &'a RunClaim,
    outcome: Outcome,
    merged: Option<Merged>,
    cut_off: Option<&'a str>,
    log: LogEnd,
}

/// Merges what the run learned into what is known. The tenant is locked before its run, as
/// everywhere, so that nobody waits in a circle.
async fn judge<'a>(tx: &mut Tx, end: RunEnd<'a>) -> Result<Judged<'a>> {
    let RunEnd {
        tenant,
        claim,
        outcome,
        learned,
        cut_off,
        mut log,
    } = end;
    let phase = outcome.phase;
    let mut outcome = outcome.clone();
    // What a rerun that is not saved finds out stays in its own row.
    let unsaved =
        !learned.is_empty() && !runs::get(tx, claim.id).await.map_err(store_error)?.is_saved;
    let nothing = Learned::default();
    let learned = if unsaved { &nothing } else { learned };
    let merged = learned::merge(tx, tenant, learned, &mut outcome).await?;
    if outcome.phase != phase
        && let Some(message) = &outcome.message
    {
        let added = log.say(&format!("{}: {message}", outcome.phase));
        outcome.usage.log_bytes += i64::try_from(added).unwrap_or(0);
    }
    Ok(Judged {
        tenant,
        claim,
        outcome,
        merged,
        cut_off,
        log,
    })
}

/// Whose runs are looked for.
#[derive(Debug, Clone, Copy)]
pub enum Lost<'a> {
    /// Those of this node, which has just started: nobody executes them any more, but for these, which it has
    /// taken back.
    Of(&'a str, &'a [RunId]),
    /// Those whose lease has ended, but for these, which this very node executes: whatever a clock says, it
    /// knows better.
    Overdue(&'a [RunId]),
}

/// Closes runs whose node is lost; answers how many.
pub async fn runs_reap(ctx: &Ctx, which: Lost<'_>) -> Result<usize> {
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let (node, alive) = match which {
        Lost::Of(node, alive) => (Some(node), alive),
        Lost::Overdue(alive) => (None, alive),
    };
    let mut lost = runs::claim_lost(&mut tx, node, alive, now.minus(REAP_MARGIN), BATCH)
        .await
        .map_err(store_error)?;
    // Their states are locked in the order of the tenants, as by everybody.
    lost.sort_unstable_by_key(|run| run.tenant_id);
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
        let closed = runs::finish(&mut tx, &[(&claim, &outcome)], now).await;
        if closed.map_err(store_error)? == [true] {
            let ended = Ended {
                tenant_id: run.tenant_id,
                run_id: run.id,
                succeeded: false,
            };
            // Locks the tenant's state: nobody archives it from here on.
            tenant_states::update_ended(&mut tx, &[ended], now)
                .await
                .map_err(store_error)?;
            let why = "the node that ran this was lost";
            lost::follow_up(&mut tx, run, why, now).await?;
        }
    }
    tx.commit().await.map_err(store_error)?;
    for run in &lost {
        ctx.app.hints.give(Topic::Tenant(run.tenant_id));
    }
    ctx.app.hints.give(Topic::Dispatch);
    Ok(lost.len())
}
