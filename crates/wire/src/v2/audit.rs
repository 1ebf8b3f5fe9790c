//! What somebody did that others must be able to see later.

use marquetry_model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// One act.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Its number.
    pub id: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub date: Timestamp,
    /// With which key; none: the platform itself.
    pub key_id: Option<i64>,
    /// What, as `environment.plain`: secrets of a tenant were given for a run at home.
    pub action: String,
    /// Of which integration.
    pub integration_id: Option<i64>,
    /// Of which tenant.
    pub tenant_id: Option<i64>,
    /// What else is to be known of it.
    pub detail: Option<String>,
}
