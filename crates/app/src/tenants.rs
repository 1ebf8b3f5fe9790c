//! Tenants.

mod check;

use std::collections::{BTreeSet, HashMap};

use marquetry_model::{
    Channel, DecisionKind, Error, FieldError, Integration, IntegrationId, Page, PageRequest, Patch,
    ReleaseId, Result, RunId, Scope, Tenant, TenantId, TenantSource,
};
use marquetry_store::tenant_views::{self, ShownTenant};
use marquetry_store::tenants::TenantFilter;
use marquetry_store::{
    Tx, WriteTx, connections, decisions, integrations, run_views, tenant_configs, tenant_states,
    tenants, turns,
};
use serde_json::{Map, Value};

use crate::connections::States;
use crate::connections::status::ConnectorState;
use crate::ctx::Ctx;
use crate::errors::{rename_error, store_error};
use crate::explain::noted;
use crate::hints::Topic;
use crate::integrations::{cancel_waiting, find_live};
use crate::releases;
use crate::runs::RunView;
use crate::schedules;
use crate::settings::{Change, ConfigsProblem, judge, settle};
use crate::tenant_secrets::{self, is_mark};

use self::check::Fields;
pub(crate) use self::check::check;

/// How many triggers of each run a tenant's status shows.
const STATUS_TRIGGERS: u32 = 20;

/// A tenant with the runs that its status shows.
#[derive(Debug, Clone)]
pub struct TenantView {
    /// The tenant; secrets are masked.
    pub tenant: ShownTenant,
    /// Settings that the form of its release does not allow any more.
    pub configs_problems: Vec<ConfigsProblem>,
    /// The live run.
    pub current_run: Option<RunView>,
    /// The run that ended last.
    pub last_run: Option<RunView>,
    /// The run that succeeded last.
    pub last_successful_run: Option<RunView>,
    /// The integration's connectors, and how each stands for the tenant.
    pub connectors: Vec<ConnectorState>,
}

/// What a new tenant shall be.
#[derive(Debug, Clone)]
pub struct TenantCreate {
    /// Slug.
    pub name: String,
    /// Of what.
    pub integration_id: IntegrationId,
    /// The user of the host product.
    pub user_name: Option<String>,
    /// How it comes to be.
    pub source: TenantSource,
    /// Five-field cron.
    pub user_schedule: Option<String>,
    /// IANA name.
    pub timezone: Option<String>,
    /// The fixed release it shall run.
    pub integration_release_id: Option<ReleaseId>,
    /// The channel it shall follow.
    pub integration_release_channel: Option<Channel>,
    /// The settings form's values.
    pub configs: Map<String, Value>,
    /// Whether its schedule stands still; none: yes.
    pub paused: Option<bool>,
}

/// What a change mentions.
#[derive(Debug, Clone, Default)]
pub struct TenantPatch {
    /// Slug.
    pub name: Option<String>,
    /// The user of the host product.
    pub user_name: Patch<String>,
    /// Merged shallowly; `null` removes a key.
    pub configs: Option<Map<String, Value>>,
    /// Instead of merging, the configs become exactly these.
    pub replace_configs: bool,
    /// Five-field cron.
    pub user_schedule: Patch<String>,
    /// IANA name.
    pub timezone: Patch<String>,
    /// Whether its schedule stands still.
    pub paused: Option<bool>,
    /// The fixed release it shall run.
    pub integration_release_id: Patch<ReleaseId>,
    /// The channel it shall follow.
    pub integration_release_channel: Patch<Channel>,
}

impl TenantPatch {
    /// Whether it needs the values that are there. Who replaces all settings and refers to none of them
    /// can do so when nothing opens any more.
    fn builds_on_secrets(&self) -> bool {
        let configs = self.configs.as_ref();
        configs.is_some_and(|all| !self.replace_configs || all.values().any(is_mark))
    }
}

