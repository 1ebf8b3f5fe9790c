//! Tenants, and the release that each would run now.

use marquetry_model::{
    Channel, IntegrationId, PageRequest, ReleaseId, Tenant, TenantId, Timestamp,
};
use serde::de::DeserializeOwned;

use crate::dialect::Dialect;
use crate::query::{Filter, List, Selected, json, read_all, read_one};
use crate::value::{Reader, Value, values};
use crate::{Result, Tx};

macro_rules! columns {
    () => {
        "id, integration_id, name, user_name, source, configs, paused, user_schedule, schedule, \
         timezone, integration_release_id, integration_release_channel, dynamic_configs, \
         secret_configs, archived_at, created_at, modified_at, configs_version"
    };
}

const INSERT: &str =
    "INSERT INTO tenants (integration_id, name, user_name, source, configs, paused,
        user_schedule, schedule, timezone, integration_release_id, integration_release_channel,
        dynamic_configs, secret_configs, archived_at, created_at, modified_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
    ON CONFLICT DO NOTHING RETURNING id";
const INSERT_STATE: &str = "INSERT INTO tenant_states (tenant_id, integration_id, waiting)
    VALUES ($1, $2, 0)";
const UPDATE: &str =
    "UPDATE tenants SET integration_id = $1, name = $2, user_name = $3, source = $4,
        configs = $5, paused = $6, user_schedule = $7, schedule = $8, timezone = $9,
        integration_release_id = $10, integration_release_channel = $11, dynamic_configs = $12,
        secret_configs = $13, archived_at = $14, created_at = $15, modified_at = $16
    WHERE id = $17";
/// The statement whose rows [`read`] takes.
pub(crate) const SELECT: &str = concat!("SELECT ", columns!(), " FROM tenants");
const GET: &str = concat!("SELECT ", columns!(), " FROM tenants WHERE id = $1");
const NAME_TAKEN: &str = "SELECT id FROM tenants
    WHERE integration_id = $1 AND name = $2 AND archived_at IS NULL AND id <> $3";
/// Its lists.
pub const LIST: List = List {
    select: SELECT,
    count: "SELECT COUNT(*) FROM tenants",
    sorts: &[
        ("id", "id"),
        ("name", "name"),
        (
            "archived",
            "CASE WHEN archived_at IS NULL THEN 0 ELSE 1 END",
        ),
        ("integration_id", "integration_id"),
        ("user_name", "user_name"),
        ("source", "source"),
        ("paused", "paused"),
        ("user_schedule", "user_schedule"),
        ("schedule", "schedule"),
        ("timezone", "timezone"),
        ("integration_release_id", "integration_release_id"),
        ("integration_release_channel", "integration_release_channel"),
        ("created_date", "created_at"),
        ("modified_date", "modified_at"),
    ],
    order: "id",
};

/// Adds one with its empty state; none when an unarchived one of the integration has the name.
pub async fn insert(tx: &mut Tx, tenant: &Tenant) -> Result<Option<TenantId>> {
    let Some(row) = tx.row(INSERT, &values_of(tenant)).await? else {
        return Ok(None);
    };
    let id = TenantId::new(row.reader().i64()?);
    tx.execute(INSERT_STATE, &values![id, tenant.integration_id])
        .await?;
    Ok(Some(id))
}

/// Writes all of it but the version of its settings: [`crate::tenant_configs::insert`] raises that.
pub async fn update(tx: &mut Tx, tenant: &Tenant) -> Result<()> {
    let mut row = values_of(tenant).to_vec();
    row.push(tenant.id.into());
    let changed = tx.execute(UPDATE, &row).await?;
    Tx::found((changed == 1).then_some(()), TenantId::KIND, tenant.id)
}

/// One of them, archived or not.
pub async fn get(tx: &mut Tx, id: TenantId) -> Result<Tenant> {
    let found = read_one(tx.row(GET, &values![id]).await?, read)?;
    Tx::found(found, TenantId::KIND, id)
}

/// These of them, in no order.
pub async fn list(tx: &mut Tx, ids: &[TenantId]) -> Result<Vec<Tenant>> {
    let sql = format!("{SELECT} WHERE id IN {}", tx.dialect().id_list(1));
    tx.read_rows(&sql, &values![json(&ids)], read).await
}

/// One of them, for a change.
pub async fn lock(tx: &mut Tx, id: TenantId) -> Result<Tenant> {
    let sql = format!("{GET}{}", tx.dialect().for_update());
    let found = read_one(tx.row(&sql, &values![id]).await?, read)?;
    Tx::found(found, TenantId::KIND, id)
}

/// Whether a tenant is paused, and whether its integration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// The tenant.
    pub tenant: bool,
    /// Its integration.
    pub integration: bool,
}

/// Whether they are paused as was read before [`turns::try_still`](crate::turns::try_still). SQLite has
/// one writer, so nobody has changed them since.
pub async fn is_paused_as(tx: &mut Tx, id: TenantId, known: Pauses) -> Result<bool> {
    const SQL: &str = "SELECT t.paused, i.paused
        FROM tenants t JOIN integrations i ON i.id = t.integration_id WHERE t.id = $1";
    if tx.dialect() == Dialect::Sqlite {
        return Ok(true);
    }
    let found = read_one(tx.row(SQL, &values![id]).await?, |row| {
        Ok(Pauses {
            tenant: row.bool()?,
            integration: row.bool()?,
        })
    })?;
    Ok(found == Some(known))
}

