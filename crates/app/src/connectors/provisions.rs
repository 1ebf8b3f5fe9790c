//! Provisioning: what the company that offers an integration gives for a connector, once for all tenants. It is
//! written and never read back; a run gets it, and the token endpoint.

use std::collections::BTreeMap;

use marquetry_connector::{
    Definition, Field, address_names, check_values, is_secret, variable_names,
};
use marquetry_manifest::MASK;
use marquetry_model::{
    Connector, Error, FieldError, Integration, IntegrationId, Loc, Result, Scope, Timestamp,
};
use marquetry_store::{Tx, integrations, provisions};
use marquetry_vault::Place;

use super::{KIND, get, short};
use crate::connections::SecretValues;
use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::vault::{data_key, data_key_in};

/// The kind of its data key.
const KEY: &str = "provisions";

/// A value as it comes in.
pub type Input = BTreeMap<String, Option<String>>;

/// Which values are set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// Each field of the definition, in its order.
    pub fields: Vec<ProvisionedField>,
    /// When a value was last written; none: never.
    pub modified_at: Option<Timestamp>,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvisionedField {
    /// Its name.
    pub name: String,
    /// What people read.
    pub label: String,
    /// Whether it must be set before somebody can connect.
    pub required: bool,
    /// Whether nobody may read it again.
    pub secret: bool,
    /// Whether it is set.
    pub set: bool,
}

/// Which values are set.
pub async fn provisioning_get(
    ctx: &Ctx,
    id: IntegrationId,
    connector: &str,
) -> Result<Provisioned> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    let integration = integrations::get(&mut tx, id).await.map_err(store_error)?;
    connector_of(&integration, connector)?;
    view(ctx, &mut tx, id, connector).await
}

async fn view(ctx: &Ctx, tx: &mut Tx, id: IntegrationId, connector: &str) -> Result<Provisioned> {
    let definition = get(ctx, tx, connector).await?.definition;
    let found = provisions::find(tx, id, connector).await;
    let found = found.map_err(store_error)?;
    let set = |name: &str| {
        found
            .as_ref()
            .is_some_and(|it| it.names.iter().any(|n| n == name))
    };
    let fields = definition.provisioning.iter();
    let fields = fields.map(|field| ProvisionedField {
        set: set(&field.name),
        name: field.name.clone(),
        label: field.label.clone(),
        required: field.required,
        secret: field.secret,
    });
    Ok(Provisioned {
        fields: fields.collect(),
        modified_at: found
            .filter(|it| !it.names.is_empty())
            .map(|it| it.modified_at),
    })
}

/// Writes all values: what is not named is forgotten, a mask keeps what is there.
///
/// # Errors
///
/// Each field that is wrong; nothing is written then.
pub async fn provisioning_put(
    ctx: &Ctx,
    id: IntegrationId,
    connector: &str,
    input: Input,
) -> Result<Provisioned> {
    ctx.require(Scope::Credentials)?;
    let mut tx = ctx.write().await?;
    let integration = integrations::lock(&mut tx, id).await.map_err(store_error)?;
    if integration.archived_at.is_some() {
        return Err(Error::not_found(IntegrationId::KIND, id));
    }
    connector_of(&integration, connector)?;
    let definition = get(ctx, &mut tx, connector).await?.definition;
    let former = match provisions::find(&mut tx, id, connector)
        .await
        .map_err(store_error)?
    {
        Some(found) if !found.sealed.is_empty() => {
            let key = data_key_in(ctx, &mut tx, KEY).await?;
            SecretValues::open(&key, place(found.id), &found.sealed)?
        }
        _ => SecretValues::default(),
    };
    let values = merged(&definition, &definition.provisioning, input, &former)?;
    let now = ctx.now();
    let row = provisions::ensure(&mut tx, id, connector, now).await;
    let row = row.map_err(store_error)?;
    let names: Vec<String> = values.names().map(str::to_owned).collect();
    let key = data_key_in(ctx, &mut tx, KEY).await?;
    let sealed = values.seal(&key, place(row))?;
    let done = provisions::update(&mut tx, row, &names, &sealed, now).await;
    done.map_err(store_error)?;
    let view = view(ctx, &mut tx, id, connector).await?;
    tx.commit().await.map_err(store_error)?;
    Ok(view)
}

