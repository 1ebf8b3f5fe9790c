//! An application with one tenant of an integration that has all connectors, and the stand-in for their systems.

use std::sync::{Arc, Mutex};

use marquetry_app::integrations::{IntegrationInput, integration_create};
use marquetry_app::jobs::RunJob;
use marquetry_app::tenants::tenant_create;
use marquetry_app::triggers::{TriggerInput, trigger_accept};
use marquetry_model::{
    Connection, ConnectionOf, Connector, IntegrationId, Mode, Patch, Source, TenantId,
};
use marquetry_store::connections;
use marquetry_testkit::{Database, Inside, StandIn, tenant_named};

use crate::answers::Script;

pub(crate) struct World {
    pub(crate) inside: Inside,
    pub(crate) stand_in: StandIn,
    pub(crate) script: Arc<Mutex<Script>>,
    pub(crate) integration: IntegrationId,
    pub(crate) tenant: TenantId,
    job: RunJob,
}

impl World {
    pub(crate) async fn new(database: Database, connectors: &[&str]) -> Self {
        let inside = Inside::on(database).await;
        let script = Arc::<Mutex<Script>>::default();
        let answers = Arc::clone(&script);
        let stand_in = StandIn::start(move |it| answers.lock().unwrap().answer(it)).await;
        let connectors = connectors.iter().map(|&name| Connector {
            name: name.to_owned(),
            is_global: false,
        });
        let repository = inside.folder.path().join("repositories/shop");
        let input = IntegrationInput {
            name: Some("shop".to_owned()),
            long_name: Some("Shop".to_owned()),
            repository_url: Patch::Set(repository.display().to_string()),
            connectors: Some(connectors.collect()),
            ..IntegrationInput::default()
        };
        let ctx = inside.system();
        let integration = integration_create(&ctx, input).await.unwrap().id;
        inside.release(integration.get(), "v1").await;
        let tenant = tenant_create(&ctx, tenant_named("acme", integration)).await;
        let tenant = tenant.unwrap().tenant.id;
        let trigger = TriggerInput {
            source: Source::Manual,
            mode: Mode::Normal,
            payload: None,
            headers: None,
        };
        trigger_accept(&ctx, tenant, trigger).await.unwrap();
        let (job, _) = inside.take_job().await;
        Self {
            inside,
            stand_in,
            script,
            integration,
            tenant,
            job,
        }
    }

    /// A run that has this connector alone.
    pub(crate) fn job(&self, connector: &str) -> RunJob {
        let mut job = self.job.clone();
        Arc::make_mut(&mut job.integration)
            .connectors
            .retain(|it| it.name == connector);
        job
    }

    /// The row of the tenant's connection.
    pub(crate) async fn row(&self, connector: &str) -> Connection {
        let of = ConnectionOf {
            integration_id: self.integration,
            tenant_id: Some(self.tenant),
            connector: connector.to_owned(),
        };
        let mut tx = self.inside.app.store.read().await.unwrap();
        connections::find(&mut tx, &of)
            .await
            .unwrap()
            .expect("it was connected")
    }

    /// The application's time, in seconds.
    pub(crate) fn now_s(&self) -> i64 {
        self.inside.app.now().as_millis() / 1000
    }
}
