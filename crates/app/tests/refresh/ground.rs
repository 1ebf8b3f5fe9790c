//! A provider, and an application whose tenants are connected to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use marquetry_app::connect::Next;
use marquetry_app::connect::callback::callback_take;
use marquetry_app::connect::links::link_create;
use marquetry_app::connect::page::link_submit;
use marquetry_app::connections::credentials::Owner;
use marquetry_app::connections::tend::{connection_tend, connections_due};
use marquetry_app::connectors::connector_put;
use marquetry_app::connectors::provisions::{Input, provisioning_put};
use marquetry_app::integrations::{IntegrationInput, integration_create};
use marquetry_app::jobs::RunJob;
use marquetry_app::tenants::tenant_create;
use marquetry_app::triggers::{TriggerInput, trigger_accept};
use marquetry_app::{App, Ctx};
use marquetry_model::{
    Connection, ConnectionOf, Connector, IntegrationId, Mode, Patch, Source, TenantId, Timestamp,
};
use marquetry_store::connections::{self, Written};
use marquetry_testkit::{Browser, Database, Inside, Provider, tenant_named};
use serde_json::{Value, json};

const BROWSER: &str = "browser-of-the-test";

pub(crate) struct Ground {
    pub(crate) inside: Inside,
    pub(crate) provider: Provider,
    pub(crate) integration: IntegrationId,
    browser: Browser,
    count: std::cell::Cell<usize>,
}

impl Ground {
    pub(crate) async fn new(database: Database) -> Self {
        let inside = Inside::on(database).await;
        let provider = Provider::start().await;
        let ctx = inside.system();
        let connectors = vec![Connector {
            name: "demo".to_owned(),
            is_global: false,
        }];
        let repository = inside.folder.path().join("repositories/shop");
        let input = IntegrationInput {
            name: Some("shop".to_owned()),
            long_name: Some("Shop".to_owned()),
            repository_url: Patch::Set(repository.display().to_string()),
            connectors: Some(connectors),
            ..IntegrationInput::default()
        };
        let integration = integration_create(&ctx, input).await.unwrap().id;
        inside.release(integration.get(), "v1").await;
        Self {
            inside,
            provider,
            integration,
            browser: Browser::new(),
            count: std::cell::Cell::new(0),
        }
    }

    /// One whose connector is of OAuth 2.
    pub(crate) async fn of_oauth2(database: Database) -> Self {
        let ground = Self::new(database).await;
        let at = |path: &str| ground.provider.at(path);
        let definition = json!({
            "name": "demo",
            "title": "Demo",
            "auth": {
                "kind": "oauth2",
                "authorize_url": at("/authorize"),
                "token_url": at("/token"),
                "scopes": ["read"],
            },
            "provisioning": [
                {"name": "client_id", "required": true},
                {"name": "client_secret", "secret": true, "required": true},
            ],
            "base_url": ground.provider.url(),
            "check": {"url": "/api/me"},
        });
        ground.define(&definition).await;
        let provider = &ground.provider;
        let values = values(&[
            ("client_id", provider.client_id()),
            ("client_secret", provider.client_secret()),
        ]);
        let put = provisioning_put(&ground.ctx(), ground.integration, "demo", values).await;
        put.unwrap();
        ground
    }

    pub(crate) async fn define(&self, definition: &Value) {
        let text = definition.to_string();
        let put = connector_put(&self.ctx(), "demo", text.as_bytes()).await;
        put.unwrap();
    }

    pub(crate) fn ctx(&self) -> Ctx {
        self.inside.system()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inside.app.now()
    }

    /// Time passes, here and at the provider.
    pub(crate) fn advance(&self, by: Duration) {
        self.inside.clock.advance(by);
        self.provider.advance(by);
    }

    pub(crate) fn move_to(&self, at: Timestamp) {
        self.advance(at.since(self.now()));
    }

    /// A new tenant, who is not connected.
    pub(crate) async fn tenant(&self) -> TenantId {
        self.count.set(self.count.get() + 1);
        let name = format!("tenant-{}", self.count.get());
        let made = tenant_create(&self.ctx(), tenant_named(&name, self.integration)).await;
        made.unwrap().tenant.id
    }

    /// A run, to be had for any tenant.
    pub(crate) async fn job(&self) -> RunJob {
        let tenant = self.tenant().await;
        let trigger = TriggerInput {
            source: Source::Manual,
            mode: Mode::Normal,
            payload: None,
            headers: None,
        };
        trigger_accept(&self.ctx(), tenant, trigger).await.unwrap();
        self.inside.take_job().await.0
    }

    /// Somebody consents for a tenant.
    pub(crate) async fn consent(&self, tenant: TenantId) {
        let ctx = self.ctx();
        let link = link_create(&ctx, Owner::Tenant(tenant), "demo", false, None).await;
        let link = link.unwrap().token;
        let redirect = self.provider.at("/api/echo");
        let next = link_submit(&ctx, &link, Input::new(), BROWSER, &redirect).await;
        let Next::Provider(url) = next.unwrap() else {
            panic!("a consent is at the provider");
        };
        let page = self.browser.open(&url).await;
        let params: BTreeMap<String, String> = page.url.query_pairs().into_owned().collect();
        let done = callback_take(&ctx, &params, BROWSER).await.unwrap();
        assert!(matches!(done, Next::Done(_)), "{done:?}");
    }

    /// The connection of a tenant, as its row has it.
    pub(crate) async fn row(&self, tenant: TenantId) -> Connection {
        let of = ConnectionOf {
            integration_id: self.integration,
            tenant_id: Some(tenant),
            connector: "demo".to_owned(),
        };
        let mut tx = self.inside.app.store.read().await.unwrap();
        let found = connections::find(&mut tx, &of).await.unwrap();
        found.expect("it was connected")
    }

    /// Puts something else in the place of a connection's credentials.
    pub(crate) async fn set_sealed(&self, row: &Connection, sealed: Option<&str>) {
        let written = Written {
            status: row.status,
            reason: None,
            sealed,
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            refresh_at: row.refresh_at,
            check_at: row.check_at,
            checked_at: None,
            anew: false,
        };
        let mut tx = self.inside.app.store.write().await.unwrap();
        let now = self.now();
        assert!(
            connections::update(&mut tx, row, &written, now)
                .await
                .unwrap()
        );
        tx.commit().await.unwrap();
    }

    /// Tends what is due, as a node does, until nothing is; answers when it wakes up next.
    pub(crate) async fn tend(&self) -> Option<Timestamp> {
        let ctx = self.ctx();
        for _ in 0..5 {
            let due = connections_due(&ctx, 100).await.unwrap();
            if due.connections.is_empty() {
                let next = due.next;
                assert!(
                    next.is_none_or(|at| at > self.now()),
                    "it wakes up for nothing"
                );
                return next;
            }
            for id in due.connections {
                connection_tend(&ctx, id).await.unwrap();
            }
        }
        panic!("something stays due, so that a node would never rest");
    }
}

/// Values as they come in.
pub(crate) fn values(all: &[(&str, &str)]) -> Input {
    let all = all.iter();
    all.map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())))
        .collect()
}

/// The platform on a node.
pub(crate) fn on(node: &Arc<App>) -> Ctx {
    Ctx::system(Arc::clone(node))
}
