//! Triggers: accepting them durably, and answering for their status.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use marquetry_blobs::{BlobError, BlobRef, Kind};
use marquetry_model::{
    ConnectionStatus, DecisionKind, Error, FieldError, Integration, IntegrationId, Loc, Mode,
    Phase, Release, Result, Scope, Source, Tenant, TenantId, Trigger, TriggerId,
};
use marquetry_store::triggers::TriggerHead;
use marquetry_store::{
    Tx, WriteTx, decisions, integrations, runs, tenant_states, tenants, triggers,
};

use crate::connections::States;
use crate::ctx::Ctx;
use crate::dispatch::run_take_now;
use crate::errors::{blob_error, store_error};
use crate::explain::noted;
use crate::hints::Topic;
use crate::jobs::RunJob;
use crate::places::Place;
use crate::releases::resolve;

/// What a trigger carries.
#[derive(Debug, Clone)]
pub struct TriggerInput {
    /// Where it comes from.
    pub source: Source,
    /// How the run shall behave.
    pub mode: Mode,
    /// The raw body.
    pub payload: Option<Vec<u8>>,
    /// The request's headers as a JSON object, names in lower case.
    pub headers: Option<String>,
}

/// Accepts a trigger. When this answers, the trigger is on disk and will end in exactly one run.
/// That one was refused because of what its tenant is now, is noted for who asks why nothing ran.
pub async fn trigger_accept(ctx: &Ctx, id: TenantId, input: TriggerInput) -> Result<TriggerId> {
    ctx.require(Scope::Sync)?;
    note_refusal(ctx, accept(ctx, id, input).await).await
}

/// Notes a refusal that the tenant's explanation tells.
pub(crate) async fn note_refusal<T>(ctx: &Ctx, done: Result<T, NotAccepted>) -> Result<T> {
    match done {
        Ok(done) => Ok(done),
        Err(NotAccepted::Refused(refusal)) => {
            // It is refused, whether or not that can be told later.
            if let Err(error) = note(ctx, refusal.tenant, refusal.kind).await {
                tracing::debug!(tenant = %refusal.tenant, error = &error as &dyn std::error::Error, "a refusal was not noted");
            }
            Err(refusal.error)
        }
        Err(NotAccepted::Failed(error)) => Err(error),
    }
}

async fn note(ctx: &Ctx, tenant: TenantId, kind: DecisionKind) -> Result<()> {
    let mut tx = ctx.write().await?;
    decisions::insert(&mut tx, &[noted(tenant, kind, ctx.now())])
        .await
        .map_err(store_error)?;
    tx.commit().await.map_err(store_error)
}

/// Why there is no trigger.
pub(crate) enum NotAccepted {
    /// Because of what the tenant is now.
    Refused(Refusal),
    /// Something else.
    Failed(Error),
}

/// A refusal that an explanation of the tenant tells.
pub(crate) struct Refusal {
    pub(crate) tenant: TenantId,
    pub(crate) kind: DecisionKind,
    pub(crate) error: Error,
}

