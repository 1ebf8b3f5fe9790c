//! What somebody did that others must be able to see later.

use marquetry_model::{ApiKeyId, IntegrationId, Page, PageRequest, TenantId, Timestamp};

use crate::query::{Filter, List};
use crate::value::{Reader, values};
use crate::{Result, Tx};

/// One act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// With which key; none: the platform itself.
    pub api_key_id: Option<ApiKeyId>,
    /// What, as `environment.plain`.
    pub action: String,
    /// Of which integration.
    pub integration_id: Option<IntegrationId>,
    /// Of which tenant.
    pub tenant_id: Option<TenantId>,
    /// What else is to be known of it.
    pub detail: Option<String>,
}

/// Their lists, newest first.
pub const LIST: List = List {
    select: "SELECT id, at, api_key_id, action, integration_id, tenant_id, detail FROM audit",
    count: "SELECT COUNT(*) FROM audit",
    sorts: &[
        ("id", "id"),
        ("date", "at"),
        ("key_id", "api_key_id"),
        ("action", "action"),
        ("integration_id", "integration_id"),
        ("tenant_id", "tenant_id"),
    ],
    order: "id DESC",
};

/// Adds one; its `id` is not looked at.
pub async fn insert(tx: &mut Tx, act: &Act) -> Result<()> {
    const SQL: &str =
        "INSERT INTO audit (at, api_key_id, action, integration_id, tenant_id, detail)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let row = values![
        act.at,
        act.api_key_id,
        act.action.as_str(),
        act.integration_id,
        act.tenant_id,
        act.detail.as_deref()
    ];
    tx.execute(SQL, &row).await?;
    Ok(())
}

/// Those of a tenant, or all of them.
pub async fn list(
    tx: &mut Tx,
    tenant: Option<TenantId>,
    request: &PageRequest,
) -> Result<Page<Act>> {
    let mut filter = Filter::new();
    if let Some(tenant) = tenant {
        filter.equal("tenant_id = ?", tenant);
    }
    LIST.page(tx, filter, request, read).await
}

/// Forgets those before this time, at most `most`; answers how many.
pub async fn delete(tx: &mut Tx, before: Timestamp, most: i64) -> Result<u64> {
    const SQL: &str =
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY id LIMIT $2)";
    tx.execute(SQL, &values![before, most]).await
}

fn read(row: &mut Reader<'_>) -> Result<Act> {
    Ok(Act {
        id: row.i64()?,
        at: row.time()?,
        api_key_id: row.opt_i64()?.map(ApiKeyId::new),
        action: row.text()?,
        integration_id: row.opt_i64()?.map(IntegrationId::new),
        tenant_id: row.opt_i64()?.map(TenantId::new),
        detail: row.opt_text()?,
    })
}
