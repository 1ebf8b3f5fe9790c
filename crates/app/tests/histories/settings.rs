//! What people change of tenants and integrations.

use marquetry_app::integrations::{IntegrationInput, integration_archive, integration_update};
use marquetry_app::tenants::{TenantPatch, tenant_archive, tenant_update};
use marquetry_model::{IntegrationId, Patch, Retry, TenantId};

use crate::acts::expect;
use crate::oracle::Refusal;
use crate::world::{World, next_minute, region_of};

impl World {
    async fn patch(&mut self, id: TenantId, patch: TenantPatch) -> bool {
        let gone = self.oracle.tenants[&id].archived;
        let against = if gone {
            vec![Refusal::NotFound]
        } else {
            vec![]
        };
        let done = tenant_update(&self.ctx(), id, patch).await;
        expect(done, &against).is_some()
    }

    pub(crate) async fn pause(&mut self, id: TenantId, paused: bool) {
        let patch = TenantPatch {
            paused: Some(paused),
            ..TenantPatch::default()
        };
        let before = self.oracle.tenants[&id].paused;
        if self.patch(id, patch).await && before != paused {
            let next = next_minute(self.now());
            let tenant = self.oracle.tenant(id);
            tenant.paused = paused;
            tenant.next_tick = (tenant.has_schedule && !paused).then_some(next);
        }
    }

    pub(crate) async fn set_region(&mut self, id: TenantId) {
        let region = format!("r{}", self.number());
        let patch = TenantPatch {
            configs: Some(region_of(&region)),
            ..TenantPatch::default()
        };
        if self.patch(id, patch).await {
            self.oracle.tenant(id).region = region;
        }
    }

    /// Archives one, and makes another in its place so that the history goes on.
    pub(crate) async fn archive(&mut self, id: TenantId) {
        let tenant = &self.oracle.tenants[&id];
        let integration = tenant.integration;
        let against = if tenant.archived {
            vec![Refusal::NotFound]
        } else {
            vec![]
        };
        if expect(tenant_archive(&self.ctx(), id).await, &against).is_some() {
            self.oracle.archive(id);
            if !self.oracle.integrations[&integration].archived {
                self.add_tenant(integration).await;
            }
        }
    }

    async fn set(&mut self, id: IntegrationId, input: IntegrationInput) -> bool {
        let gone = self.oracle.integrations[&id].archived;
        let against = if gone {
            vec![Refusal::NotFound]
        } else {
            vec![]
        };
        let done = integration_update(&self.ctx(), id, input).await;
        expect(done, &against).is_some()
    }

    pub(crate) async fn pause_integration(&mut self, id: IntegrationId, paused: bool) {
        let input = IntegrationInput {
            paused: Some(paused),
            ..IntegrationInput::default()
        };
        if self.set(id, input).await {
            self.oracle.integrations.get_mut(&id).unwrap().paused = paused;
        }
    }

    pub(crate) async fn set_limit(&mut self, id: IntegrationId, limit: Option<usize>) {
        let wanted = limit.map(|limit| i64::try_from(limit).unwrap());
        let input = IntegrationInput {
            concurrency_limit: wanted.map_or(Patch::Clear, Patch::Set),
            ..IntegrationInput::default()
        };
        if self.set(id, input).await {
            self.oracle.integrations.get_mut(&id).unwrap().limit = limit;
        }
    }

    pub(crate) async fn set_debounce(&mut self, id: IntegrationId, debounce_ms: i64) {
        let input = IntegrationInput {
            debounce_ms: Some(debounce_ms),
            ..IntegrationInput::default()
        };
        if self.set(id, input).await {
            let integration = self.oracle.integrations.get_mut(&id);
            integration.unwrap().debounce_ms = debounce_ms;
        }
    }

    pub(crate) async fn set_retry(&mut self, id: IntegrationId, repeats_lost: bool) {
        let retry = if repeats_lost {
            Retry::Platform
        } else {
            Retry::Never
        };
        let input = IntegrationInput {
            retry: Some(retry),
            ..IntegrationInput::default()
        };
        if self.set(id, input).await {
            let integration = self.oracle.integrations.get_mut(&id);
            integration.unwrap().repeats_lost = repeats_lost;
        }
    }

    /// Archives one with all that it has.
    pub(crate) async fn archive_integration(&mut self, id: IntegrationId) {
        let gone = self.oracle.integrations[&id].archived;
        let against = if gone {
            vec![Refusal::NotFound]
        } else {
            vec![]
        };
        if expect(integration_archive(&self.ctx(), id, true).await, &against).is_none() {
            return;
        }
        self.oracle.integrations.get_mut(&id).unwrap().archived = true;
        let tenants = self.oracle.tenants.iter();
        let its = tenants.filter(|(_, it)| it.integration == id && !it.archived);
        for tenant in its.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.oracle.archive(tenant);
        }
    }
}