/// Makes one. Unknown integrations and releases and a taken name are faults of the body here,
/// because the original's route declares neither 404 nor 409.
pub async fn tenant_create(ctx: &Ctx, wanted: TenantCreate) -> Result<TenantView> {
    ctx.require(Scope::Write)?;
    let now = ctx.now();
    let channel = match (
        wanted.integration_release_id,
        wanted.integration_release_channel,
    ) {
        (None, None) => Some(Channel::Default),
        (_, channel) => channel,
    };
    let mut configs = wanted.configs;
    configs.retain(|_, value| !value.is_null());
    let mut tenant = Tenant {
        id: TenantId::new(0),
        integration_id: wanted.integration_id,
        name: wanted.name,
        user_name: wanted.user_name.filter(|name| !name.is_empty()),
        source: wanted.source,
        configs,
        paused: wanted.paused.unwrap_or(true),
        schedule: None,
        user_schedule: wanted.user_schedule,
        timezone: wanted.timezone,
        integration_release_id: wanted.integration_release_id,
        integration_release_channel: channel,
        dynamic_configs: Map::new(),
        configs_version: 0,
        secret_configs: BTreeSet::new(),
        archived_at: None,
        created_at: now,
        modified_at: now,
    };
    let mut faults = check(ctx, &tenant, &Map::new());
    let mut tx = ctx.write().await?;
    let Some(integration) = find_live(&mut tx, tenant.integration_id).await? else {
        let message = format!("there is no integration {}", tenant.integration_id);
        faults.push(FieldError::body("integration_id", message));
        return Err(Error::Invalid(faults));
    };
    let change = Change {
        named: Some(tenant.configs.keys().cloned().collect()),
        before: Map::new(),
    };
    let otherwise = (None, Some(Channel::Default));
    faults.extend(settle_all(ctx, &mut tx, &integration, &mut tenant, &change, otherwise).await?);
    if !faults.is_empty() {
        // Else the insert itself tells.
        let name_taken = is_name_taken(&mut tx, &tenant).await?;
        faults.extend(name_taken.then(|| taken(&tenant.name)));
        return Err(Error::Invalid(faults));
    }
    let secrets = tenant_secrets::take(&mut tenant);
    let id = tenants::insert(&mut tx, &tenant)
        .await
        .map_err(store_error)?;
    tenant.id = id.ok_or_else(|| name_taken(&tenant.name))?;
    if !secrets.is_empty() {
        tenant_secrets::keep(ctx, &mut tx, tenant.id, secrets, now).await?;
    }
    // Where its runs fall in the hour is a matter of its id.
    let asked = tenant.user_schedule.as_ref();
    let asked = asked.or(integration.default_schedule.as_ref()).cloned();
    if let Some(asked) = asked {
        tenant.schedule = Some(schedules::as_run(&asked, &integration, tenant.id));
        tenants::update(&mut tx, &tenant)
            .await
            .map_err(store_error)?;
        schedules::plan(&mut tx, &tenant, now).await?;
    }
    let view = view(ctx, &mut tx, tenant.id).await?;
    ctx.commit(tx, tenant.id.get()).await?;
    ctx.app.hints.give(Topic::Schedules);
    Ok(view)
}

/// Completes a tenant's settings; answers what is wrong with its release and with them. Those of one
/// with a release that is not there are judged by the form that it has with this choice `otherwise`.
async fn settle_all(
    ctx: &Ctx,
    tx: &mut Tx,
    integration: &Integration,
    tenant: &mut Tenant,
    change: &Change,
    otherwise: ReleaseChoice,
) -> Result<Vec<FieldError>> {
    let Some(fault) = check_release(tx, tenant, otherwise.0).await? else {
        return settle(ctx, tx, integration, tenant, change).await;
    };
    let wished = choice_of(tenant);
    choose(tenant, otherwise);
    let mut faults = settle(ctx, tx, integration, tenant, change).await?;
    choose(tenant, wished);
    faults.insert(0, fault);
    Ok(faults)
}

/// The release that a tenant shall run, or the channel that it shall follow.
type ReleaseChoice = (Option<ReleaseId>, Option<Channel>);

fn choice_of(tenant: &Tenant) -> ReleaseChoice {
    (
        tenant.integration_release_id,
        tenant.integration_release_channel,
    )
}

fn choose(tenant: &mut Tenant, (id, channel): ReleaseChoice) {
    tenant.integration_release_id = id;
    tenant.integration_release_channel = channel;
}

