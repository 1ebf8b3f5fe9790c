//! Parameters of paths.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::params;

macro_rules! paths {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Deserialize, IntoParams)]
            #[into_params(parameter_in = Path)]
            pub(crate) struct $name {
                $($(#[$field_doc])* pub(crate) $field: $kind),+
            }
        )+
        params!($($name),+);
    };
}

paths! {
    /// One integration.
    IntegrationPath {
        /// The integration.
        integration_id: i64
    }
    /// One integration, by a text: what is no number is unknown.
    IntegrationTextPath {
        /// The integration.
        integration_id: String
    }
    /// The push hook of an integration. What is wrong about it is unknown.
    PushHookPath {
        /// The integration.
        integration_id: String,
        /// What lets the host of Git in.
        token: String
    }
    /// One release of an integration.
    ReleasePath {
        /// The integration.
        integration_id: i64,
        /// The release.
        release_id: i64
    }
    /// One build.
    BuildPath {
        /// The build.
        build_id: i64
    }
    /// One tenant.
    TenantPath {
        /// The tenant.
        tenant_id: i64
    }
    /// One connector.
    ConnectorPath {
        /// The connector.
        connector_name: String
    }
    /// One connector of an integration.
    IntegrationConnectorPath {
        /// The integration.
        integration_id: i64,
        /// The connector.
        connector_name: String
    }
    /// One connector of a tenant.
    TenantConnectorPath {
        /// The tenant.
        tenant_id: i64,
        /// The connector.
        connector_name: String
    }
    /// One run.
    RunPath {
        /// The run.
        run_id: i64
    }
    /// One trigger, by a text: what is no number is unknown.
    TriggerPath {
        /// The trigger.
        trigger_id: String
    }
    /// One key.
    KeyPath {
        /// The key.
        key_id: i64
    }
}
