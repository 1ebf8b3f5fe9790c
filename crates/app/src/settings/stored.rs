//! Settings as they are shown: secrets masked, and with what does not fit any more.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use marquetry_manifest::{Fault, Step, masked};
use marquetry_model::{Integration, IntegrationId, Result, Tenant, TenantId};
use marquetry_store::{Tx, tenant_metadata};
use serde_json::Map;

use super::Form;
use crate::ctx::Ctx;
use crate::errors::store_error;

/// A setting that is stored although the form does not allow it, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigsProblem {
    /// The setting; empty when it is about all of them.
    pub name: String,
    /// What is wrong.
    pub message: String,
}

/// Says what is wrong with the stored settings of tenants, and masks the secrets among them.
pub(crate) async fn judge(
    ctx: &Ctx,
    tx: &mut Tx,
    integrations: &HashMap<IntegrationId, Integration>,
    tenants: &mut [Tenant],
) -> Result<Vec<Vec<ConfigsProblem>>> {
    let forms = forms_of(ctx, tx, integrations, tenants).await?;
    let needing: Vec<TenantId> = tenants
        .iter()
        .zip(&forms)
        .filter(|(_, form)| form.as_ref().is_some_and(|form| form.needs_metadata))
        .map(|(tenant, _)| tenant.id)
        .collect();
    let mut metadata = HashMap::new();
    if !needing.is_empty() {
        let found = tenant_metadata::list(tx, &needing)
            .await
            .map_err(store_error)?;
        metadata.extend(found.into_iter().map(|one| (one.tenant_id, one.data)));
    }
    let none = Map::new();
    let judged = tenants.iter_mut().zip(forms).map(|(tenant, form)| {
        let known = metadata.get(&tenant.id).unwrap_or(&none);
        let faults = match &form {
            Some(form) => form.of(tenant, known).check(&tenant.configs),
            None => Vec::new(),
        };
        masked(&mut tenant.configs, &tenant.secret_configs);
        if let Some(form) = &form {
            masked(&mut tenant.configs, &form.secrets);
        }
        faults.into_iter().map(problem).collect()
    });
    Ok(judged.collect())
}

/// The form of each tenant; what a channel means is asked once for each integration.
async fn forms_of(
    ctx: &Ctx,
    tx: &mut Tx,
    integrations: &HashMap<IntegrationId, Integration>,
    tenants: &[Tenant],
) -> Result<Vec<Option<Arc<Form>>>> {
    let mut known = HashMap::new();
    let mut forms = Vec::with_capacity(tenants.len());
    for tenant in tenants {
        let choice = (
            tenant.integration_id,
            tenant.integration_release_id,
            tenant.integration_release_channel,
        );
        if let Entry::Vacant(unknown) = known.entry(choice)
            && let Some(integration) = integrations.get(&tenant.integration_id)
        {
            let form = ctx.app.forms.of_tenant(tx, integration, tenant).await?;
            unknown.insert(form);
        }
        forms.push(known.get(&choice).cloned().flatten());
    }
    Ok(forms)
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