/// What is wrong with the fields that a change of a tenant mentions (or a new one has, without an
/// id), each by itself: for a request of which other fields cannot be read.
pub async fn tenant_faults(
    ctx: &Ctx,
    id: Option<TenantId>,
    mentioned: &TenantPatch,
) -> Result<Vec<FieldError>> {
    ctx.require(Scope::Write)?;
    let mut before = Map::new();
    if let Some(id) = id.filter(|_| mentioned.configs.is_some()) {
        match tenants::get(&mut *ctx.read().await?, id).await {
            Ok(tenant) => before = tenant.configs,
            Err(marquetry_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(store_error(error)),
        }
    }
    Ok(Fields::mentioned(mentioned).faults(ctx, &before))
}

/// One of them, archived or not.
pub async fn tenant_get(ctx: &Ctx, id: TenantId) -> Result<TenantView> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    view(ctx, &mut tx, id).await
}

/// What a list is narrowed by.
#[derive(Debug, Clone, Default)]
pub struct TenantListing {
    /// Of one integration.
    pub integration: Option<IntegrationId>,
    /// Of one user of the host product.
    pub user_name: Option<String>,
    /// Only archived ones, or only others.
    pub archived: bool,
}

/// A page of those that fit.
pub async fn tenant_list(
    ctx: &Ctx,
    wanted: TenantListing,
    page: &PageRequest,
) -> Result<Page<TenantView>> {
    ctx.require(Scope::Read)?;
    let filter = TenantFilter {
        integration: wanted.integration,
        user_name: wanted.user_name,
        archived: wanted.archived,
        ..TenantFilter::default()
    };
    let mut tx = ctx.read().await?;
    let found = tenant_views::list(&mut tx, &filter, page)
        .await
        .map_err(store_error)?;
    let views = views(ctx, &mut tx, found.items).await?;
    Ok(Page {
        items: views,
        has_more: found.has_more,
        next: found.next,
        total: found.total,
    })
}

/// Changes what the patch mentions.
pub async fn tenant_update(ctx: &Ctx, id: TenantId, patch: TenantPatch) -> Result<TenantView> {
    ctx.require(Scope::Write)?;
    let mut tx = ctx.write().await?;
    let view = change(ctx, &mut tx, id, patch).await?;
    tx.commit().await.map_err(store_error)?;
    ctx.app.hints.give(Topic::Dispatch);
    ctx.app.hints.give(Topic::Schedules);
    Ok(view)
}

/// The change in a transaction of the caller's, who gives the hints when it is durable.
pub(crate) async fn change(
    ctx: &Ctx,
    tx: &mut WriteTx,
    id: TenantId,
    patch: TenantPatch,
) -> Result<TenantView> {
    let now = ctx.now();
    if patch.paused.is_some() {
        let tenant = tenants::get(tx, id).await.map_err(store_error)?;
        let still = turns::lock_still(tx, tenant.integration_id).await;
        still.map_err(store_error)?;
    }
    let mut tenant = lock_live(tx, id).await?;
    let was_paused = tenant.paused;
    let old_times = times(&tenant);
    let old_name = tenant.name.clone();
    let were_secret = tenant.secret_configs.clone();
    let integration = integrations::get(tx, tenant.integration_id)
        .await
        .map_err(store_error)?;
    let is_open = patch.configs.is_some();
    if patch.builds_on_secrets() {
        tenant_secrets::open(ctx, tx, &mut tenant).await?;
    }
    let named = patch.configs.as_ref();
    let change = Change {
        named: named.map(|configs| configs.keys().cloned().collect()),
        before: tenant.configs.clone(),
    };
    let otherwise = choice_of(&tenant);
    // A field that is not mentioned may be older than its rule.
    let mut faults = Fields::mentioned(&patch).faults(ctx, &change.before);
    apply(&mut tenant, patch, &integration);
    let settings = settle_all(ctx, tx, &integration, &mut tenant, &change, otherwise).await?;
    faults.extend(check::together(&tenant, &change.before));
    faults.extend(settings);
    if tenant.name != old_name && is_name_taken(tx, &tenant).await? {
        faults.push(taken(&tenant.name));
    }
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    tenant.modified_at = now;
    if tenant.configs != change.before {
        keep_configs(tx, id, change.before, &were_secret, &tenant).await?;
    }
    let secrets = &were_secret;
    let before = tenant_secrets::Before { secrets, is_open };
    tenant_secrets::seal(ctx, tx, &mut tenant, before, now).await?;
    tenants::update(tx, &tenant)
        .await
        .map_err(|error| rename_error(error, || name_taken(&tenant.name)))?;
    // A tick that is due now and not yet made shall not be lost by another change.
    let new_times = times(&tenant);
    if new_times != old_times {
        schedules::plan(tx, &tenant, now).await?;
    }
    if was_paused != tenant.paused {
        let kind = if tenant.paused {
            DecisionKind::Paused
        } else {
            DecisionKind::Resumed
        };
        decisions::insert(tx, &[noted(id, kind, now)])
            .await
            .map_err(store_error)?;
    }
    if was_paused && !tenant.paused {
        tenant_states::update_resumed(tx, tenant.integration_id, Some(id), now)
            .await
            .map_err(store_error)?;
    }
    view(ctx, tx, id).await
}

