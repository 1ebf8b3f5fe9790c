//! Connections: a system is connected, its credentials reach the code of runs and nobody else, and stay good.

mod case;
mod journey;
mod kinds;
mod leak;
mod links;
mod odd;

use marquetry_testkit::{Database, Provider, Scenario, TestServer, manifest};
use serde_json::{Value, json};

use crate::options;

/// Prints what it is given of its connections, backwards: what a run says is kept as it is.
const MAIN: &str = r#"
import json, os, sys
given = {n: v[::-1] for n, v in os.environ.items() if n.startswith("PAN_SEC_")}
print("the code was started", file=sys.stderr)
print("bare:", os.environ.get("PAN_SEC_DEMO_ACCESS_TOKEN"), file=sys.stderr)
token = os.environ.get("PAN_SEC_DEMO_ACCESS_TOKEN")
if token:
    given["OPEN"] = "token " + token
print(json.dumps(given))
"#;

async fn server(database: Database) -> TestServer {
    TestServer::start(options(database).with("--outbound-allow=127.0.0.0/8")).await
}

async fn put(server: &TestServer, path: &str, body: Value) -> marquetry_testkit::Answer {
    server.call(reqwest::Method::PUT, path, Some(body)).await
}

/// A definition of the provider's code grant, with the changes of a test; `null` takes away.
fn definition(provider: &Provider, changes: &Value) -> Value {
    let mut all = json!({
        "name": "demo",
        "title": "Demo",
        "auth": {
            "kind": "oauth2",
            "authorize_url": provider.at("/authorize"),
            "token_url": provider.at("/token"),
            "revoke": {"url": provider.at("/revoke")},
            "scopes": ["read", "write"],
        },
        "provisioning": [
            {"name": "client_id", "label": "Client ID", "required": true},
            {"name": "client_secret", "label": "Client secret", "secret": true, "required": true},
        ],
        "base_url": provider.url(),
        "check": {"url": "/api/me"},
    });
    for (name, value) in changes.as_object().cloned().unwrap_or_default() {
        if name == "auth" && value.get("kind").is_none() {
            for (name, value) in value.as_object().cloned().unwrap() {
                all["auth"][name] = value;
            }
        } else if value.is_null() {
            all.as_object_mut().unwrap().remove(&name);
        } else {
            all[name] = value;
        }
    }
    all
}

/// A provider, a connector of it, and a tenant of an integration that uses it.
struct Ground<'a> {
    provider: Provider,
    scenario: Scenario<'a>,
    tenant: i64,
}

impl<'a> Ground<'a> {
    async fn new(server: &'a TestServer, changes: Value) -> Self {
        let provider = Provider::start().await;
        let definition = definition(&provider, &changes);
        put(server, "/v2/connectors/demo", definition)
            .await
            .expect(201);
        let files = [
            ("PANDIUM.yaml", &*manifest("python3 main.py")),
            ("main.py", MAIN),
        ];
        let connectors = json!({"connectors": [{"name": "demo", "isGlobal": false}]});
        let scenario = Scenario::new(server, "shop", &files, connectors).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("acme").await;
        let ground = Self {
            provider,
            scenario,
            tenant,
        };
        ground.provision().await;
        ground
    }

    async fn provision(&self) {
        let values = json!({"values": {
            "client_id": self.provider.client_id(),
            "client_secret": self.provider.client_secret(),
        }});
        let path = format!(
            "/v2/integrations/{}/connectors/demo/provisioning",
            self.scenario.integration
        );
        put(self.scenario.server, &path, values).await.expect(200);
    }

    fn path(&self, of: &str) -> String {
        format!("/v2/tenants/{}/connectors/demo/{of}", self.tenant)
    }

    /// An address for a browser.
    async fn address(&self, wanted: Value) -> String {
        let answer = self
            .scenario
            .server
            .post(&self.path("connect"), wanted)
            .await;
        answer.expect(200)["url"].as_str().unwrap().to_owned()
    }

    /// How the connection stands.
    async fn state(&self) -> Value {
        let path = format!("/v2/tenants/{}/connectors", self.tenant);
        self.scenario.server.get(&path).await.expect(200)[0].clone()
    }

    /// Runs the tenant; the run, and what its code was given, the right way round.
    async fn run(&self) -> (Value, Value) {
        let run = self.scenario.run(self.tenant).await;
        let printed = run["std_out"].as_str().unwrap_or("{}");
        let printed: Value = serde_json::from_str(printed).unwrap();
        let turned = |text: &Value| text.as_str().unwrap().chars().rev().collect::<String>();
        let given = printed.as_object().unwrap().iter();
        let given = given.map(|(name, text)| (name.clone(), turned(text).into()));
        (run, Value::Object(given.collect()))
    }
}
