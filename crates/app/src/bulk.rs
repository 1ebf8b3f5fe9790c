//! One act over many tenants, each by itself: what fails for one does not stop the others.

use std::collections::BTreeSet;

use marquetry_model::{
    Channel, Error, FieldError, IntegrationId, Mode, Patch, ReleaseId, Result, Scope, Source,
    TenantId,
};
use marquetry_store::tenants::TenantFilter;
use marquetry_store::{Tx, WriteTx, tenant_states, tenants};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::hints::Topic;
use crate::tenants::{TenantPatch, TenantView, archive, change};
use crate::triggers::{TriggerInput, check, trigger_accept};

/// As many tenants as one request touches.
pub const MOST: usize = 10_000;

/// What is done to each tenant.
#[derive(Debug, Clone)]
pub enum BulkAction {
    /// A run is asked for.
    Sync(Mode),
    /// It is changed.
    Change(BulkChange),
}

/// How a tenant is changed.
#[derive(Debug, Clone, Copy)]
pub enum BulkChange {
    /// Its schedule stands still.
    Pause,
    /// And goes on.
    Resume,
    /// It runs this release, or follows this channel; exactly one is given.
    Release(Option<ReleaseId>, Option<Channel>),
    /// It is archived.
    Archive,
}

/// Which unarchived tenants: those that fit everything that is given.
#[derive(Debug, Clone, Default)]
pub struct BulkFilter {
    /// These.
    pub ids: Option<Vec<TenantId>>,
    /// Of one integration.
    pub integration: Option<IntegrationId>,
    /// Of one user of the host product.
    pub user_name: Option<String>,
    /// Paused ones, or others.
    pub paused: Option<bool>,
    /// With this release.
    pub release: Option<ReleaseId>,
    /// Following this channel.
    pub channel: Option<Channel>,
}

/// What came of it for one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkItem {
    /// Which.
    pub id: TenantId,
    /// Whether it was done, or would be.
    pub ok: bool,
    /// What was done, or why not.
    pub message: String,
}

/// Acts on each tenant that fits, in the order of their ids, or says with `dry_run` what would come
/// of it; says of each that the filter names and that does not fit why nothing came of it. Goes on
/// to the end also when the caller goes away.
///
/// # Errors
///
/// Over [`MOST`] tenants fit or are named; nothing was done then.
pub async fn bulk(
    ctx: &Ctx,
    action: BulkAction,
    filter: BulkFilter,
    dry_run: bool,
) -> Result<Vec<BulkItem>> {
    ctx.require(Scope::Write)?;
    if matches!(action, BulkAction::Sync(_)) {
        ctx.require(Scope::Sync)?;
    }
    let (ids, mut items) = fitting(ctx, filter).await?;
    if !dry_run {
        // Noted before: a repetition after the server ended in the middle must not do it twice.
        let tx = ctx.write().await?;
        ctx.commit(tx, 0).await?;
    }
    let ctx = ctx.without_intent();
    let work = async move {
        items.reserve(ids.len());
        for id in ids {
            let done = if dry_run {
                try_one(&ctx, id, &action).await
            } else {
                one(&ctx, id, &action).await
            };
            items.push(item(id, done));
        }
        items.sort_by_key(|item| item.id);
        ctx.app.hints.give(Topic::Schedules);
        ctx.app.hints.give(Topic::Dispatch);
        items
    };
    tokio::spawn(work).await.map_err(Error::internal)
}

/// The tenants that fit; and, for those that are named and do not, what is said of them.
async fn fitting(ctx: &Ctx, filter: BulkFilter) -> Result<(Vec<TenantId>, Vec<BulkItem>)> {
    let mut named: BTreeSet<TenantId> = filter.ids.iter().flatten().copied().collect();
    if named.len() > MOST {
        let why = format!("names more than {MOST} tenants; split it");
        return Err(Error::Invalid(vec![FieldError::body("filter", why)]));
    }
    let wanted = TenantFilter {
        ids: filter.ids,
        integration: filter.integration,
        user_name: filter.user_name,
        paused: filter.paused,
        release: filter.release,
        channel: filter.channel,
        archived: false,
    };
    let most = i64::try_from(MOST).unwrap_or(i64::MAX);
    let mut tx = ctx.read().await?;
    let ids = tenants::list_ids(&mut tx, &wanted, most.saturating_add(1))
        .await
        .map_err(store_error)?;
    if ids.len() > MOST {
        let why =
            format!("fits more than {MOST} tenants; narrow it, by integration_id for example");
        return Err(Error::Invalid(vec![FieldError::body("filter", why)]));
    }
    for id in &ids {
        named.remove(id);
    }
    let unfit = unfit(&mut tx, named).await?;
    Ok((ids, unfit))
}