/// Keeps the settings before a change, for reruns of the runs that had them. Secrets are always the
/// present ones, so that none is kept: neither what was one, nor what has become one.
async fn keep_configs(
    tx: &mut Tx,
    id: TenantId,
    mut before: Map<String, Value>,
    were_secret: &BTreeSet<String>,
    tenant: &Tenant,
) -> Result<()> {
    before.retain(|name, _| !were_secret.contains(name) && !tenant.secret_configs.contains(name));
    tenant_configs::insert(tx, id, &before)
        .await
        .map_err(store_error)
}

/// What decides when a tenant is due.
fn times(tenant: &Tenant) -> (Option<String>, Option<String>, bool) {
    (
        tenant.schedule.clone(),
        tenant.timezone.clone(),
        tenant.paused,
    )
}

/// Archives it: what waits is cancelled, a live run ends by itself.
pub async fn tenant_archive(ctx: &Ctx, id: TenantId) -> Result<TenantView> {
    ctx.require(Scope::Write)?;
    let mut tx = ctx.write().await?;
    let view = archive(ctx, &mut tx, id).await?;
    tx.commit().await.map_err(store_error)?;
    ctx.app.hints.give(Topic::Tenant(id));
    Ok(view)
}

/// The same in a transaction of the caller's, who gives the hint when it is durable.
pub(crate) async fn archive(ctx: &Ctx, tx: &mut WriteTx, id: TenantId) -> Result<TenantView> {
    let now = ctx.now();
    let mut tenant = lock_live(tx, id).await?;
    cancel_waiting(tx, id, now).await?;
    // Nobody can use its credentials any more, so nobody shall be able to steal them.
    connections::disconnect_tenant(tx, id, now)
        .await
        .map_err(store_error)?;
    tenant.archived_at = Some(now);
    tenant.modified_at = now;
    tenants::update(tx, &tenant).await.map_err(store_error)?;
    view(ctx, tx, id).await
}

fn apply(tenant: &mut Tenant, patch: TenantPatch, integration: &Integration) {
    if let Some(name) = patch.name {
        tenant.name = name;
    }
    // As when it is made: an empty name is none.
    patch.user_name.apply(&mut tenant.user_name);
    tenant.user_name = tenant.user_name.take().filter(|name| !name.is_empty());
    if patch.replace_configs {
        tenant.configs.clear();
    }
    for (key, value) in patch.configs.unwrap_or_default() {
        if value.is_null() {
            tenant.configs.remove(&key);
        } else {
            tenant.configs.insert(key, value);
        }
    }
    let before = tenant.user_schedule.clone();
    let asks = patch.user_schedule.is_mentioned();
    patch.user_schedule.apply(&mut tenant.user_schedule);
    // The same wish again, as a form sends it with every change, moves nothing. None may end a
    // schedule that came from the integration's default.
    if asks && (tenant.user_schedule != before || before.is_none()) {
        let asked = tenant.user_schedule.as_deref();
        tenant.schedule = asked.map(|asked| schedules::as_run(asked, integration, tenant.id));
    }
    patch.timezone.apply(&mut tenant.timezone);
    if let Some(paused) = patch.paused {
        tenant.paused = paused;
    }
    let (id, channel) = (
        patch.integration_release_id,
        patch.integration_release_channel,
    );
    if matches!(id, Patch::Set(_)) && !matches!(channel, Patch::Set(_)) {
        tenant.integration_release_channel = None;
    }
    if matches!(channel, Patch::Set(_)) && !matches!(id, Patch::Set(_)) {
        tenant.integration_release_id = None;
    }
    id.apply(&mut tenant.integration_release_id);
    channel.apply(&mut tenant.integration_release_channel);
    if tenant.integration_release_id.is_none() && tenant.integration_release_channel.is_none() {
        tenant.integration_release_channel = Some(Channel::Default);
    }
}

