//! Version 2, one file per resource.

mod audit;
mod builds;
mod bulk;
mod connectors;
mod errors;
mod explanations;
mod integrations;
mod keys;
mod logs;
mod nodes;
mod releases;
mod reruns;
mod runs;
mod schedules;
mod tenants;
mod triggers;
mod vault;
pub mod words;

pub use audit::AuditEntry;
pub use builds::{Build, CreateBuild, CreatedBuild, PushTaken};
pub use bulk::{BulkAction, BulkFilter, BulkItem, BulkRequest, BulkResult};
pub use connectors::{
    ConnectConnector, ConnectLink, ConnectorDefinition, ConnectorField, ConnectorState,
    ProvisionedField, Provisioning, RevokedLinks, SecretKeys, SetValues,
};
pub use errors::{ErrorDetail, ErrorMessage, HttpValidationError, LocPart, ValidationError};
pub use explanations::{Explanation, Sentence};
pub use integrations::{
    Category, Connector, Flag, Integration, IntegrationChange, IntegrationCreate, NewConnector,
    OneOrMany, PushHook, RepositoryCredential, ScheduleChoice, SetDefaultRelease, Tag,
};
pub use keys::{CreateKey, CreatedKey, Key};
pub use logs::LogEvent;
pub use nodes::Node;
pub use releases::IntegrationRelease;
pub use reruns::{Origin, OriginOrObject, Output, RerunRun, SetTenantState, TenantState};
pub use runs::{Run, RunStatus, RunTrigger, RunUsage};
pub use schedules::SchedulePreview;
pub use tenants::{
    ConfigsProblem, ConnectorStatus, CreateTenant, ReplaceTenant, Tenant, TenantAuthStatus,
    TenantMetadata, TenantStatus, UpdateTenant,
};
pub use triggers::{Trigger, TriggerDetails, TriggerStatus};
pub use vault::{RotateVault, RotatedVault, Vault, VaultKeys, VaultKind};
