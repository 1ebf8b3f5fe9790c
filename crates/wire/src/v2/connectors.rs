//! Connectors and connections.

use std::collections::BTreeMap;
use std::fmt;

use marquetry_model::{ConnectionStatus, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::words;

/// How a system is connected. Its whole schema is at `/schemas/connector.json`.
#[derive(ToSchema)]
pub struct ConnectorDefinition {
    /// Its name, as `slack-oauth`.
    pub name: String,
    /// The system's name.
    pub title: String,
    /// What the system is.
    pub description: Option<String>,
    /// The provider's pages that the facts come from.
    #[schema(required = false)]
    pub sources: Vec<String>,
    /// What it is for.
    #[schema(required = false)]
    pub categories: Vec<String>,
    /// How it knows who calls: `kind`, what belongs to it, and where the credential goes (`inject`).
    #[schema(value_type = HashMap<String, Value>)]
    pub auth: Value,
    /// What the company that offers the integration gives once.
    #[schema(required = false)]
    pub provisioning: Vec<ConnectorField>,
    /// What each tenant enters.
    #[schema(required = false)]
    pub fields: Vec<ConnectorField>,
    /// Where relative addresses of calls begin.
    pub base_url: Option<String>,
    /// The hosts that may be sent a credential.
    #[schema(required = false)]
    pub hosts: Vec<String>,
    /// A harmless request that shows whether a connection works.
    #[schema(required = false, value_type = HashMap<String, Value>)]
    pub check: Value,
    /// What the system can tell by itself.
    #[schema(required = false, value_type = HashMap<String, Value>)]
    pub webhook: Value,
    /// Further values for code, by name: templates over all others.
    #[schema(required = false, value_type = HashMap<String, String>)]
    pub secrets: Value,
    /// Values that code is not given.
    #[schema(required = false)]
    pub hidden: Vec<String>,
    /// What to tell an administrator about making an app at the provider.
    pub setup: Option<String>,
    /// What to tell who connects.
    pub help: Option<String>,
    /// Where it comes from: `built_in`, `file` or `custom`. Answered; not looked at when it is sent.
    #[schema(required = false)]
    pub origin: String,
    /// Whether another one of its name is hidden by it. Answered; not looked at when it is sent.
    #[schema(required = false)]
    pub overrides: bool,
}

/// A field of a definition.
#[derive(ToSchema)]
pub struct ConnectorField {
    /// Its name.
    pub name: String,
    /// What people read.
    #[schema(required = false)]
    pub label: String,
    /// What it holds: `text`, `multiline`, `url`, `host`, `number`, `json`, `select`.
    #[schema(rename = "type", required = false)]
    pub kind: String,
    /// Whether nobody may read it again.
    #[schema(required = false, default = false)]
    pub secret: bool,
    /// Whether it must be filled.
    #[schema(required = false, default = false)]
    pub required: bool,
    /// Where people find the value.
    pub help: Option<String>,
    /// An example.
    pub placeholder: Option<String>,
    /// A regular expression that the whole value must match.
    pub pattern: Option<String>,
    /// What it is where nobody fills it.
    pub default: Option<String>,
    /// What can be selected: `value` and `label` of each.
    #[schema(required = false, value_type = Vec<HashMap<String, String>>)]
    pub options: Vec<Value>,
}

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
