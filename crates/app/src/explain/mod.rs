//! Why something ran, waits, or did not run: the rows that already tell it, and the notes of what
//! was decided against, as sentences.

mod history;
mod present;

use std::collections::HashMap;

use marquetry_model::{
    DecisionKind, DecisionNote, Error, Integration, Node, NodeStatus, PageRequest, Result, RunId,
    Scope, Stop, Tenant, TenantId, Timestamp, Trigger, TriggerId, Waiting,
};
use marquetry_store::run_views::RunView;
use marquetry_store::runs::RunFilter;
use marquetry_store::tenant_states::TenantState;
use marquetry_store::{
    Tx, decisions, integrations, nodes, run_views, runs, schedules, tenant_states, tenants,
    triggers, turns,
};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::releases::resolve;

/// One thing that was decided, or holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// When; of what holds now, now.
    pub at: Timestamp,
    /// In words.
    pub text: String,
    /// The trigger that it is about, or the first of them.
    pub trigger_id: Option<TriggerId>,
    /// The run that it is about.
    pub run_id: Option<RunId>,
}

/// How many runs an explanation goes back.
const RUNS: i64 = 50;
/// How many notes and cancelled triggers it has at most.
const NOTES: i64 = 100;
/// How many nodes are looked at.
const NODES: i64 = 500;

/// Everything that an explanation is made of.
struct Facts {
    now: Timestamp,
    tenant: Tenant,
    integration: Integration,
    state: TenantState,
    has_release: bool,
    /// Live runs of the integration.
    live: usize,
    next_tick: Option<Timestamp>,
    /// How those are that execute runs; none where no node has told of itself.
    runners: Option<Vec<NodeStatus>>,
    waiting: Vec<Waiting>,
    cancelled: Vec<(TriggerId, Timestamp)>,
    /// Newest first.
    runs: Vec<RunView>,
    stops: HashMap<RunId, Stop>,
    notes: Vec<DecisionNote>,
}

/// What was decided about a tenant's triggers and schedule, and what holds now: newest first, at
/// most `most` sentences. With `about`, only what concerns this trigger.
///
/// # Errors
///
/// There is no such tenant, or no such trigger of it.
pub async fn tenant_explain(
    ctx: &Ctx,
    id: TenantId,
    about: Option<TriggerId>,
    most: usize,
) -> Result<Vec<Sentence>> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    let asked = match about {
        Some(trigger) => Some(trigger_of(&mut tx, id, trigger).await?),
        None => None,
    };
    let facts = facts(&mut tx, id, asked.as_ref(), (most, ctx.now())).await?;
    drop(tx);
    let mut sentences = present::sentences(&facts, about);
    sentences.extend(history::sentences(&facts, asked.as_ref()));
    // What holds now comes first, and else the order of what happened at one instant is kept.
    sentences.sort_by_key(|sentence| std::cmp::Reverse(sentence.at));
    sentences.truncate(most);
    Ok(sentences)
}

async fn trigger_of(tx: &mut Tx, tenant: TenantId, id: TriggerId) -> Result<Trigger> {
    let found = triggers::find(tx, id).await.map_err(store_error)?;
    found
        .filter(|trigger| trigger.tenant_id == tenant)
        .ok_or_else(|| Error::not_found(TriggerId::KIND, id))
}

async fn facts(
    tx: &mut Tx,
    id: TenantId,
    asked: Option<&Trigger>,
    (most, now): (usize, Timestamp),
) -> Result<Facts> {
    // Nothing that is read makes less than a sentence.
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let notes_most = NOTES.min(most);
    let tenant = tenants::get(tx, id).await.map_err(store_error)?;
    let integration = integrations::get(tx, tenant.integration_id)
        .await
        .map_err(store_error)?;
    let has_release = resolve(tx, &integration, &tenant).await?.is_some();
    let state = tenant_states::get(tx, id).await.map_err(store_error)?;
    let waiting = triggers::list_waiting(tx, &[id]).await;
    let waiting: Vec<_> = waiting
        .map_err(store_error)?
        .into_iter()
        .map(|(_, it)| it)
        .collect();
    let cancelled = triggers::list_cancelled(tx, id, notes_most).await;
    let notes = decisions::list(tx, id, notes_most)
        .await
        .map_err(store_error)?;
    let live = turns::count_live(tx, integration.id).await;
    let runners = runners(tx, now).await?;
    let next_tick = schedules::find_next_of(tx, id).await.map_err(store_error)?;
    let runs = past_runs(tx, id, asked, RUNS.min(most)).await?;
    let ids: Vec<RunId> = runs.iter().map(|view| view.run.id).collect();
    let stops = runs::list_stops(tx, &ids).await.map_err(store_error)?;
    Ok(Facts {
        now,
        has_release,
        live: live.map_err(store_error)?,
        next_tick,
        runners,
        state,
        waiting,
        cancelled: cancelled.map_err(store_error)?,
        runs,
        stops: stops.into_iter().collect(),
        notes,
        tenant,
        integration,
    })
}

/// How the nodes are that execute runs.
async fn runners(tx: &mut Tx, now: Timestamp) -> Result<Option<Vec<NodeStatus>>> {
    let page = PageRequest {
        limit: NODES,
        ..PageRequest::default()
    };
    let nodes = nodes::list(tx, &page).await.map_err(store_error)?.items;
    let executes = |node: &Node| node.roles.iter().any(|role| role == "runner");
    let runners = nodes.iter().filter(|node| executes(node));
    let statuses = runners.map(|node| node.status(now)).collect();
    Ok((!nodes.is_empty()).then_some(statuses))
}

/// The newest runs, or those around the one that took the trigger: it and the one before it, which
/// the trigger may have waited for.
async fn past_runs(
    tx: &mut Tx,
    id: TenantId,
    asked: Option<&Trigger>,
    most: i64,
) -> Result<Vec<RunView>> {
    let filter = RunFilter {
        tenant: Some(id),
        up_to: asked.and_then(|trigger| trigger.run_id),
        ..RunFilter::default()
    };
    let page = PageRequest {
        limit: if asked.is_some() { 2 } else { most },
        ..PageRequest::default()
    };
    let page = run_views::list(tx, &filter, &page).await;
    Ok(page.map_err(store_error)?.items)
}

/// One decision against something, as it is noted.
pub(crate) fn noted(tenant_id: TenantId, kind: DecisionKind, now: Timestamp) -> DecisionNote {
    DecisionNote {
        tenant_id,
        kind,
        first_at: now,
        last_at: now,
        count: 1,
    }
}

/// `2.5 s`, `3 min 20 s`, `2 h 5 min`.
fn duration(millis: i64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0..60 => format!("{}.{} s", seconds, millis % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// `1 trigger`, `2 triggers`.
fn number(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
