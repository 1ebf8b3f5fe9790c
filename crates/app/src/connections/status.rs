//! What can be said of connections, without opening one.

use std::collections::HashMap;

use marquetry_model::{
    Connection, ConnectionStatus, Connector, Integration, IntegrationId, Result, Scope, TenantId,
    Timestamp,
};
use marquetry_store::{Tx, connections, integrations, tenants};

use crate::ctx::Ctx;
use crate::errors::store_error;

/// A connector of an integration, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorState {
    /// Its name.
    pub name: String,
    /// Whether all tenants share it.
    pub is_global: bool,
    /// How it stands.
    pub status: ConnectionStatus,
    /// Why it is not well.
    pub reason: Option<String>,
    /// When that became so.
    pub changed_at: Option<Timestamp>,
    /// When it last worked, as far as the platform tried.
    pub checked_at: Option<Timestamp>,
    /// When its access token ends.
    pub expires_at: Option<Timestamp>,
}

/// Of a connection.
pub(crate) fn state_of(row: &Connection) -> ConnectorState {
    ConnectorState {
        name: row.of.connector.clone(),
        is_global: row.of.tenant_id.is_none(),
        status: row.status,
        reason: row.reason.clone(),
        changed_at: Some(row.changed_at),
        checked_at: row.checked_at,
        expires_at: row.expires_at,
    }
}

fn never(connector: &Connector) -> ConnectorState {
    ConnectorState {
        name: connector.name.clone(),
        is_global: connector.is_global,
        status: ConnectionStatus::Disconnected,
        reason: None,
        changed_at: None,
        checked_at: None,
        expires_at: None,
    }
}

/// Connections, to be looked up by whose they are.
pub(crate) struct States(HashMap<(Option<TenantId>, IntegrationId, String), ConnectorState>);

impl States {
    /// Those of tenants, each with its integration.
    pub(crate) async fn read(tx: &mut Tx, of: &[(TenantId, IntegrationId)]) -> Result<Self> {
        if of.is_empty() {
            return Ok(Self(HashMap::new()));
        }
        let tenants: Vec<TenantId> = of.iter().map(|it| it.0).collect();
        let mut shared: Vec<IntegrationId> = of.iter().map(|it| it.1).collect();
        shared.sort_unstable();
        shared.dedup();
        let found = connections::list(tx, &tenants, &shared).await;
        let found = found.map_err(store_error)?.into_iter();
        let by_owner = found.map(|row| {
            let state = state_of(&row);
            (
                (row.of.tenant_id, row.of.integration_id, row.of.connector),
                state,
            )
        });
        Ok(Self(by_owner.collect()))
    }

    /// Each connector of a tenant's integration.
    pub(crate) fn of(
        &self,
        tenant: TenantId,
        integration: IntegrationId,
        all: &[Connector],
    ) -> Vec<ConnectorState> {
        let state = |connector: &Connector| {
            let owner = (!connector.is_global).then_some(tenant);
            let found = self.0.get(&(owner, integration, connector.name.clone()));
            found.cloned().unwrap_or_else(|| never(connector))
        };
        all.iter().map(state).collect()
    }
}

/// The connectors of a tenant and how each stands.
pub async fn tenant_connector_list(ctx: &Ctx, id: TenantId) -> Result<Vec<ConnectorState>> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    let tenant = tenants::get(&mut tx, id).await.map_err(store_error)?;
    let integration = integrations::get(&mut tx, tenant.integration_id).await;
    let integration = integration.map_err(store_error)?;
    let states = States::read(&mut tx, &[(id, integration.id)]).await?;
    Ok(states.of(id, integration.id, &integration.connectors))
}

/// The global connectors of an integration and how each stands.
pub async fn integration_connector_list(
    ctx: &Ctx,
    id: IntegrationId,
) -> Result<Vec<ConnectorState>> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    let integration = integrations::get(&mut tx, id).await.map_err(store_error)?;
    let found = connections::list(&mut tx, &[], &[id])
        .await
        .map_err(store_error)?;
    let shared = globals(&integration);
    let state = |connector: &Connector| {
        let mut found = found
            .iter()
            .filter(|row| row.of.connector == connector.name);
        found.next().map_or_else(|| never(connector), state_of)
    };
    Ok(shared.map(state).collect())
}

fn globals(integration: &Integration) -> impl Iterator<Item = &Connector> {
    integration.connectors.iter().filter(|it| it.is_global)
}
