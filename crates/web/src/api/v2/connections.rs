//! Connections of tenants, and those that all tenants of an integration share.

use axum::extract::State;
use axum::response::Response;
use marquetry_app::Ctx;
use marquetry_app::connect::links::{link_create, links_revoke};
use marquetry_app::connections::credentials::{Owner, credentials_put};
use marquetry_app::connections::disconnect::connector_disconnect;
use marquetry_app::connections::status::{self, integration_connector_list, tenant_connector_list};
use marquetry_model::{Error, IntegrationId, TenantId};
use marquetry_wire::v2::{
    ConnectConnector, ConnectLink, ConnectorState, ErrorMessage, RevokedLinks, SetValues,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Answer;
use super::paths::{IntegrationConnectorPath, IntegrationPath, TenantConnectorPath, TenantPath};
use super::provisioning::texts;
use crate::extract::{Caller, Checked, Credentials, Json, JsonOrNothing, json_body, params};
use crate::once::{Once, once, shown_once};
use crate::openapi::Refusals;
use crate::reply;
use crate::state::Web;

json_body!(ConnectConnector);

/// How credentials are taken.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CredentialsQuery {
    /// Whether they are tried at the system first, by the definition's harmless request.
    #[param(default = true)]
    check: Option<bool>,
}

params!(CredentialsQuery);

/// The connectors of a tenant, and how each stands.
#[utoipa::path(get, path = "/v2/tenants/{tenant_id}/connectors", operation_id = "listTenantConnectors",
    tag = "extension", params(TenantPath),
    responses((status = 200, description = "The connectors", body = Vec<ConnectorState>), Refusals))]
pub(crate) async fn list_of_tenant(Caller(ctx, _): Caller, input: Checked<TenantPath>) -> Answer {
    let found = tenant_connector_list(&ctx, TenantId::new(input.path.tenant_id)).await?;
    Ok(reply::ok(
        &found.into_iter().map(render).collect::<Vec<_>>(),
    ))
}

/// The global connectors of an integration, and how each stands.
#[utoipa::path(get, path = "/v2/integrations/{integration_id}/connectors",
    operation_id = "listIntegrationConnectors", tag = "extension", params(IntegrationPath),
    responses((status = 200, description = "The connectors", body = Vec<ConnectorState>), Refusals))]
pub(crate) async fn list_of_integration(
    Caller(ctx, _): Caller,
    input: Checked<IntegrationPath>,
) -> Answer {
    let id = IntegrationId::new(input.path.integration_id);
    let found = integration_connector_list(&ctx, id).await?;
    Ok(reply::ok(
        &found.into_iter().map(render).collect::<Vec<_>>(),
    ))
}

/// Writes the credentials of a tenant for a connector; they are kept only if the system takes them.
#[utoipa::path(put, path = "/v2/tenants/{tenant_id}/connectors/{connector_name}/credentials",
    operation_id = "putTenantCredentials", tag = "extension",
    params(TenantConnectorPath, CredentialsQuery), request_body = SetValues,
    responses((status = 200, description = "How it stands now", body = ConnectorState),
        (status = 409, description = "The connector is not provisioned", body = ErrorMessage), Refusals))]
pub(crate) async fn put_of_tenant(
    Caller(ctx, _): Caller<Credentials>,
    input: Checked<TenantConnectorPath, CredentialsQuery, Json<SetValues>>,
) -> Answer {
    let owner = Owner::Tenant(TenantId::new(input.path.tenant_id));
    put(
        &ctx,
        owner,
        &input.path.connector_name,
        input.query.check,
        input.body.0,
    )
    .await
}

/// Writes the credentials that all tenants of an integration share for a global connector.
#[utoipa::path(put, path = "/v2/integrations/{integration_id}/connectors/{connector_name}/credentials",
    operation_id = "putIntegrationCredentials", tag = "extension",
    params(IntegrationConnectorPath, CredentialsQuery), request_body = SetValues,
    responses((status = 200, description = "How it stands now", body = ConnectorState),
        (status = 409, description = "The connector is not provisioned", body = ErrorMessage), Refusals))]
pub(crate) async fn put_of_integration(
    Caller(ctx, _): Caller<Credentials>,
    input: Checked<IntegrationConnectorPath, CredentialsQuery, Json<SetValues>>,
) -> Answer {
    let owner = Owner::Integration(IntegrationId::new(input.path.integration_id));
    put(
        &ctx,
        owner,
        &input.path.connector_name,
        input.query.check,
        input.body.0,
    )
    .await
}

async fn put(ctx: &Ctx, owner: Owner, name: &str, check: Option<bool>, body: SetValues) -> Answer {
    let values = texts(body.values)?;
    let state = credentials_put(ctx, owner, name, values, check.unwrap_or(true)).await?;
    Ok(reply::ok(&render(state)))
}

/// Answers where a browser consents at the provider or enters credentials for a tenant.
#[utoipa::path(post, path = "/v2/tenants/{tenant_id}/connectors/{connector_name}/connect",
    operation_id = "connectTenantConnector", tag = "extension", params(TenantConnectorPath),
    request_body = Option<ConnectConnector>,
    responses((status = 200, description = "Where", body = ConnectLink),
        (status = 409, description = "The connector is not provisioned", body = ErrorMessage), Refusals))]
