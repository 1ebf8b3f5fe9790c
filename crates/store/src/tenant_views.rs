//! Tenants as answers show them: their settings stay the text that they are stored as, and the runs
//! of their state come with the same statement.

use marquetry_model::{Connector, Page, PageRequest, ReleaseId, RunId, Tenant, TenantId};
use serde_json::value::RawValue;

use crate::dialect::Dialect;
use crate::query::position;
use crate::tenants::{SELECT, TenantFilter, read, selected};
use crate::value::{Reader, values};
use crate::{Result, Tx};

/// A tenant whose settings are only repeated.
pub type ShownTenant = Tenant<Box<RawValue>>;

/// What an answer about a tenant is made of.
#[derive(Debug, Clone)]
pub struct TenantView {
    /// The tenant.
    pub tenant: ShownTenant,
    /// The live run.
    pub current_run_id: Option<RunId>,
    /// The run that ended last.
    pub last_run_id: Option<RunId>,
    /// The run that succeeded last.
    pub last_successful_run_id: Option<RunId>,
    /// The integration's connectors.
    pub connectors: Vec<Connector>,
    /// The release that the integration calls its default, when it is a fixed one.
    pub default_release_id: Option<ReleaseId>,
    /// The release that `Latest` means now.
    pub latest_release_id: Option<ReleaseId>,
}

/// One of them, archived or not.
pub async fn get(tx: &mut Tx, id: TenantId) -> Result<TenantView> {
    let page = format!("{SELECT} WHERE id = $1");
    let sql = with_state(tx.dialect(), &page, None);
    let found = tx.read_rows(&sql, &values![id], read_view).await?.pop();
    Tx::found(found, TenantId::KIND, id)
}

/// Those that fit.
pub async fn list(
    tx: &mut Tx,
    wanted: &TenantFilter,
    request: &PageRequest,
) -> Result<Page<TenantView>> {
    let selected = selected(tx, wanted, request).await?;
    let sql = with_state(tx.dialect(), &selected.sql, Some(&selected.order));
    let read = |row: &mut Reader<'_>| Ok((position(row)?, read_view(row)?));
    let found = tx.read_rows(&sql, &selected.values, read).await?;
    Ok(selected.page(found))
}

/// Each tenant has one state and one integration.
fn with_state(dialect: Dialect, page: &str, order: Option<&str>) -> String {
    let state = dialect.beside("tenant_states", "s", "id", "tenant_id", 1);
    let integration = dialect.beside("integrations", "i", "integration_id", "id", 1);
    let order = order.map_or_else(String::new, |order| dialect.kept_order(order));
    format!(
        "SELECT p.*, s.current_run_id, s.last_run_id, s.last_successful_run_id,
            i.connectors, i.default_release_id,
            (SELECT r.id FROM releases r WHERE r.integration_id = p.integration_id
                AND r.counts_as_latest = 1 ORDER BY r.id DESC LIMIT 1)
        FROM ({page}) AS p{state}{integration}{order}"
    )
}

fn read_view(row: &mut Reader<'_>) -> Result<TenantView> {
    Ok(TenantView {
        tenant: read(row)?,
        current_run_id: row.opt_i64()?.map(RunId::new),
        last_run_id: row.opt_i64()?.map(RunId::new),
        last_successful_run_id: row.opt_i64()?.map(RunId::new),
        connectors: row.json()?,
        default_release_id: row.opt_i64()?.map(ReleaseId::new),
        latest_release_id: row.opt_i64()?.map(ReleaseId::new),
    })
}
