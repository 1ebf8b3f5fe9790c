//! What is provisioned for the connectors of integrations: written, and never read back.

use std::collections::BTreeMap;

use marquetry_app::connectors::provisions::{
    Input, Provisioned, provisioning_get, provisioning_put, secret_keys as keys,
};
use marquetry_model::{Error, FieldError, IntegrationId, Loc};
use marquetry_wire::v2::{ProvisionedField, Provisioning, SecretKeys, SetValues};
use serde_json::Value;

use super::Answer;
use super::paths::IntegrationConnectorPath;
use crate::extract::{Caller, Checked, Credentials, Json, json_body};
use crate::openapi::Refusals;
use crate::reply;

json_body!(SetValues);

/// Which values are set.
#[utoipa::path(get, path = "/v2/integrations/{integration_id}/connectors/{connector_name}/provisioning",
    operation_id = "getProvisioning", tag = "extension", params(IntegrationConnectorPath),
    responses((status = 200, description = "The fields and which are set", body = Provisioning), Refusals))]
pub(crate) async fn get(
    Caller(ctx, _): Caller,
    input: Checked<IntegrationConnectorPath>,
) -> Answer {
    let IntegrationConnectorPath {
        integration_id,
        connector_name,
    } = input.path;
    let found = provisioning_get(&ctx, IntegrationId::new(integration_id), &connector_name).await?;
    Ok(reply::ok(&render(found)))
}

/// Writes all values; what is not named is forgotten.
#[utoipa::path(put, path = "/v2/integrations/{integration_id}/connectors/{connector_name}/provisioning",
    operation_id = "putProvisioning", tag = "extension", params(IntegrationConnectorPath),
    request_body = SetValues,
    responses((status = 200, description = "The fields and which are set", body = Provisioning), Refusals))]
pub(crate) async fn put(
    Caller(ctx, _): Caller<Credentials>,
    input: Checked<IntegrationConnectorPath, (), Json<SetValues>>,
) -> Answer {
    let IntegrationConnectorPath {
        integration_id,
        connector_name,
    } = input.path;
    let values = texts(input.body.0.values)?;
    let id = IntegrationId::new(integration_id);
    let found = provisioning_put(&ctx, id, &connector_name, values).await?;
    Ok(reply::ok(&render(found)))
}

/// The names of the variables that code finds when the connector is connected.
#[utoipa::path(get, path = "/v2/integrations/{integration_id}/connectors/{connector_name}/secret-keys",
    operation_id = "getSecretKeys", tag = "extension", params(IntegrationConnectorPath),
    responses((status = 200, description = "The names", body = SecretKeys), Refusals))]
pub(crate) async fn secret_keys(
    Caller(ctx, _): Caller,
    input: Checked<IntegrationConnectorPath>,
) -> Answer {
    let IntegrationConnectorPath {
        integration_id,
        connector_name,
    } = input.path;
    let names = keys(&ctx, IntegrationId::new(integration_id), &connector_name).await?;
    Ok(reply::ok(&SecretKeys { names }))
}

fn render(found: Provisioned) -> Provisioning {
    let fields = found.fields.into_iter().map(|field| ProvisionedField {
        name: field.name,
        label: field.label,
        required: field.required,
        secret: field.secret,
        set: field.set,
    });
    Provisioning {
        fields: fields.collect(),
        modified_date: found.modified_at,
    }
}

/// Values as texts: a port may be written as a number.
pub(super) fn texts(values: BTreeMap<String, Value>) -> Result<Input, Error> {
    let mut faults = Vec::new();
    let mut all = Input::new();
    for (name, value) in values {
        let text = match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            // A key file of a service account is JSON anyway.
            object @ Value::Object(_) => Some(object.to_string()),
            Value::Array(_) => {
                let mut fault = FieldError::body("values", "must be a text");
                fault.loc.push(Loc::Name(name.clone().into()));
                faults.push(fault);
                None
            }
        };
        all.insert(name, text);
    }
    if faults.is_empty() {
        Ok(all)
    } else {
        Err(Error::Invalid(faults))
    }
}