pub(crate) async fn connect_of_tenant(
    State(web): State<Web>,
    Caller(ctx, _): Caller<Credentials>,
    input: Checked<TenantConnectorPath, (), JsonOrNothing<ConnectConnector>>,
) -> Answer {
    let owner = Owner::Tenant(TenantId::new(input.path.tenant_id));
    let origin = web.origin(&input.headers);
    connect(
        ctx,
        owner,
        input.path.connector_name,
        input.body.0,
        (origin, input.once),
    )
    .await
}

/// The same for the connection that all tenants of an integration share.
#[utoipa::path(post, path = "/v2/integrations/{integration_id}/connectors/{connector_name}/connect",
    operation_id = "connectIntegrationConnector", tag = "extension", params(IntegrationConnectorPath),
    request_body = Option<ConnectConnector>,
    responses((status = 200, description = "Where", body = ConnectLink),
        (status = 409, description = "The connector is not provisioned", body = ErrorMessage), Refusals))]
pub(crate) async fn connect_of_integration(
    State(web): State<Web>,
    Caller(ctx, _): Caller<Credentials>,
    input: Checked<IntegrationConnectorPath, (), JsonOrNothing<ConnectConnector>>,
) -> Answer {
    let owner = Owner::Integration(IntegrationId::new(input.path.integration_id));
    let origin = web.origin(&input.headers);
    connect(
        ctx,
        owner,
        input.path.connector_name,
        input.body.0,
        (origin, input.once),
    )
    .await
}

async fn connect(
    ctx: Ctx,
    owner: Owner,
    name: String,
    wanted: ConnectConnector,
    (origin, key): (String, Option<Once>),
) -> Result<Response, crate::error::ApiError> {
    let act = |ctx: Ctx| async move {
        let made = link_create(&ctx, owner, &name, wanted.link, wanted.expires_in).await?;
        let answer = reply::ok(&ConnectLink {
            url: format!("{origin}/link/{}", made.token),
            expires_date: made.expires_at,
        });
        Ok(shown_once(answer))
    };
    let again = |_, id| async move {
        let message = format!(
            "link {id} was made by this request and its address was shown once; \
             if it did not arrive, ask for another"
        );
        Err(Error::conflict("link_shown", message).into())
    };
    once(ctx, key, act, again).await
}

/// Revokes all links to the connection of a tenant.
#[utoipa::path(delete, path = "/v2/tenants/{tenant_id}/connectors/{connector_name}/connect",
    operation_id = "revokeTenantLinks", tag = "extension", params(TenantConnectorPath),
    responses((status = 200, description = "How many there were", body = RevokedLinks), Refusals))]
pub(crate) async fn revoke_of_tenant(
    Caller(ctx, _): Caller<Credentials>,
    input: Checked<TenantConnectorPath>,
) -> Answer {
    let owner = Owner::Tenant(TenantId::new(input.path.tenant_id));
    let revoked = links_revoke(&ctx, owner, &input.path.connector_name).await?;
    Ok(reply::ok(&RevokedLinks { revoked }))
}

/// Revokes all links to the connection that all tenants of an integration share.
#[utoipa::path(delete, path = "/v2/integrations/{integration_id}/connectors/{connector_name}/connect",
    operation_id = "revokeIntegrationLinks", tag = "extension", params(IntegrationConnectorPath),
    responses((status = 200, description = "How many there were", body = RevokedLinks), Refusals))]
pub(crate) async fn revoke_of_integration(
    Caller(ctx, _): Caller<Credentials>,
    input: Checked<IntegrationConnectorPath>,
) -> Answer {
    let owner = Owner::Integration(IntegrationId::new(input.path.integration_id));
    let revoked = links_revoke(&ctx, owner, &input.path.connector_name).await?;
    Ok(reply::ok(&RevokedLinks { revoked }))
}

/// Forgets the credentials of a tenant for a connector, and gives them back to the provider where it takes them.
#[utoipa::path(patch, path = "/v2/tenants/{tenant_id}/connectors/{connector_name}/disconnect",
    operation_id = "disconnectConnector", params(TenantConnectorPath),
    responses((status = 200, description = "How it stands now", body = ConnectorState), Refusals))]
pub(crate) async fn disconnect_of_tenant(
    Caller(ctx, _): Caller<Credentials>,
    input: Checked<TenantConnectorPath>,
) -> Answer {
    let owner = Owner::Tenant(TenantId::new(input.path.tenant_id));
    let state = connector_disconnect(&ctx, owner, &input.path.connector_name).await?;
    Ok(reply::ok(&render(state)))
}

/// Forgets the credentials that all tenants of an integration share for a global connector.
#[utoipa::path(patch, path = "/v2/integrations/{integration_id}/connectors/{connector_name}/disconnect",
    operation_id = "disconnectIntegrationConnector", tag = "extension", params(IntegrationConnectorPath),
    responses((status = 200, description = "How it stands now", body = ConnectorState), Refusals))]
pub(crate) async fn disconnect_of_integration(
    Caller(ctx, _): Caller<Credentials>,
    input: Checked<IntegrationConnectorPath>,
) -> Answer {
    let owner = Owner::Integration(IntegrationId::new(input.path.integration_id));
    let state = connector_disconnect(&ctx, owner, &input.path.connector_name).await?;
    Ok(reply::ok(&render(state)))
}

fn render(state: status::ConnectorState) -> ConnectorState {
    ConnectorState {
        name: state.name,
        is_global: state.is_global,
        status: state.status,
        reason: state.reason,
        last_change: state.changed_at,
        checked_date: state.checked_at,
        expires_date: state.expires_at,
    }
}
