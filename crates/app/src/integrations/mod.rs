//! Integrations.

mod check;

use marquetry_model::{
    Channel, Connector, Egress, Error, Integration, IntegrationId, IntegrationType, Loc, LocalRun,
    Page, PageRequest, Patch, Randomization, ReleaseId, Result, Retry, ScheduleChoice, Scope,
    TenantId, Timestamp,
};
use marquetry_store::tenants::TenantFilter;
use marquetry_store::{WriteTx, integrations, tenant_states, tenant_views, triggers};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::hints::Topic;
use crate::integration_secrets::{self as secrets, SecretsInput};
use crate::polls;

use self::check::check;
pub(crate) use self::check::check_git_name;

/// What a create or change mentions.
#[derive(Debug, Clone, Default)]
pub struct IntegrationInput {
    /// Slug.
    pub name: Option<String>,
    /// For people.
    pub long_name: Option<String>,
    /// Whose code it is.
    pub kind: Option<IntegrationType>,
    /// Where the code is.
    pub repository_url: Patch<String>,
    /// The branch whose builds are `Latest`.
    pub repository_tracking_branch: Option<String>,
    /// The manifests' places.
    pub repository_paths: Option<Vec<String>>,
    /// Systems it talks to.
    pub connectors: Option<Vec<Connector>>,
    /// The fixed default release.
    pub default_release_id: Patch<ReleaseId>,
    /// The default channel.
    pub default_release_channel: Patch<Channel>,
    /// The schedule of a tenant that asks for none.
    pub default_schedule: Patch<String>,
    /// What a customer may choose from.
    pub schedule_choices: Option<Vec<ScheduleChoice>>,
    /// What `user_schedule` loses.
    pub schedule_randomization: Option<Randomization>,
    /// Milliseconds.
    pub debounce_ms: Option<i64>,
    /// Seconds.
    pub timeout_seconds: Option<i64>,
    /// MiB.
    pub memory_mb: Option<i64>,
    /// Whether lost runs are repeated.
    pub retry: Option<Retry>,
    /// What runs may reach.
    pub egress: Option<Egress>,
    /// Ports beyond the usual ones.
    pub egress_ports: Option<Vec<u16>>,
    /// Seconds.
    pub poll_seconds: Patch<i64>,
    /// Whether developers may run it at home.
    pub local_run: Option<LocalRun>,
    /// Whether nothing of it runs.
    pub paused: Option<bool>,
    /// Where an external one lives.
    pub target_url: Patch<String>,
    /// How its repository is opened, and the variables of its builds.
    pub secrets: SecretsInput,
}

/// Makes one.
pub async fn integration_create(ctx: &Ctx, mut input: IntegrationInput) -> Result<Integration> {
    ctx.require(Scope::Write)?;
    let now = ctx.now();
    let mut integration = Integration::new(String::new(), String::new(), now);
    integration.timeout_seconds = ctx.app.settings.limits.usual_run_s;
    integration.memory_mb = ctx.app.settings.limits.usual_memory_mb;
    let hidden = std::mem::take(&mut input.secrets);
    let key = secrets::key_for(ctx, &hidden).await?;
    apply(&mut integration, input);
    let mut faults = Vec::new();
    let addresses = secrets::Addresses {
        before: None,
        after: integration.repository_url.as_deref(),
    };
    let hidden = secrets::check(hidden, &addresses, false, &mut faults);
    let mut tx = ctx.write().await?;
    check(ctx, &mut tx, None, &integration, faults).await?;
    let id = integrations::insert(&mut tx, &integration)
        .await
        .map_err(store_error)?;
    integration.id = id.ok_or_else(|| name_taken(&integration.name))?;
    secrets::keep(&mut tx, integration.id, hidden, key.as_deref(), now).await?;
    let planned = polls::plan(&mut tx, None, &mut integration, now).await?;
    ctx.commit(tx, integration.id.get()).await?;
    if planned {
        ctx.app.hints.give(Topic::Polls);
    }
    Ok(integration)
}