impl From<Error> for NotAccepted {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Refusal> for NotAccepted {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Refuses what is refused in any case, as far as it is known before anything is locked.
async fn refuse_early(ctx: &Ctx, id: TenantId, source: Source) -> Result<(), NotAccepted> {
    let mut tx = ctx.read().await?;
    check(&mut tx, id, source).await??;
    let most = ctx.app.settings.limits.waiting_per_tenant;
    let state = tenant_states::get(&mut tx, id).await.map_err(store_error)?;
    if state.waiting >= most {
        return Err(full(id, most).into());
    }
    Ok(())
}

/// As many triggers wait as may.
pub(crate) fn full(tenant: TenantId, most: i64) -> Refusal {
    let error = Error::RateLimited {
        retry_after_s: 10,
        message: format!("{most} triggers wait for tenant {tenant}"),
    };
    Refusal {
        tenant,
        kind: DecisionKind::RefusedFull,
        error,
    }
}

async fn accept(ctx: &Ctx, id: TenantId, input: TriggerInput) -> Result<TriggerId, NotAccepted> {
    let now = ctx.now();
    let limits = ctx.app.settings.limits;
    let (payload, payload_blob) = match input.payload {
        Some(bytes) if bytes.len() > limits.inline_payload_bytes => {
            // What will be refused shall not fill the blob store first.
            refuse_early(ctx, id, input.source).await?;
            let blob = ctx
                .app
                .blobs
                .put(Kind::Payload, bytes.into())
                .await
                .map_err(blob_error)?;
            (None, Some(blob.to_string()))
        }
        payload => (payload, None),
    };
    let mut tx = ctx.write().await?;
    // First, because it takes the row that archiving takes too: what is checked below holds.
    let room = tenant_states::accept(&mut tx, id, now, limits.waiting_per_tenant).await;
    let room = room.map_err(store_error)?;
    let found = check(&mut tx, id, input.source).await??;
    if !room {
        return Err(full(id, limits.waiting_per_tenant).into());
    }
    // A webhook has headers as long as its body is kept: by them it is known whether it still is.
    let is_webhook = input.source == Source::Webhook;
    let headers = input
        .headers
        .or_else(|| is_webhook.then(|| "{}".to_owned()));
    let trigger = Trigger {
        id: TriggerId::new(0),
        tenant_id: id,
        source: input.source,
        mode: input.mode,
        payload,
        payload_blob,
        headers,
        run_id: None,
        cancelled_at: None,
        created_at: now,
    };
    let trigger = triggers::insert(&mut tx, &trigger)
        .await
        .map_err(store_error)?;
    // In the transaction, whoever commits it.
    ctx.note(&mut tx, trigger.get()).await?;
    // Where the machine is idle, the commit that makes the trigger durable makes its run too.
    let most = limits.most_in_bundle;
    // What keeps to a limit is counted in one place only, which is dispatch.
    let is_limited = found.1.concurrency_limit.is_some();
    if !is_limited
        && let Some(place) = ctx.app.take_place()
        // Both are large, and the door holds this future on its stack.
        && let Some(job) = Box::pin(run_take_now(&mut tx, found, &place.claimer(), now, most)).await?
    {
        let job = Box::new(job);
        finish(commit_and_execute(tx, place, job)).await?;
        return Ok(trigger);
    }
    let app = Arc::clone(&ctx.app);
    let done = finish(async move {
        tx.commit().await.map_err(store_error)?;
        app.hints.give(Topic::Dispatch);
        Ok(())
    });
    done.await?;
    Ok(trigger)
}

async fn commit_and_execute(tx: WriteTx, place: Box<dyn Place>, job: Box<RunJob>) -> Result<()> {
    tx.commit().await.map_err(store_error)?;
    place.execute(*job);
    Ok(())
}

/// Does it to the end, also when the client goes away meanwhile, which drops whoever waits here: a
/// commit is not left in the middle, dispatch hears of it when it is done, and a run that is
/// claimed is executed.
async fn finish(work: impl Future<Output = Result<()>> + Send + 'static) -> Result<()> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(failed) => Err(Error::internal(failed)),
    }
}

/// The tenant that a user of the host product has of an integration: the newest unarchived one that is connected,
/// else the newest.
pub async fn tenant_of_user(
    ctx: &Ctx,
    integration: IntegrationId,
    user_name: &str,
) -> Result<TenantId> {
    ctx.require(Scope::Sync)?;
    let mut tx = ctx.read().await?;
    let of = integrations::get(&mut tx, integration)
        .await
        .map_err(store_error)?;
    let found = tenants::list_by_user_name(&mut tx, integration, user_name).await;
    let found: Vec<TenantId> = found.map_err(store_error)?.iter().map(|it| it.id).collect();
    let best = newest_connected(&mut tx, &of, &found).await?;
    best.ok_or_else(|| {
        let shown: String = user_name.chars().take(100).collect();
        Error::not_found(TenantId::KIND, format!("of user {shown}"))
    })
}

/// The first that is connected, else the first.
async fn newest_connected(
    tx: &mut Tx,
    integration: &Integration,
    newest_first: &[TenantId],
) -> Result<Option<TenantId>> {
    if let [] | [_] = newest_first {
        return Ok(newest_first.first().copied());
    }
    let of: Vec<_> = newest_first
        .iter()
        .map(|id| (*id, integration.id))
        .collect();
    let states = States::read(tx, &of).await?;
    let is_connected = |id: &&TenantId| {
        let all = states.of(**id, integration.id, &integration.connectors);
        all.iter()
            .all(|it| it.status == ConnectionStatus::Connected)
    };
    let connected = newest_first.iter().find(is_connected);
    Ok(connected.or(newest_first.first()).copied())
}

/// What a run of a tenant would be made of now.
pub(crate) type Runnable = (Tenant, Integration, Release);

/// Whether the tenant's triggers from there are accepted, and what a run of it would be made of.
pub(crate) async fn check(
    tx: &mut Tx,
    id: TenantId,
    source: Source,
) -> Result<Result<Runnable, Refusal>> {
    let tenant = tenants::get(tx, id).await.map_err(store_error)?;
    if tenant.archived_at.is_some() {
        return Err(Error::not_found(TenantId::KIND, id));
    }
    let integration = integrations::get(tx, tenant.integration_id)
        .await
        .map_err(store_error)?;
    // Its tenants went with it; one that an older version left behind is as good as gone.
    if integration.archived_at.is_some() {
        return Err(Error::not_found(TenantId::KIND, id));
    }
    // Who sends a webhook has nobody to tell, and may not send it again: it waits (decisions, Engine).
    if integration.paused && source != Source::Webhook {
        let message = format!(
            "integration {} is paused; resume it with PATCH /v2/integrations/{}",
            integration.name, integration.id
        );
        return Ok(Err(Refusal {
            tenant: id,
            kind: DecisionKind::RefusedPaused,
            error: refused("tenant_id", message),
        }));
    }
    let Some(release) = resolve(tx, &integration, &tenant).await? else {
        let message = format!(
            "integration {} has no release that tenant {} could run; build one with POST /v2/sourcecontrol/build",
            integration.name, tenant.name
        );
        return Ok(Err(Refusal {
            tenant: id,
            kind: DecisionKind::RefusedNoRelease,
            error: refused("tenant_id", message),
        }));
    };
    Ok(Ok((tenant, integration, release)))
}

/// A refusal because of what the thing in the path is now.
pub(crate) fn refused(parameter: &'static str, message: String) -> Error {
    Error::Invalid(vec![FieldError {
        loc: vec![Loc::Name("path".into()), Loc::Name(parameter.into())],
        message,
        kind: "value_error",
        context: None,
    }])
}

/// Payloads of one answer, in bytes.
const SHOWN: usize = 1 << 20;
/// A payload is never larger than the door lets in.
const LARGEST_PAYLOAD: usize = 64 << 20;

/// The payloads of an answer with these triggers, in their order, until the next one would make
/// them larger than 1 MiB. With `first_whole`, the first one is among them however large it is:
/// an answer about one run can show what a list cannot. No scope is asked for: the heads are part of
/// what another use case answers, and who may change something sees in the answer what it is now.
pub async fn trigger_payloads<'a>(
    ctx: &Ctx,
    heads: impl IntoIterator<Item = &'a TriggerHead>,
    first_whole: bool,
) -> Result<HashMap<TriggerId, Vec<u8>>> {
    let heads = heads.into_iter();
    let heads = heads.filter(|head| head.payload_bytes.is_some() || head.payload_blob.is_some());
    let (heads, small) = choose(heads);
    let mut found = HashMap::new();
    if heads.is_empty() {
        return Ok(found);
    }
    let mut tx = ctx.read().await?;
    let small = triggers::list_payloads(&mut tx, &small).await;
    drop(tx);
    let mut small: HashMap<_, _> = small.map_err(store_error)?.into_iter().collect();
    let mut left = SHOWN;
    for head in heads {
        if found.contains_key(&head.id) {
            continue;
        }
        let whole = first_whole && found.is_empty();
        let limit = if whole { LARGEST_PAYLOAD } else { left };
        let payload = match &head.payload_blob {
            Some(blob) => large_payload(ctx, blob, limit).await?,
            None => small.remove(&head.id),
        };
        let Some(payload) = payload.filter(|payload| payload.len() <= limit) else {
            break;
        };
        left = left.saturating_sub(payload.len());
        found.insert(head.id, payload);
    }
    Ok(found)
}

