//! Making the next runs of tenants: what is read and written for each is read and written for all
//! of them together.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use marquetry_model::{
    Bundle, Decision, DecisionKind, DecisionNote, Integration, Release, Result, Run, Tenant,
    TenantId, Timestamp, TriggerId, Waiting, bundle,
};
use marquetry_store::runs::{Claimer, NewRun};
use marquetry_store::tenant_states::{Dispatched, TenantState};
use marquetry_store::{Tx, decisions, reruns, runs, tenant_states, tenants, triggers};

use crate::errors::store_error;
use crate::explain::noted;
use crate::jobs::Claimed;
use crate::known::Known;

/// When dispatch looks again at a tenant whose integration has no release: what makes one gives no hint.
const NO_RELEASE: Duration = Duration::from_secs(60);
/// When it looks again at a tenant of which only a half is there.
const HALF: Duration = Duration::from_secs(60);
/// About how many waiting triggers are read together: a tenant may have ten thousand.
const READ_TOGETHER: i64 = 20_000;

/// For whom runs are made, when, and how long they may become.
pub(super) struct Terms<'a> {
    pub(super) claimer: &'a Claimer,
    pub(super) now: Timestamp,
    /// The most triggers of one run.
    pub(super) most: usize,
}

/// What shall become of a tenant's triggers.
enum Next {
    /// They wait until something changes, or for a time.
    Wait(Option<Timestamp>),
    /// The same, which is worth a note.
    Hold(DecisionKind, Option<Timestamp>),
    Run(Box<Wanted>),
}

/// A run to be made, and what it is of.
struct Wanted {
    tenant: Tenant,
    integration: Arc<Integration>,
    release: Arc<Release>,
    run: NewRun,
    triggers: Vec<TriggerId>,
    /// Whether others wait behind those that it takes.
    leaves: bool,
}

/// Runs that wait for a node, with what they are of.
pub(super) async fn claimed(
    tx: &mut Tx,
    known: &mut Known,
    runs: Vec<Run>,
) -> Result<Vec<Claimed>> {
    let mut claimed = Vec::with_capacity(runs.len());
    for run in runs {
        claimed.push(Claimed {
            tenant: tenants::get(tx, run.tenant_id).await.map_err(store_error)?,
            integration: known.integration(tx, run.integration_id).await?,
            release: known.release(tx, run.release_id).await?,
            run,
        });
    }
    Ok(claimed)
}

/// Makes the next runs of these tenants, in their order, or notes when to look again. They are
/// held by the transaction, and none has a live run.
pub(super) async fn make(
    tx: &mut Tx,
    known: &mut Known,
    ids: &[TenantId],
    terms: &Terms<'_>,
) -> Result<Vec<Claimed>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let states = tenant_states::list(tx, ids).await.map_err(store_error)?;
    let mut states: HashMap<_, _> = states.into_iter().map(|it| (it.tenant_id, it)).collect();
    let tenants = tenants::list(tx, ids).await.map_err(store_error)?;
    let mut tenants: HashMap<_, _> = tenants.into_iter().map(|it| (it.id, it)).collect();
    let mut made = Vec::with_capacity(ids.len());
    let (mut part, mut waiting) = (Vec::new(), 0);
    for id in ids {
        let (Some(tenant), Some(state)) = (tenants.remove(id), states.remove(id)) else {
            // Due at once it would be looked at for ever, and an error would stop all others.
            tracing::error!(tenant = %id, "this tenant is half there; it is looked at again in a minute");
            let again = (*id, Some(terms.now.plus(HALF)));
            tenant_states::update_due(tx, &[again])
                .await
                .map_err(store_error)?;
            continue;
        };
        waiting += state.waiting;
        part.push((tenant, state));
        if waiting >= READ_TOGETHER {
            waiting = 0;
            made.extend(make_of(tx, known, std::mem::take(&mut part), terms).await?);
        }
    }
    made.extend(make_of(tx, known, part, terms).await?);
    Ok(made)
}

/// The same, for tenants that were read already.
pub(super) async fn make_of(
    tx: &mut Tx,
    known: &mut Known,
    tenants: Vec<(Tenant, TenantState)>,
    terms: &Terms<'_>,
) -> Result<Vec<Claimed>> {
    if tenants.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<TenantId> = tenants.iter().map(|(tenant, _)| tenant.id).collect();
    let mut waiting: HashMap<TenantId, Vec<Waiting>> = HashMap::with_capacity(ids.len());
    for (id, one) in triggers::list_waiting(tx, &ids)
        .await
        .map_err(store_error)?
    {
        waiting.entry(id).or_default().push(one);
    }
    let mut later = Later::default();
    let mut wanted = Vec::with_capacity(tenants.len());
    for (tenant, state) in tenants {
        let id = tenant.id;
        let waiting = waiting.remove(&id).unwrap_or_default();
        match next(tx, known, (tenant, &state), &waiting, terms).await? {
            Next::Wait(until) => later.due.push((id, until)),
            Next::Hold(why, again) => {
                later.notes.push(noted(id, why, terms.now));
                later.due.push((id, again));
            }
            Next::Run(one) => wanted.push(*one),
        }
    }
    let made = insert(tx, wanted, &mut later, terms).await?;
    later.keep(tx).await?;
    Ok(made)
}

