//! The settings of tenants against the form of the release that each runs.

mod change;
mod stored;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use marquetry_manifest::{Fault, Settings, Step, metadata_names, secret_names};
use marquetry_model::{
    Channel, FieldError, Integration, Loc, Release, ReleaseId, Result, Tenant, TenantId,
};
use marquetry_store::{Tx, releases, tenant_metadata};
use serde_json::{Map, Value};

use crate::errors::store_error;

pub(crate) use change::{Change, concerns, excuse, is_given_up, settle};
pub use stored::ConfigsProblem;
pub(crate) use stored::judge;

/// How many forms are remembered.
const REMEMBERED: usize = 500;

/// What a release says about the settings of its tenants.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) configs: Option<Value>,
    pub(crate) metadata_schema: Option<Value>,
    /// The settings that are secret.
    pub(crate) secrets: BTreeSet<String>,
    /// Whether options come from the tenant's metadata.
    needs_metadata: bool,
}

impl Form {
    pub(crate) fn new(release: &Release) -> Self {
        Self {
            secrets: secret_names(release.config_schema.as_ref()),
            needs_metadata: !metadata_names(release.config_schema.as_ref()).is_empty(),
            configs: release.config_schema.clone(),
            metadata_schema: release.metadata_schema.clone(),
        }
    }

    /// Whether it says nothing about any setting.
    fn is_empty(&self) -> bool {
        self.configs.is_none()
    }

    /// The form with the options of a tenant.
    fn with<'s>(
        &'s self,
        options: &'s Map<String, Value>,
        metadata: &'s Map<String, Value>,
    ) -> Settings<'s> {
        Settings::new(
            self.configs.as_ref(),
            self.metadata_schema.as_ref(),
            options,
            metadata,
        )
    }
}

/// Forms of releases, which never change.
#[derive(Debug, Default)]
pub(crate) struct Forms(Mutex<HashMap<ReleaseId, Arc<Form>>>);

impl Forms {
    fn find(&self, id: ReleaseId) -> Option<Arc<Form>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&id).cloned()
    }

    fn remember(&self, release: &Release) -> Arc<Form> {
        let form = Arc::new(Form::new(release));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(release.id, Arc::clone(&form));
        form
    }

    /// The form of the release that a tenant would run now, if there is one.
    pub(crate) async fn of_tenant(
        &self,
        tx: &mut Tx,
        integration: &Integration,
        tenant: &Tenant,
    ) -> Result<Option<Arc<Form>>> {
        let id = match tenant.integration_release_id {
            Some(id) => Some(id),
            None => {
                let channel = tenant.integration_release_channel;
                id_of_channel(tx, integration, channel.unwrap_or(Channel::Default)).await?
            }
        };
        match id {
            Some(id) => self.of_release(tx, id).await,
            None => Ok(None),
        }
    }

    async fn of_release(&self, tx: &mut Tx, id: ReleaseId) -> Result<Option<Arc<Form>>> {
        if let Some(form) = self.find(id) {
            return Ok(Some(form));
        }
        let release = releases::find(tx, id).await.map_err(store_error)?;
        Ok(release.map(|release| self.remember(&release)))
    }
}

async fn id_of_channel(
    tx: &mut Tx,
    integration: &Integration,
    channel: Channel,
) -> Result<Option<ReleaseId>> {
    let fixed = integration.default_release_id;
    if channel == Channel::Default && fixed.is_some() {
        return Ok(fixed);
    }
    releases::find_latest_id(tx, integration.id)
        .await
        .map_err(store_error)
}

/// Everything in settings of a tenant that the form does not allow.
pub(crate) async fn check(
    tx: &mut Tx,
    form: &Form,
    tenant: &Tenant,
    configs: &Map<String, Value>,
) -> Result<Vec<Fault>> {
    let metadata = if form.needs_metadata {
        metadata_of(tx, tenant.id).await?
    } else {
        Map::new()
    };
    let settings = form.with(&tenant.dynamic_configs, &metadata);
    Ok(settings.check(configs))
}

/// A release as one tenant sees it: its options are in the form.
pub(crate) async fn fill(tx: &mut Tx, release: &mut Release, tenant: &Tenant) -> Result<()> {
    let metadata = metadata_of(tx, tenant.id).await?;
    let settings = Settings::new(
        release.config_schema.as_ref(),
        release.metadata_schema.as_ref(),
        &tenant.dynamic_configs,
        &metadata,
    );
    let filled = settings.filled();
    release.config_schema = filled;
    Ok(())
}

/// What is known about a tenant; empty when nothing is.
pub(crate) async fn metadata_of(tx: &mut Tx, id: TenantId) -> Result<Map<String, Value>> {
    let found = tenant_metadata::find(tx, id).await.map_err(store_error)?;
    Ok(found.map(|found| found.data).unwrap_or_default())
}

/// A fault of a part of the body, in the words of the contract.
pub(crate) fn refusal(part: Option<&'static str>, fault: Fault) -> FieldError {
    let place = fault.path.into_iter().map(|step| match step {
        Step::Key(key) => Loc::Name(key.into()),
        Step::Index(index) => Loc::Index(index),
    });
    let error = match part {
        Some(part) => FieldError::body(part, fault.message),
        None => FieldError::whole_body(fault.message),
    };
    error.with_kind(place, fault.kind, fault.context)
}