/// One of them, archived or not.
pub async fn integration_get(ctx: &Ctx, id: IntegrationId) -> Result<Integration> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    integrations::get(&mut tx, id).await.map_err(store_error)
}

/// A page of those that are, or are not, archived.
pub async fn integration_list(
    ctx: &Ctx,
    archived: bool,
    page: &PageRequest,
) -> Result<Page<Integration>> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    integrations::list(&mut tx, archived, page)
        .await
        .map_err(store_error)
}

/// Changes what the input mentions.
pub async fn integration_update(
    ctx: &Ctx,
    id: IntegrationId,
    mut input: IntegrationInput,
) -> Result<Integration> {
    ctx.require(Scope::Write)?;
    let now = ctx.now();
    let hidden = std::mem::take(&mut input.secrets);
    let key = secrets::key_for(ctx, &hidden).await?;
    let mut tx = ctx.write().await?;
    let mut integration = lock_live(&mut tx, id).await?;
    let before = integration.clone();
    apply(&mut integration, input);
    let mut faults = Vec::new();
    let addresses = secrets::Addresses {
        before: before.repository_url.as_deref(),
        after: integration.repository_url.as_deref(),
    };
    let kept = secrets::has_credential(&mut tx, id).await?;
    let hidden = secrets::check(hidden, &addresses, kept, &mut faults);
    check(ctx, &mut tx, Some(&before), &integration, faults).await?;
    if integration.name != before.name
        && integrations::find_by_name(&mut tx, &integration.name)
            .await
            .map_err(store_error)?
            .is_some()
    {
        return Err(name_taken(&integration.name));
    }
    integration.modified_at = now;
    integrations::update(&mut tx, &integration)
        .await
        .map_err(store_error)?;
    secrets::keep(&mut tx, id, hidden, key.as_deref(), now).await?;
    if before.paused && !integration.paused {
        tenant_states::update_resumed(&mut tx, id, None, now)
            .await
            .map_err(store_error)?;
    }
    let planned = polls::plan(&mut tx, Some(&before), &mut integration, now).await?;
    tx.commit().await.map_err(store_error)?;
    ctx.app.hints.give(Topic::Dispatch);
    if planned {
        ctx.app.hints.give(Topic::Polls);
    }
    Ok(integration)
}

/// Sets which release `Default` means.
pub async fn integration_set_default(
    ctx: &Ctx,
    id: IntegrationId,
    release: Option<ReleaseId>,
    channel: Option<Channel>,
) -> Result<Integration> {
    if release.is_some() == channel.is_some() {
        return Err(Error::invalid(
            "release_id",
            "give either release_id or channel",
        ));
    }
    let input = IntegrationInput {
        default_release_id: release.map_or(Patch::Clear, Patch::Set),
        default_release_channel: channel.map_or(Patch::Clear, Patch::Set),
        ..IntegrationInput::default()
    };
    let changed = integration_update(ctx, id, input).await;
    changed.map_err(as_the_caller_names_them)
}

/// The route names the two fields without `default_`.
fn as_the_caller_names_them(error: Error) -> Error {
    let Error::Invalid(mut faults) = error else {
        return error;
    };
    for part in faults.iter_mut().flat_map(|fault| &mut fault.loc) {
        if let Loc::Name(name) = part
            && let Some(short) = match name.as_ref() {
                "default_release_id" => Some("release_id"),
                "default_release_channel" => Some("channel"),
                _ => None,
            }
        {
            *part = Loc::Name(short.into());
        }
    }
    Error::Invalid(faults)
}

