//! The metadata of tenants: what runs and clients have found out about them.

use std::collections::BTreeSet;

use marquetry_manifest::{metadata_faults, metadata_options};
use marquetry_model::{Error, FieldError, Result, Scope, TenantId, TenantMetadata};
use marquetry_store::{integrations, tenant_metadata, tenants};
use serde_json::{Map, Value};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::learned::{MOST, options, shallow, size, too_large};
use crate::settings::{concerns, excuse, is_given_up, refusal};
use crate::tenants::lock_live;

/// What is known about a tenant, archived or not.
pub async fn metadata_get(ctx: &Ctx, id: TenantId) -> Result<TenantMetadata> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    tenants::get(&mut tx, id).await.map_err(store_error)?;
    let found = tenant_metadata::find(&mut tx, id)
        .await
        .map_err(store_error)?;
    Ok(found.unwrap_or_else(|| nothing(id)))
}

/// Replaces top-level keys. What then is known must fit the metadata schema of the tenant's
/// release, as far as the change answers for it; without a schema everything does.
pub async fn metadata_update(
    ctx: &Ctx,
    id: TenantId,
    change: Map<String, Value>,
) -> Result<TenantMetadata> {
    ctx.require(Scope::Write)?;
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let tenant = lock_live(&mut tx, id).await?;
    let integration = integrations::get(&mut tx, tenant.integration_id)
        .await
        .map_err(store_error)?;
    let forms = &ctx.app.forms;
    let form = forms.of_tenant(&mut tx, &integration, &tenant).await?;
    let found = tenant_metadata::find(&mut tx, id)
        .await
        .map_err(store_error)?;
    let mut known = found.unwrap_or_else(|| nothing(id));
    let before = known.data.clone();
    let has_changed = shallow(&mut known.data, &change);
    let mut faults = Vec::new();
    if has_changed && size(&known.data) > MOST {
        faults.push(FieldError::whole_body(too_large(size(&known.data))));
    }
    let schema = form.as_ref().and_then(|form| form.metadata_schema.as_ref());
    let merged = Value::Object(known.data);
    let changed: BTreeSet<String> = change.into_iter().map(|(key, _)| key).collect();
    let mut found = metadata_faults(schema, &merged);
    found.retain(|fault| concerns(fault, &changed));
    if found.iter().any(is_given_up) {
        excuse(&mut found, &metadata_faults(schema, &Value::Object(before)));
    }
    faults.extend(found.into_iter().map(|fault| refusal(None, fault)));
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    let Value::Object(data) = merged else {
        return Err(Error::internal("an object is no object any more"));
    };
    known.data = data;
    if !has_changed {
        return Ok(known);
    }
    known.created_at = known.created_at.or(Some(now));
    known.modified_at = Some(now);
    tenant_metadata::update(&mut tx, id, &known.data, now)
        .await
        .map_err(store_error)?;
    let form = form.as_ref().and_then(|form| form.configs.as_ref());
    let of_metadata = metadata_options(form, &known.data);
    if let Some(options) = options(&tenant, &Map::new(), of_metadata, form) {
        tenants::update_dynamic_configs(&mut tx, id, &options, now)
            .await
            .map_err(store_error)?;
    }
    tx.commit().await.map_err(store_error)?;
    Ok(known)
}

fn nothing(id: TenantId) -> TenantMetadata {
    TenantMetadata {
        tenant_id: id,
        data: Map::new(),
        created_at: None,
        modified_at: None,
    }
}
