//! What one look at the queue has read already: a burst is mostly of few integrations.

use std::collections::HashMap;
use std::sync::Arc;

use marquetry_model::{Channel, Integration, IntegrationId, Release, ReleaseId, Result, Tenant};
use marquetry_store::{Tx, integrations, releases};

use crate::errors::store_error;
use crate::integration_secrets::{Sealed, sealed};
use crate::releases::resolve;

/// What a tenant follows: a release of its own, or a channel of its integration.
type Choice = (IntegrationId, Option<ReleaseId>, Option<Channel>);

#[derive(Default)]
pub(crate) struct Known {
    integrations: HashMap<IntegrationId, Arc<Integration>>,
    build_secrets: HashMap<IntegrationId, Arc<Sealed>>,
    releases: HashMap<ReleaseId, Arc<Release>>,
    /// What choices of tenants mean now.
    chosen: HashMap<Choice, Option<Arc<Release>>>,
}

impl Known {
    /// The caller has just read the integration, and what the tenant's choice means.
    pub(crate) fn of(integration: Integration, tenant: &Tenant, release: Release) -> Self {
        let release = Some(Arc::new(release));
        Self {
            chosen: HashMap::from([(choice(&integration, tenant), release)]),
            integrations: HashMap::from([(integration.id, Arc::new(integration))]),
            ..Self::default()
        }
    }

    pub(crate) async fn integration(
        &mut self,
        tx: &mut Tx,
        id: IntegrationId,
    ) -> Result<Arc<Integration>> {
        if let Some(found) = self.integrations.get(&id) {
            return Ok(Arc::clone(found));
        }
        let found = integrations::get(tx, id).await.map_err(store_error)?;
        let found = Arc::new(found);
        self.integrations.insert(id, Arc::clone(&found));
        Ok(found)
    }

    pub(crate) async fn release(&mut self, tx: &mut Tx, id: ReleaseId) -> Result<Arc<Release>> {
        if let Some(found) = self.releases.get(&id) {
            return Ok(Arc::clone(found));
        }
        let found = releases::get(tx, id).await.map_err(store_error)?;
        let found = Arc::new(found);
        self.releases.insert(id, Arc::clone(&found));
        Ok(found)
    }

    /// The release that a tenant's choice means now, if there is one.
    pub(crate) async fn resolved(
        &mut self,
        tx: &mut Tx,
        integration: &Integration,
        tenant: &Tenant,
    ) -> Result<Option<Arc<Release>>> {
        let choice = choice(integration, tenant);
        if let Some(found) = self.chosen.get(&choice) {
            return Ok(found.clone());
        }
        let found = resolve(tx, integration, tenant).await?.map(Arc::new);
        self.chosen.insert(choice, found.clone());
        Ok(found)
    }

    /// What builds of an integration are given, sealed.
    pub(crate) async fn build_secrets(
        &mut self,
        tx: &mut Tx,
        id: IntegrationId,
    ) -> Result<Arc<Sealed>> {
        if let Some(found) = self.build_secrets.get(&id) {
            return Ok(Arc::clone(found));
        }
        let found = Arc::new(sealed(tx, id).await?);
        self.build_secrets.insert(id, Arc::clone(&found));
        Ok(found)
    }
}

fn choice(integration: &Integration, tenant: &Tenant) -> Choice {
    (
        integration.id,
        tenant.integration_release_id,
        tenant.integration_release_channel,
    )
}