/// Archives it. With live tenants only with `cascade`, which archives them too.
pub async fn integration_archive(
    ctx: &Ctx,
    id: IntegrationId,
    cascade: bool,
) -> Result<Integration> {
    ctx.require(Scope::Write)?;
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let mut integration = lock_live(&mut tx, id).await?;
    let live = integrations::live_tenants(&mut tx, id)
        .await
        .map_err(store_error)?;
    if live > 0 && !cascade {
        let message = format!(
            "integration {id} has {live} tenants; archive them first or repeat with ?cascade=true"
        );
        return Err(Error::conflict("live_tenants", message));
    }
    cancel_waiting_of(&mut tx, id, now).await?;
    integrations::archive_tenants(&mut tx, id, now)
        .await
        .map_err(store_error)?;
    let before = integration.clone();
    integration.archived_at = Some(now);
    integration.modified_at = now;
    integrations::update(&mut tx, &integration)
        .await
        .map_err(store_error)?;
    polls::plan(&mut tx, Some(&before), &mut integration, now).await?;
    tx.commit().await.map_err(store_error)?;
    Ok(integration)
}

async fn cancel_waiting_of(tx: &mut WriteTx, id: IntegrationId, now: Timestamp) -> Result<()> {
    let wanted = TenantFilter {
        integration: Some(id),
        ..TenantFilter::default()
    };
    let mut page = PageRequest {
        limit: marquetry_model::MAX_LIMIT,
        ..PageRequest::default()
    };
    loop {
        let part = tenant_views::list(tx, &wanted, &page)
            .await
            .map_err(store_error)?;
        for view in &part.items {
            cancel_waiting(tx, view.tenant.id, now).await?;
        }
        if part.next.is_none() {
            return Ok(());
        }
        page.after = part.next;
    }
}

/// Cancels what waits for a tenant that is being archived.
pub(crate) async fn cancel_waiting(tx: &mut WriteTx, id: TenantId, now: Timestamp) -> Result<()> {
    // Takes the row that accepting a trigger takes too: none can slip in between.
    tenant_states::update_cancelled(tx, id, 0)
        .await
        .map_err(store_error)?;
    let count = triggers::cancel_waiting(tx, id, now)
        .await
        .map_err(store_error)?;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    tenant_states::update_cancelled(tx, id, count)
        .await
        .map_err(store_error)
}

/// One that may be changed: an archived one is as good as gone.
pub(crate) async fn lock_live(tx: &mut WriteTx, id: IntegrationId) -> Result<Integration> {
    let integration = integrations::lock(tx, id).await.map_err(store_error)?;
    if integration.archived_at.is_some() {
        return Err(Error::not_found(IntegrationId::KIND, id));
    }
    Ok(integration)
}

fn name_taken(name: &str) -> Error {
    let message = format!("an integration named {name} exists; choose another name or archive it");
    Error::conflict("name_taken", message)
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn apply(i: &mut Integration, input: IntegrationInput) {
    set(&mut i.name, input.name);
    set(&mut i.long_name, input.long_name);
    set(&mut i.kind, input.kind);
    input.repository_url.apply(&mut i.repository_url);
    set(
        &mut i.repository_tracking_branch,
        input.repository_tracking_branch,
    );
    set(&mut i.repository_paths, input.repository_paths);
    set(&mut i.connectors, input.connectors);
    // One of the two is the default: setting one clears the other unless both are mentioned.
    if matches!(input.default_release_id, Patch::Set(_))
        && !input.default_release_channel.is_mentioned()
    {
        i.default_release_channel = None;
    }
    if matches!(input.default_release_channel, Patch::Set(_))
        && !input.default_release_id.is_mentioned()
    {
        i.default_release_id = None;
    }
    input.default_release_id.apply(&mut i.default_release_id);
    input
        .default_release_channel
        .apply(&mut i.default_release_channel);
    input.default_schedule.apply(&mut i.default_schedule);
    set(&mut i.schedule_choices, input.schedule_choices);
    set(&mut i.schedule_randomization, input.schedule_randomization);
    set(&mut i.debounce_ms, input.debounce_ms);
    set(&mut i.timeout_seconds, input.timeout_seconds);
    set(&mut i.memory_mb, input.memory_mb);
    set(&mut i.retry, input.retry);
    set(&mut i.egress, input.egress);
    set(&mut i.egress_ports, input.egress_ports);
    input.poll_seconds.apply(&mut i.poll_seconds);
    set(&mut i.local_run, input.local_run);
    set(&mut i.paused, input.paused);
    input.target_url.apply(&mut i.target_url);
}