async fn unfit(tx: &mut Tx, named: BTreeSet<TenantId>) -> Result<Vec<BulkItem>> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let most = i64::try_from(named.len()).unwrap_or(i64::MAX);
    let unarchived = TenantFilter {
        ids: Some(named.iter().copied().collect()),
        ..TenantFilter::default()
    };
    let there = tenants::list_ids(tx, &unarchived, most)
        .await
        .map_err(store_error)?;
    let there = BTreeSet::from_iter(there);
    let told = |id| BulkItem {
        id,
        ok: false,
        message: if there.contains(&id) {
            format!("tenant {id} does not fit the filter")
        } else {
            Error::not_found(TenantId::KIND, id).to_string()
        },
    };
    Ok(named.into_iter().map(told).collect())
}

fn item(id: TenantId, done: Result<String>) -> BulkItem {
    let (ok, message) = match done {
        Ok(message) => (true, message),
        Err(error) => {
            if let Error::Internal(cause) = &error {
                tracing::error!(tenant = %id, error = &**cause as &dyn std::error::Error, "a bulk request failed for one tenant");
            }
            (false, error.to_string())
        }
    };
    BulkItem { id, ok, message }
}

async fn one(ctx: &Ctx, id: TenantId, action: &BulkAction) -> Result<String> {
    match action {
        BulkAction::Sync(mode) => {
            let input = TriggerInput {
                source: Source::Api,
                mode: *mode,
                payload: None,
                headers: None,
            };
            let trigger = trigger_accept(ctx, id, input).await?;
            Ok(format!("trigger {trigger} was accepted"))
        }
        BulkAction::Change(wanted) => {
            let mut tx = ctx.write().await?;
            let said = done_to(ctx, &mut tx, id, *wanted).await?;
            tx.commit().await.map_err(store_error)?;
            ctx.app.hints.give(Topic::Tenant(id));
            Ok(said)
        }
    }
}

/// Does it, and undoes it: so a trial finds all that the act itself would.
async fn try_one(ctx: &Ctx, id: TenantId, action: &BulkAction) -> Result<String> {
    match action {
        BulkAction::Sync(mode) => {
            let mut tx = ctx.read().await?;
            check(&mut tx, id, Source::Api)
                .await?
                .map_err(|refusal| refusal.error)?;
            let state = tenant_states::get(&mut tx, id).await.map_err(store_error)?;
            let most = ctx.app.settings.limits.waiting_per_tenant;
            if state.waiting >= most {
                let message = format!("{most} triggers wait for tenant {id}");
                return Err(Error::conflict("queue_full", message));
            }
            Ok(format!("a run in mode {mode} would be asked for"))
        }
        BulkAction::Change(wanted) => {
            let mut tx = ctx.write().await?;
            let said = done_to(ctx, &mut tx, id, *wanted).await?;
            Ok(format!("would do: {said}"))
        }
    }
}

async fn done_to(ctx: &Ctx, tx: &mut WriteTx, id: TenantId, wanted: BulkChange) -> Result<String> {
    let patch = |paused| TenantPatch {
        paused: Some(paused),
        ..TenantPatch::default()
    };
    Ok(match wanted {
        BulkChange::Pause => {
            change(ctx, tx, id, patch(true)).await?;
            "paused".to_owned()
        }
        BulkChange::Resume => {
            change(ctx, tx, id, patch(false)).await?;
            "resumed".to_owned()
        }
        BulkChange::Release(release, channel) => {
            let patch = TenantPatch {
                integration_release_id: release.map_or(Patch::Keep, Patch::Set),
                integration_release_channel: channel.map_or(Patch::Keep, Patch::Set),
                ..TenantPatch::default()
            };
            released(&change(ctx, tx, id, patch).await?, release, channel)
        }
        BulkChange::Archive => {
            archive(ctx, tx, id).await?;
            "archived".to_owned()
        }
    })
}

/// With the settings that do not fit the release's form: they stay, and break what uses them.
fn released(view: &TenantView, release: Option<ReleaseId>, channel: Option<Channel>) -> String {
    let what = match (release, channel) {
        (Some(release), _) => format!("runs release {release}"),
        (None, Some(channel)) => format!("follows {channel}"),
        (None, None) => "runs what it did".to_owned(),
    };
    let problems: Vec<&str> = view
        .configs_problems
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    if problems.is_empty() {
        what
    } else {
        format!("{what}; these settings do not fit: {}", problems.join(", "))
    }
}
