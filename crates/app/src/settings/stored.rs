//! Settings as they are shown: secrets masked, and with what does not fit any more. Nothing is opened
//! for it.

use std::collections::HashMap;

use marquetry_manifest::{Fault, Step, masked};
use marquetry_model::{Channel, Error, ReleaseId, Result, TenantId};
use marquetry_store::tenant_views::{ShownTenant, TenantView};
use marquetry_store::{Tx, tenant_metadata};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::Form;
use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::tenant_secrets::is_mark;

/// A setting that is stored although the form does not allow it, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigsProblem {
    /// The setting; empty when it is about all of them.
    pub name: String,
    /// What is wrong.
    pub message: String,
}

/// Says what is wrong with the stored settings of tenants, and masks the secrets among them. The
/// text of a tenant without a form or secrets is not even read.
pub(crate) async fn judge(
    ctx: &Ctx,
    tx: &mut Tx,
    tenants: &mut [TenantView],
) -> Result<Vec<Vec<ConfigsProblem>>> {
    let mut forms = Vec::with_capacity(tenants.len());
    for tenant in tenants.iter() {
        forms.push(match release_of(tenant) {
            Some(id) => ctx.app.forms.of_release(tx, id).await?,
            None => None,
        });
    }
    let needing: Vec<TenantId> = tenants
        .iter()
        .zip(&forms)
        .filter(|(_, form)| form.as_ref().is_some_and(|form| form.needs_metadata))
        .map(|(view, _)| view.tenant.id)
        .collect();
    let mut metadata = HashMap::new();
    if !needing.is_empty() {
        let found = tenant_metadata::list(tx, &needing)
            .await
            .map_err(store_error)?;
        metadata.extend(found.into_iter().map(|one| (one.tenant_id, one.data)));
    }
    let none = Map::new();
    let mut judged = Vec::with_capacity(tenants.len());
    for (view, form) in tenants.iter_mut().zip(forms) {
        let known = metadata.get(&view.tenant.id).unwrap_or(&none);
        judged.push(judge_one(&mut view.tenant, form.as_deref(), known)?);
    }
    Ok(judged)
}

/// The release that it would run now: what its channel means came with it.
fn release_of(view: &TenantView) -> Option<ReleaseId> {
    let fixed = view.tenant.integration_release_id;
    fixed.or_else(|| match view.tenant.integration_release_channel {
        Some(Channel::Latest) => view.latest_release_id,
        Some(Channel::Default) | None => view.default_release_id.or(view.latest_release_id),
    })
}

fn judge_one(
    tenant: &mut ShownTenant,
    form: Option<&Form>,
    metadata: &Map<String, Value>,
) -> Result<Vec<ConfigsProblem>> {
    let form = form.filter(|form| !form.is_empty());
    if form.is_none() && tenant.secret_configs.is_empty() {
        return Ok(Vec::new());
    }
    let mut configs = parse(&tenant.configs)?;
    let mut secrets = tenant.secret_configs.clone();
    let mut faults = Vec::new();
    if let Some(form) = form {
        let options = parse(&tenant.dynamic_configs)?;
        faults = form.with(&options, metadata).check(&configs);
        faults.retain(|fault| is_about_what_is_known(fault, tenant, &configs));
        secrets.extend(form.secrets.iter().cloned());
    }
    if secrets.iter().any(|name| configs.contains_key(name)) {
        masked(&mut configs, &secrets);
        tenant.configs = to_raw_value(&configs).map_err(Error::internal)?;
    }
    Ok(faults.into_iter().map(problem).collect())
}

/// A mark fits no better and no worse than the secret behind it, of which nothing is known here; nor
/// is of what depends on several settings together.
fn is_about_what_is_known(
    fault: &Fault,
    tenant: &ShownTenant,
    configs: &Map<String, Value>,
) -> bool {
    let mut sealed = tenant
        .secret_configs
        .iter()
        .filter(|name| configs.get(*name).is_some_and(is_mark));
    match fault.path.first() {
        Some(Step::Key(about)) => sealed.all(|name| name != about),
        _ => fault.kind != "value_error" || sealed.next().is_none(),
    }
}

/// Settings are stored as JSON objects.
fn parse(text: &RawValue) -> Result<Map<String, Value>> {
    serde_json::from_str(text.get()).map_err(Error::internal)
}

fn problem(fault: Fault) -> ConfigsProblem {
    match fault.path.split_first() {
        Some((Step::Key(name), below)) => ConfigsProblem {
            name: name.clone(),
            message: Fault {
                path: below.to_vec(),
                ..fault
            }
            .to_string(),
        },
        _ => ConfigsProblem {
            name: String::new(),
            message: fault.to_string(),
        },
    }
}