/// Those that may be shown, and which of them have their payload in the row. How large a payload
/// elsewhere is, is seen when it is read.
fn choose<'a>(
    heads: impl Iterator<Item = &'a TriggerHead>,
) -> (Vec<&'a TriggerHead>, Vec<TriggerId>) {
    let (mut chosen, mut small, mut sum) = (Vec::new(), Vec::new(), 0);
    for head in heads {
        if head.payload_blob.is_none() {
            let size = head
                .payload_bytes
                .and_then(|size| usize::try_from(size).ok());
            sum += size.unwrap_or(0);
            if sum > SHOWN && !small.is_empty() {
                break;
            }
            small.push(head.id);
        }
        chosen.push(head);
    }
    (chosen, small)
}

/// A payload from the blob store; none when it is larger than the limit.
async fn large_payload(ctx: &Ctx, blob: &str, limit: usize) -> Result<Option<Vec<u8>>> {
    let blob: BlobRef = blob.parse().map_err(Error::internal)?;
    match ctx.app.blobs.get(&blob, limit as u64).await {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(BlobError::TooLarge { .. }) => Ok(None),
        Err(error) => Err(blob_error(error)),
    }
}

/// The longest that a status waits.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The phase of the run that took the trigger; [`Error::NotFound`] while none has, as in the
/// original. With `wait`, answers when the run has ended or the time is up.
pub async fn trigger_status(ctx: &Ctx, id: TriggerId, wait: Option<Duration>) -> Result<Phase> {
    ctx.require(Scope::Read)?;
    let first = look(ctx, id).await?;
    let Some(wait) = wait.filter(|_| !first.phase.is_some_and(Phase::is_final)) else {
        return first.answer(id);
    };
    let end = tokio::time::Instant::now() + wait.min(LONGEST_WAIT);
    let listener = ctx.app.hints.listen(Topic::Tenant(first.tenant));
    loop {
        let hint = listener.next();
        let seen = look(ctx, id).await?;
        if seen.phase.is_some_and(Phase::is_final) || tokio::time::Instant::now() >= end {
            return seen.answer(id);
        }
        // Another node may have run it, and this one may not hear it.
        let again = end.min(tokio::time::Instant::now() + Duration::from_secs(1));
        // Whichever comes first, the next look tells.
        let _ = tokio::time::timeout_at(again, hint).await;
    }
}

