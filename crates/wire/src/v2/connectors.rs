//! Connectors and connections.

use std::collections::BTreeMap;
use std::fmt;

use marquetry_model::{ConnectionStatus, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::words;

/// Values of fields, which are written and never read back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetValues {
    /// The values by the names of their fields. `"********"` keeps what is there; `null` is as if it were not named.
    #[schema(value_type = HashMap<String, Value>)]
    pub values: BTreeMap<String, Value>,
}

impl fmt::Debug for SetValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values.keys()).finish()
    }
}

/// What is provisioned for a connector of an integration.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Provisioning {
    /// The fields of its definition.
    pub fields: Vec<ProvisionedField>,
    /// When a value was last written.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub modified_date: Option<Timestamp>,
}

/// A field, and whether it is set.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProvisionedField {
    /// Its name.
    pub name: String,
    /// What people read.
    pub label: String,
    /// Whether it must be set before anybody can connect.
    pub required: bool,
    /// Whether nobody may read it again.
    pub secret: bool,
    /// Whether it is set.
    pub set: bool,
}

/// The names of the variables that code finds.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SecretKeys {
    /// As `PAN_SEC_SLACK_OAUTH_ACCESS_TOKEN`.
    pub names: Vec<String>,
}

/// A connector, and how its connection stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConnectorState {
    /// The connector.
    pub name: String,
    /// Whether all tenants of the integration share the connection.
    #[serde(rename = "isGlobal")]
    pub is_global: bool,
    /// How it stands.
    #[schema(value_type = words::ConnectionStatus)]
    pub status: ConnectionStatus,
    /// Why it is not well.
    pub reason: Option<String>,
    /// When the status last changed, or it was connected anew.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_change: Option<Timestamp>,
    /// When it was last tried whether it works.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub checked_date: Option<Timestamp>,
    /// When its access token ends; it is renewed before.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_date: Option<Timestamp>,
}

/// A wish to connect.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectConnector {
    /// Whether the address is for a customer: it works until it is revoked, as often as it is opened. Else it is
    /// for somebody who is there now, and works once.
    #[serde(default)]
    #[schema(default = false)]
    pub link: bool,
    /// How long it works, in seconds; none: a customer's until it is revoked, else 15 minutes.
    pub expires_in: Option<i64>,
}

/// Where somebody connects.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConnectLink {
    /// To be opened in a browser. It is told once.
    pub url: String,
    /// When it stops working.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_date: Option<Timestamp>,
}

/// What was revoked.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RevokedLinks {
    /// How many links stopped working.
    pub revoked: u64,
}
