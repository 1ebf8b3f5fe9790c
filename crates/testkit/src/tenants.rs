//! Tenants, as a test wants them.

use marquetry_app::tenants::TenantCreate;
use marquetry_model::{IntegrationId, TenantSource};
use serde_json::Map;

/// A tenant that differs from the default in nothing but its name.
pub fn tenant_named(name: &str, integration: IntegrationId) -> TenantCreate {
    TenantCreate {
        name: name.to_owned(),
        integration_id: integration,
        user_name: None,
        source: TenantSource::Api,
        user_schedule: None,
        timezone: None,
        integration_release_id: None,
        integration_release_channel: None,
        configs: Map::new(),
        paused: None,
    }
}