struct Seen {
    tenant: TenantId,
    phase: Option<Phase>,
}

impl Seen {
    fn answer(self, id: TriggerId) -> Result<Phase> {
        self.phase.ok_or_else(|| Error::NotFound {
            kind: "run",
            id: format!("of trigger {id}"),
        })
    }
}

async fn look(ctx: &Ctx, id: TriggerId) -> Result<Seen> {
    let mut tx = ctx.read().await?;
    let trigger = triggers::find(&mut tx, id).await.map_err(store_error)?;
    let trigger = trigger.ok_or_else(|| Error::not_found(TriggerId::KIND, id))?;
    let phase = match trigger.run_id {
        Some(run) => Some(runs::get(&mut tx, run).await.map_err(store_error)?.phase),
        None => trigger.cancelled_at.map(|_| Phase::Cancelled),
    };
    Ok(Seen {
        tenant: trigger.tenant_id,
        phase,
    })
}

/// Cancels a trigger that no run has taken.
pub async fn trigger_cancel(ctx: &Ctx, id: TriggerId) -> Result<Trigger> {
    ctx.require(Scope::Sync)?;
    let mut tx = ctx.write().await?;
    let trigger = triggers::find(&mut tx, id).await.map_err(store_error)?;
    let trigger = trigger.ok_or_else(|| Error::not_found(TriggerId::KIND, id))?;
    // The count first: dispatch takes that row too, so the trigger is either taken or cancelled.
    tenant_states::update_cancelled(&mut tx, trigger.tenant_id, 1)
        .await
        .map_err(store_error)?;
    if !triggers::cancel(&mut tx, id, ctx.now())
        .await
        .map_err(store_error)?
    {
        let message = match trigger.run_id {
            Some(run) => format!("run {run} has taken trigger {id}; cancel the run"),
            None => format!("trigger {id} is already cancelled"),
        };
        return Err(Error::conflict("trigger_taken", message));
    }
    let trigger = triggers::find(&mut tx, id).await.map_err(store_error)?;
    ctx.commit(tx, id.get()).await?;
    let trigger = trigger.ok_or_else(|| Error::not_found(TriggerId::KIND, id))?;
    ctx.app.hints.give(Topic::Tenant(trigger.tenant_id));
    Ok(trigger)
}

/// One of them.
pub async fn trigger_get(ctx: &Ctx, id: TriggerId) -> Result<Trigger> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    let found = triggers::find(&mut tx, id).await.map_err(store_error)?;
    found.ok_or_else(|| Error::not_found(TriggerId::KIND, id))
}

/// The raw body that came with a trigger; empty when there was none.
pub async fn payload_bytes(ctx: &Ctx, trigger: &Trigger) -> Result<Vec<u8>> {
    /// A payload is never larger than a request.
    const LARGEST: u64 = 64 << 20;
    match (&trigger.payload, &trigger.payload_blob) {
        (Some(bytes), _) => Ok(bytes.clone()),
        (None, Some(blob)) => {
            let blob = blob
                .parse()
                .map_err(|e: marquetry_blobs::ParseBlobRefError| Error::internal(e))?;
            let bytes = ctx
                .app
                .blobs
                .get(&blob, LARGEST)
                .await
                .map_err(blob_error)?;
            Ok(bytes.to_vec())
        }
        (None, None) => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_begun_is_finished_also_when_the_client_goes_away() {
        let (begin, begun) = tokio::sync::oneshot::channel::<()>();
        let (sender, told) = tokio::sync::oneshot::channel();
        let commit = finish(async move {
            begun.await.map_err(Error::internal)?;
            sender.send("told").map_err(Error::internal)
        });
        let gone = tokio::time::timeout(Duration::from_millis(1), commit).await;
        assert!(gone.is_err(), "nobody waits any more");
        begin.send(()).unwrap();
        let told = tokio::time::timeout(Duration::from_secs(10), told).await;
        assert_eq!(told.unwrap(), Ok("told"));
    }
}