/// The names of the variables that code will find.
pub async fn secret_keys(ctx: &Ctx, id: IntegrationId, connector: &str) -> Result<Vec<String>> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    let integration = integrations::get(&mut tx, id).await.map_err(store_error)?;
    connector_of(&integration, connector)?;
    let definition = get(ctx, &mut tx, connector).await?.definition;
    Ok(variable_names(&definition))
}

/// The connector of an integration.
pub(crate) fn connector_of<'a>(integration: &'a Integration, name: &str) -> Result<&'a Connector> {
    let found = integration.connectors.iter().find(|it| it.name == name);
    found.ok_or_else(|| {
        Error::not_found(
            KIND,
            format!("{} of integration {}", short(name), integration.id),
        )
    })
}

/// What is provisioned, sealed as it lies there; opened by [`open`] when the transaction has ended.
pub(crate) async fn sealed(
    tx: &mut Tx,
    id: IntegrationId,
    connector: &str,
) -> Result<Option<(i64, String)>> {
    let found = provisions::find(tx, id, connector).await;
    let found = found.map_err(store_error)?;
    Ok(found
        .filter(|it| !it.sealed.is_empty())
        .map(|it| (it.id, it.sealed)))
}

/// Opens what [`sealed`] found.
pub(crate) async fn open(ctx: &Ctx, sealed: Option<(i64, String)>) -> Result<SecretValues> {
    match sealed {
        Some((row, sealed)) => {
            let key = data_key(ctx, KEY).await?;
            SecretValues::open(&key, place(row), &sealed)
        }
        None => Ok(SecretValues::default()),
    }
}

/// Values that came in, judged; a mask stands for what is there, as long as that goes where it went before.
pub(crate) fn merged(
    definition: &Definition,
    fields: &[Field],
    input: Input,
    former: &SecretValues,
) -> Result<SecretValues> {
    let mut values = BTreeMap::new();
    let mut kept = Vec::new();
    for (name, value) in input {
        let value = match value {
            Some(value) if value == MASK => {
                kept.push(name.clone());
                former.get(&name).map(str::to_owned)
            }
            other => other,
        };
        let Some(value) = value else { continue };
        // What is pasted has often a blank or a line end behind it.
        let value = value.trim().to_owned();
        if !value.is_empty() {
            values.insert(name, value);
        }
    }
    let faults = check_values(fields, &values, true).into_iter();
    let mut faults: Vec<FieldError> = faults
        .map(|fault| value_fault(&fault.name, fault.message))
        .collect();
    faults.extend(moved(definition, &values, &kept, former));
    if faults.is_empty() {
        Ok(SecretValues::new(values))
    } else {
        Err(Error::Invalid(faults))
    }
}

/// Who changes where a secret goes could have one sent to himself that he was not told.
fn moved(
    definition: &Definition,
    values: &BTreeMap<String, String>,
    kept: &[String],
    former: &SecretValues,
) -> Vec<FieldError> {
    let names = address_names(definition);
    let mut changed = names.iter().filter(|name| {
        let is_here = values.contains_key(*name) || former.get(name).is_some();
        is_here && values.get(*name).map(String::as_str) != former.get(name)
    });
    let Some(changed) = changed.next() else {
        return Vec::new();
    };
    let secret = kept.iter().filter(|name| is_secret(definition, name));
    let fault = |name: &String| {
        let message = format!("was given for another {changed}; enter it again");
        value_fault(name, message)
    };
    secret.map(fault).collect()
}

/// A fault of one value.
pub(crate) fn value_fault(name: &str, message: impl Into<String>) -> FieldError {
    let mut error = FieldError::body("values", message);
    error.loc.push(Loc::Name(name.to_owned().into()));
    error
}

fn place(row: i64) -> Place<'static> {
    Place {
        table: "provisions",
        column: "sealed",
        row,
    }
}
