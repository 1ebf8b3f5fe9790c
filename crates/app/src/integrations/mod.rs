//! Integrations.

mod check;

use marquetry_model::{
    Channel, Connector, Egress, Error, FieldError, Integration, IntegrationId, IntegrationType,
    Loc, LocalRun, Missed, Page, PageRequest, Patch, Randomization, ReleaseId, Result, Retry,
    ScheduleChoice, Scope, TenantId, Timestamp,
};
use marquetry_store::{
    WriteTx, builds, connections, integrations, schedules, tenant_states, triggers, turns,
};

use crate::ctx::Ctx;
use crate::errors::{rename_error, store_error};
use crate::hints::Topic;
use crate::integration_secrets::{self as secrets, SecretsInput};
use crate::{polls, secret_sweeps};

pub(crate) use self::check::check_git_name;
use self::check::{check, name_taken};

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
    /// What becomes of missed ticks.
    pub missed: Option<Missed>,
    /// Milliseconds.
    pub debounce_ms: Option<i64>,
    /// Live runs at once.
    pub concurrency_limit: Patch<i64>,
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
    let mut integration = fresh(ctx, "");
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
    secrets::keep(&mut tx, integration.id, hidden, key.as_ref(), now).await?;
    let planned = polls::plan(&mut tx, None, &mut integration, now).await?;
    ctx.commit(tx, integration.id.get()).await?;
    if planned {
        ctx.app.hints.give(Topic::Polls);
    }
    Ok(integration)
}

/// A new one with nothing but names.
fn fresh(ctx: &Ctx, name: &str) -> Integration {
    let mut integration = Integration::new(name.to_owned(), name.to_owned(), ctx.now());
    integration.timeout_seconds = ctx.app.settings.limits.usual_run_s;
    integration.memory_mb = ctx.app.settings.limits.usual_memory_mb;
    integration
}

/// What is wrong with the fields that a change of an integration mentions (or a new one has, without
/// an id), each by itself: for a request of which other fields cannot be read.
pub async fn integration_faults(
    ctx: &Ctx,
    id: Option<IntegrationId>,
    mentioned: IntegrationInput,
) -> Result<Vec<FieldError>> {
    ctx.require(Scope::Write)?;
    let before = match id {
        Some(id) => match integrations::get(&mut *ctx.read().await?, id).await {
            Ok(found) => Some(found),
            Err(marquetry_store::Error::NotFound { .. }) => None,
            Err(error) => return Err(store_error(error)),
        },
        None => None,
    };
    let mut faults = secrets::faults(&mentioned.secrets);
    // A name that nobody mentions is not at fault.
    let mut after = before.clone().unwrap_or_else(|| fresh(ctx, "unnamed"));
    apply(&mut after, mentioned);
    faults.extend(check::fields(ctx, before.as_ref(), &after));
    Ok(faults)
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
    if input.paused.is_some() {
        turns::lock_still(&mut tx, id).await.map_err(store_error)?;
    }
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
    integration.modified_at = now;
    integrations::update(&mut tx, &integration)
        .await
        .map_err(|error| rename_error(error, || name_taken(&integration.name)))?;
    secrets::keep(&mut tx, id, hidden, key.as_ref(), now).await?;
    // What waits is looked at again when what it waits for has changed.
    let is_resumed = before.paused && !integration.paused;
    if is_resumed || before.debounce_ms != integration.debounce_ms {
        tenant_states::update_resumed(&mut tx, id, None, now)
            .await
            .map_err(store_error)?;
    }
    let planned = polls::plan(&mut tx, Some(&before), &mut integration, now).await?;
    let default = |of: &Integration| (of.default_release_id, of.default_release_channel);
    let has_other_form = default(&before) != default(&integration);
    if has_other_form {
        secret_sweeps::mark(&mut tx, id, now).await?;
    }
    tx.commit().await.map_err(store_error)?;
    ctx.app.hints.give(Topic::Dispatch);
    if has_other_form {
        ctx.app.hints.give(Topic::Secrets);
    }
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

/// Archives it; its builds are cancelled. With live tenants only with `cascade`, which archives them
/// too.
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
    // Tenants before their states, as everywhere, so that nobody waits in a circle.
    let tenants = integrations::archive_tenants(&mut tx, id, now)
        .await
        .map_err(store_error)?;
    for tenant in tenants {
        cancel_waiting(&mut tx, tenant, now).await?;
    }
    // Nobody can use its credentials any more, so nobody shall be able to steal them.
    connections::disconnect_integration(&mut tx, id, now)
        .await
        .map_err(store_error)?;
    let open = builds::cancel_all(&mut tx, id, now)
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
    for build in open {
        ctx.app.hints.give(Topic::BuildCancel(build));
        ctx.app.hints.give(Topic::Build(build));
    }
    Ok(integration)
}

/// Cancels what waits for a tenant that is being archived.
pub(crate) async fn cancel_waiting(tx: &mut WriteTx, id: TenantId, now: Timestamp) -> Result<()> {
    // Takes the row that accepting a trigger takes too, and a tick of the schedule: none can slip in
    // between, and who waits for it finds that nothing is due.
    schedules::update_next(tx, id, None)
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

/// One that something new may be made of, and that stays unarchived until the end of the transaction:
/// archiving takes all that there is of it along.
pub(crate) async fn find_live(tx: &mut WriteTx, id: IntegrationId) -> Result<Option<Integration>> {
    match integrations::lock_shared(tx, id).await {
        Ok(found) => Ok(Some(found).filter(|found| found.archived_at.is_none())),
        Err(marquetry_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(store_error(error)),
    }
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
    // As where neither was ever said: without a default nothing would run.
    if i.default_release_id.is_none() && i.default_release_channel.is_none() {
        i.default_release_channel = Some(Channel::Latest);
    }
    input.default_schedule.apply(&mut i.default_schedule);
    set(&mut i.schedule_choices, input.schedule_choices);
    set(&mut i.schedule_randomization, input.schedule_randomization);
    set(&mut i.missed, input.missed);
    set(&mut i.debounce_ms, input.debounce_ms);
    input.concurrency_limit.apply(&mut i.concurrency_limit);
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