/// What is noted of tenants that get no run.
#[derive(Default)]
struct Later {
    due: Vec<(TenantId, Option<Timestamp>)>,
    notes: Vec<DecisionNote>,
}

impl Later {
    async fn keep(self, tx: &mut Tx) -> Result<()> {
        decisions::insert(tx, &self.notes)
            .await
            .map_err(store_error)?;
        tenant_states::update_due(tx, &self.due)
            .await
            .map_err(store_error)
    }
}

async fn next(
    tx: &mut Tx,
    known: &mut Known,
    (tenant, state): (Tenant, &TenantState),
    waiting: &[Waiting],
    terms: &Terms<'_>,
) -> Result<Next> {
    if tenant.archived_at.is_some() {
        return Ok(Next::Wait(None));
    }
    let integration = known.integration(tx, tenant.integration_id).await?;
    if integration.paused {
        return Ok(Next::Hold(DecisionKind::HeldPaused, None));
    }
    let debounce = Duration::from_millis(u64::try_from(integration.debounce_ms).unwrap_or(0));
    let taken = match bundle(waiting, terms.now, debounce, tenant.paused, terms.most) {
        Decision::Nothing if !waiting.is_empty() => {
            return Ok(Next::Hold(DecisionKind::HeldTenantPaused, None));
        }
        Decision::Nothing => return Ok(Next::Wait(None)),
        Decision::Wait { until } => return Ok(Next::Wait(Some(until))),
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
        let again = Some(terms.now.plus(NO_RELEASE));
        return Ok(Next::Hold(DecisionKind::HeldNoRelease, again));
    };
    let by_hand = rerun.as_ref().is_some_and(|rerun| rerun.configs.is_some());
    let version = rerun.as_ref().and_then(|rerun| rerun.configs_version);
    let Bundle {
        mode,
        triggers,
        stop,
        ..
    } = taken;
    let run = NewRun {
        tenant_id: tenant.id,
        integration_id: integration.id,
        release_id: release.id,
        mode,
        rerun_of: rerun.as_ref().map(|rerun| rerun.run_id),
        is_saved: rerun.as_ref().is_none_or(|rerun| rerun.is_saved),
        configs_version: (!by_hand).then(|| version.unwrap_or(tenant.configs_version)),
        given: rerun
            .and_then(|rerun| rerun.given)
            .unwrap_or_else(|| state.given()),
        stop,
    };
    Ok(Next::Run(Box::new(Wanted {
        leaves: waiting.len() > triggers.len(),
        tenant,
        integration,
        release,
        run,
        triggers,
    })))
}

/// Makes the runs, and gives them their triggers.
async fn insert(
    tx: &mut Tx,
    wanted: Vec<Wanted>,
    later: &mut Later,
    terms: &Terms<'_>,
) -> Result<Vec<Claimed>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<NewRun> = wanted.iter().map(|it| it.run.clone()).collect();
    let runs = runs::insert(tx, &rows, Some(terms.claimer), terms.now).await;
    let mut taken = Vec::new();
    let mut dispatched = Vec::new();
    let mut made = Vec::with_capacity(wanted.len());
    for (it, run) in wanted.into_iter().zip(runs.map_err(store_error)?) {
        let tenant_id = it.tenant.id;
        // The index says that a run is live already: its end looks again.
        let Some(run) = run else {
            later.due.push((tenant_id, None));
            continue;
        };
        dispatched.push(Dispatched {
            tenant_id,
            taken: i64::try_from(it.triggers.len()).unwrap_or(i64::MAX),
            due_at: it.leaves.then_some(terms.now),
            run_id: run.id,
        });
        taken.extend(it.triggers.iter().map(|trigger| (*trigger, run.id)));
        made.push(Claimed {
            run,
            tenant: it.tenant,
            integration: it.integration,
            release: it.release,
        });
    }
    triggers::update_taken(tx, &taken)
        .await
        .map_err(store_error)?;
    tenant_states::update_dispatched(tx, &dispatched)
        .await
        .map_err(store_error)?;
    Ok(made)
}