/// What is wrong with the release that a tenant shall run, unless it has it `already`.
async fn check_release(
    tx: &mut Tx,
    tenant: &Tenant,
    already: Option<ReleaseId>,
) -> Result<Option<FieldError>> {
    let wished = tenant.integration_release_id;
    let Some(id) = wished.filter(|_| wished != already) else {
        return Ok(None);
    };
    let claimed = releases::claim(tx, tenant.integration_id, id).await?;
    let fault = |why| FieldError::body("integration_release_id", why);
    Ok(claimed.err().map(fault))
}

/// One that may be changed: an archived one is as good as gone.
pub(crate) async fn lock_live(tx: &mut WriteTx, id: TenantId) -> Result<Tenant> {
    let tenant = tenants::lock(tx, id).await.map_err(store_error)?;
    if tenant.archived_at.is_some() {
        return Err(Error::not_found(TenantId::KIND, id));
    }
    Ok(tenant)
}

/// Whether another one of its integration has its name.
async fn is_name_taken(tx: &mut Tx, tenant: &Tenant) -> Result<bool> {
    let Tenant {
        id,
        integration_id,
        name,
        ..
    } = tenant;
    tenants::find_name_taken(tx, *integration_id, name, *id)
        .await
        .map_err(store_error)
}

fn taken(name: &str) -> FieldError {
    let message = format!("the integration has a tenant named {name}; choose another name");
    FieldError::body("name", message)
}

fn name_taken(name: &str) -> Error {
    Error::Invalid(vec![taken(name)])
}

async fn view(ctx: &Ctx, tx: &mut Tx, id: TenantId) -> Result<TenantView> {
    let found = tenant_views::get(tx, id).await.map_err(store_error)?;
    let mut views = views(ctx, tx, vec![found]).await?;
    views
        .pop()
        .ok_or_else(|| Error::internal("a view of one tenant is one view"))
}

/// One more statement for the runs of the whole page, however long it is.
async fn views(
    ctx: &Ctx,
    tx: &mut Tx,
    mut found: Vec<tenant_views::TenantView>,
) -> Result<Vec<TenantView>> {
    let problems = judge(ctx, tx, &mut found).await?;
    let mut wanted: Vec<RunId> = found
        .iter()
        .flat_map(|t| [t.current_run_id, t.last_run_id, t.last_successful_run_id])
        .flatten()
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let runs = run_views::list_by_id(tx, &wanted, STATUS_TRIGGERS)
        .await
        .map_err(store_error)?;
    let runs: HashMap<RunId, RunView> = runs.into_iter().map(|view| (view.run.id, view)).collect();
    let run = |id: Option<RunId>| id.and_then(|id| runs.get(&id).cloned());
    let connected = found.iter().filter(|it| !it.connectors.is_empty());
    let connected: Vec<_> = connected
        .map(|it| (it.tenant.id, it.tenant.integration_id))
        .collect();
    let states = States::read(tx, &connected).await?;
    let views = found.into_iter().zip(problems);
    let views = views.map(|(found, configs_problems)| TenantView {
        configs_problems,
        current_run: run(found.current_run_id),
        last_run: run(found.last_run_id),
        last_successful_run: run(found.last_successful_run_id),
        connectors: states.of(
            found.tenant.id,
            found.tenant.integration_id,
            &found.connectors,
        ),
        tenant: found.tenant,
    });
    Ok(views.collect())
}
