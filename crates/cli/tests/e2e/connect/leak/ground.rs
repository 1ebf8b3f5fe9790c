//! What one installation is made of whose every secret is marked.

use std::sync::Mutex;

use marquetry_testkit::{Answer, Browser, PageSeen, Provider, Scenario, TestServer, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::code::{MAIN, manifest};
use super::marks::Marks;
use crate::connect::{definition, put};

/// Connectors, each with a system of its own. The one with `!` is a global one.
const NAMES: [&str; 9] = [
    "consent",
    "key",
    "login",
    "account",
    "certificate",
    "choice",
    "device",
    "machine",
    "shared!",
];

/// An integration with its tenant, by their ids: the server may be started again.
pub(super) struct Ground {
    pub(super) marks: Marks,
    pub(super) browser: Browser,
    pub(super) integration: i64,
    pub(super) tenant: i64,
    providers: Vec<(&'static str, Provider)>,
    /// What was answered to requests that a test makes itself, and printed by commands.
    said: Mutex<String>,
}

impl Ground {
    pub(super) async fn new(server: &TestServer) -> Self {
        let marks = Marks::new();
        let mut providers = Vec::new();
        let mut connectors = Vec::new();
        for name in NAMES {
            let short = name.trim_end_matches('!');
            providers.push((short, Provider::start_with_marker(&marks.marker).await));
            connectors.push(json!({"name": short, "isGlobal": short != name}));
            let any = json!({"name": short, "title": short, "auth": {"kind": "fields"}});
            put(server, &format!("/v2/connectors/{short}"), any)
                .await
                .expect(201);
        }
        let manifest = manifest();
        let files = [
            ("PANDIUM.yaml", &*manifest),
            ("main.py", MAIN),
            ("open.txt", &*marks.open),
        ];
        let settings = json!({
            "connectors": connectors, "build_env": {"LICENCE": marks.secret("licence")},
        });
        let scenario = Scenario::new(server, "shop", &files, settings).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("acme").await;
        Self {
            integration: scenario.integration,
            marks,
            browser: Browser::new(),
            tenant,
            providers,
            said: Mutex::default(),
        }
    }

    pub(super) fn provider(&self, name: &str) -> &Provider {
        let mut all = self.providers.iter();
        &all.find(|(own, _)| *own == name).unwrap().1
    }

    /// Gives a connector what is, with these changes, a code grant, and the client to it where it wants one.
    pub(super) async fn define(&self, server: &TestServer, name: &str, changes: Value) {
        let provider = self.provider(name);
        let mut all = definition(provider, &changes);
        all["name"] = json!(name);
        put(server, &format!("/v2/connectors/{name}"), all)
            .await
            .expect(200);
        let path = self.of_integration(name, "provisioning");
        let wanted = server.get(&path).await.expect(200);
        if !wanted["fields"].as_array().unwrap().is_empty() {
            let (id, secret) = (provider.client_id(), provider.client_secret());
            let values = json!({"values": {"client_id": id, "client_secret": secret}});
            put(server, &path, values).await.expect(200);
        }
    }

    pub(super) fn of_tenant(&self, name: &str, of: &str) -> String {
        format!("/v2/tenants/{}/connectors/{name}/{of}", self.tenant)
    }

    pub(super) fn of_integration(&self, name: &str, of: &str) -> String {
        format!(
            "/v2/integrations/{}/connectors/{name}/{of}",
            self.integration
        )
    }

    pub(super) async fn enter(&self, server: &TestServer, name: &str, values: Value) -> Answer {
        put(
            server,
            &self.of_tenant(name, "credentials"),
            json!({"values": values}),
        )
        .await
    }

    /// An address for a browser, which works more than once if it is a link.
    pub(super) async fn address(&self, server: &TestServer, name: &str, link: bool) -> String {
        let path = self.of_tenant(name, "connect");
        let answer = server.post(&path, json!({"link": link})).await.expect(200);
        let url = answer["url"].as_str().unwrap().to_owned();
        self.marks.link(&url);
        url
    }

    pub(super) async fn consent(&self, server: &TestServer, name: &str) -> PageSeen {
        let address = self.address(server, name, false).await;
        self.browser.open(&address).await
    }

    /// A request with more than [`TestServer::call`] gives it; the answer is kept.
    pub(super) async fn send(
        &self,
        request: reqwest::RequestBuilder,
        server: &TestServer,
    ) -> Answer {
        let answer = TestServer::answer(request.header("X-API-KEY", server.key())).await;
        self.keep(&format!("{answer:?} {}", answer.text));
        answer
    }

    pub(super) fn keep(&self, text: &str) {
        let mut said = self.said.lock().unwrap();
        said.push_str(text);
        said.push('\n');
    }

    /// All that anybody was told up to now, by names of places.
    pub(super) fn seen(&self, server: &TestServer) -> Vec<(&'static str, String)> {
        vec![
            ("answers", server.answers()),
            ("said", self.said.lock().unwrap().clone()),
            ("pages", self.browser.seen(&server.url)),
        ]
    }

    /// All secrets there are by now.
    pub(super) fn sought(&self) -> Vec<String> {
        for (_, provider) in &self.providers {
            for secret in provider.secrets() {
                self.marks.add(secret);
            }
        }
        self.marks.sought()
    }

    pub(super) async fn begin(&self, server: &TestServer, mode: &str) -> String {
        let path = format!("/v2/tenants/{}/sync?mode={mode}", self.tenant);
        let asked = server
            .post(&path, json!({"open": self.marks.open}))
            .await
            .expect(202);
        asked["trigger_id"].as_str().unwrap().to_owned()
    }

    /// Waits for the end of the run of a trigger; answers the run. Its log is read, as everybody's is.
    pub(super) async fn end(&self, server: &TestServer, trigger: &str) -> Value {
        let number: i64 = trigger.parse().unwrap();
        let run = eventually("the run ends", || async {
            let runs = server
                .get(&format!("/v2/tenants/{}/runs?limit=100", self.tenant))
                .await
                .expect(200);
            let mut runs = runs.as_array().unwrap().iter();
            let run = runs.find(|run| {
                let mut triggers = run["triggers"].as_array().unwrap().iter();
                triggers.any(|it| it["id"] == number)
            })?;
            let live = matches!(run["status"]["phase"].as_str(), Some("Pending" | "Running"));
            (!live).then(|| run.clone())
        })
        .await;
        server.run_log(&run).await;
        run
    }

    pub(super) async fn run(&self, server: &TestServer) -> Value {
        let trigger = self.begin(server, "normal").await;
        self.end(server, &trigger).await
    }

    /// The same, and it must succeed.
    pub(super) async fn runs_well(&self, server: &TestServer) -> Value {
        let run = self.run(server).await;
        let log = server.run_log(&run).await;
        let tail: String = log.lines().rev().take(5).collect::<Vec<_>>().join("\n");
        assert_eq!(run["status"]["phase"], "Succeeded", "{run}\n{tail:.2000}");
        run
    }

    pub(super) async fn status(&self, server: &TestServer, name: &str) -> String {
        let all = server
            .get(&format!("/v2/tenants/{}/connectors", self.tenant))
            .await
            .expect(200);
        let mut all = all.as_array().unwrap().iter();
        let own = all.find(|it| it["name"] == name).unwrap();
        own["status"].as_str().unwrap().to_owned()
    }

    pub(super) async fn configure(&self, server: &TestServer, configs: Value) {
        let path = format!("/v2/tenants/{}", self.tenant);
        server
            .patch(&path, json!({"configs": configs}))
            .await
            .expect(200);
    }

    pub(super) async fn disconnect(&self, server: &TestServer, name: &str) {
        let path = self.of_tenant(name, "disconnect");
        server
            .call(Method::PATCH, &path, Some(json!({})))
            .await
            .expect(200);
    }
}