/// Takes the rows of tenants for a change, in the order of their ids: who changes several takes all of
/// them before anything else of theirs, so that none waits in a circle.
pub async fn lock_all(tx: &mut Tx, ids: &[TenantId]) -> Result<()> {
    let sql = format!(
        "SELECT id FROM tenants WHERE id IN {} ORDER BY id{}",
        tx.dialect().id_list(1),
        tx.dialect().for_update()
    );
    tx.rows(&sql, &values![json(&ids)]).await?;
    Ok(())
}

/// Whether another unarchived tenant of the integration has the name.
pub async fn find_name_taken(
    tx: &mut Tx,
    integration: IntegrationId,
    name: &str,
    besides: TenantId,
) -> Result<bool> {
    Ok(tx
        .row(NAME_TAKEN, &values![integration, name, besides])
        .await?
        .is_some())
}

/// The unarchived ones of the integration whose customer's user has this id, newest first, at most a hundred.
pub async fn list_by_user_name(
    tx: &mut Tx,
    integration: IntegrationId,
    user_name: &str,
) -> Result<Vec<Tenant>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM tenants WHERE integration_id = $1 AND user_name = $2 AND archived_at IS NULL
        ORDER BY id DESC LIMIT 100"
    );
    read_all(tx.rows(SQL, &values![integration, user_name]).await?, read)
}

/// Tenants of an integration, archived or not, that come after one of them, by id; at most `limit`.
pub async fn list_after(
    tx: &mut Tx,
    integration: IntegrationId,
    after: TenantId,
    limit: i64,
) -> Result<Vec<Tenant>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM tenants WHERE integration_id = $1 AND id > $2 ORDER BY id LIMIT $3"
    );
    let rows = tx.rows(SQL, &values![integration, after, limit]).await?;
    read_all(rows, read)
}

/// What a list of tenants is narrowed by.
#[derive(Debug, Clone, Default)]
pub struct TenantFilter {
    /// Of one integration.
    pub integration: Option<IntegrationId>,
    /// Of one user of the host product.
    pub user_name: Option<String>,
    /// Only archived ones, or only others.
    pub archived: bool,
    /// These.
    pub ids: Option<Vec<TenantId>>,
    /// Paused ones, or others.
    pub paused: Option<bool>,
    /// With this release.
    pub release: Option<ReleaseId>,
    /// Following this channel.
    pub channel: Option<Channel>,
}

/// The page of those that fit.
pub(crate) async fn selected(
    tx: &mut Tx,
    wanted: &TenantFilter,
    request: &PageRequest,
) -> Result<Selected> {
    let filter = filter_of(tx, wanted);
    LIST.select(tx, filter, request).await
}

fn filter_of(tx: &Tx, wanted: &TenantFilter) -> Filter {
    let mut filter = Filter::new();
    filter.when(if wanted.archived {
        "archived_at IS NOT NULL"
    } else {
        "archived_at IS NULL"
    });
    if let Some(integration) = wanted.integration {
        filter.equal("integration_id = ?", integration);
    }
    if let Some(user_name) = &wanted.user_name {
        filter.equal("user_name = ?", user_name.as_str());
    }
    if let Some(ids) = &wanted.ids {
        filter.among("id", tx.dialect(), json(ids));
    }
    if let Some(paused) = wanted.paused {
        filter.equal("paused = ?", paused);
    }
    if let Some(release) = wanted.release {
        filter.equal("integration_release_id = ?", release);
    }
    if let Some(channel) = wanted.channel {
        filter.equal("integration_release_channel = ?", channel.as_str());
    }
    filter
}

/// The ids of those that fit, in their order, at most `most`.
pub async fn list_ids(tx: &mut Tx, wanted: &TenantFilter, most: i64) -> Result<Vec<TenantId>> {
    let filter = filter_of(tx, wanted);
    let (sql, values) = filter.statement("SELECT id FROM tenants", "id", most);
    read_all(tx.rows(&sql, &values).await?, |row| {
        row.i64().map(TenantId::new)
    })
}

/// Replaces the options that init runs found.
pub async fn update_dynamic_configs(
    tx: &mut Tx,
    id: TenantId,
    dynamic_configs: &serde_json::Map<String, serde_json::Value>,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "UPDATE tenants SET dynamic_configs = $2, modified_at = $3 WHERE id = $1";
    tx.execute(SQL, &values![id, json(dynamic_configs), now])
        .await?;
    Ok(())
}

fn values_of(tenant: &Tenant) -> [Value; 16] {
    let t = tenant;
    values![
        t.integration_id,
        t.name.as_str(),
        t.user_name.clone(),
        t.source.as_str(),
        json(&t.configs),
        t.paused,
        t.user_schedule.clone(),
        t.schedule.clone(),
        t.timezone.clone(),
        t.integration_release_id,
        t.integration_release_channel
            .map(marquetry_model::Channel::as_str),
        json(&t.dynamic_configs),
        json(&t.secret_configs),
        t.archived_at,
        t.created_at,
        t.modified_at
    ]
}

/// A row, with its settings as values or as text.
pub(crate) fn read<C: DeserializeOwned>(row: &mut Reader<'_>) -> Result<Tenant<C>> {
    Ok(Tenant {
        id: TenantId::new(row.i64()?),
        integration_id: IntegrationId::new(row.i64()?),
        name: row.text()?,
        user_name: row.opt_text()?,
        source: row.word()?,
        configs: row.json()?,
        paused: row.bool()?,
        user_schedule: row.opt_text()?,
        schedule: row.opt_text()?,
        timezone: row.opt_text()?,
        integration_release_id: row.opt_i64()?.map(ReleaseId::new),
        integration_release_channel: row.opt_word()?,
        dynamic_configs: row.json()?,
        secret_configs: row.json()?,
        archived_at: row.opt_time()?,
        created_at: row.time()?,
        modified_at: row.time()?,
        configs_version: row.i64()?,
    })
}
