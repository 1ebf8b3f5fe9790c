//! Many connectors of one integration, each with a tenant of its own: what happens to one touches no other.

use marquetry_testkit::{Answer, Browser, PageSeen, Provider, Scenario, TestServer, manifest};
use serde_json::{Value, json};

use super::{MAIN, definition, put};

/// An integration that uses many systems.
pub(super) struct Shop<'a> {
    pub(super) scenario: Scenario<'a>,
}

impl<'a> Shop<'a> {
    /// One with these connectors; a name with `!` behind it is a global one's.
    pub(super) async fn new(server: &'a TestServer, connectors: &[&str]) -> Self {
        let files = [
            ("PANDIUM.yaml", &*manifest("python3 main.py")),
            ("main.py", MAIN),
        ];
        let connectors: Vec<Value> = connectors
            .iter()
            .map(
                |name| json!({"name": name.trim_end_matches('!'), "isGlobal": name.ends_with('!')}),
            )
            .collect();
        for connector in &connectors {
            // An integration may only name what is known.
            let name = connector["name"].as_str().unwrap();
            let any = json!({"name": name, "title": name, "auth": {"kind": "fields"}});
            put(server, &format!("/v2/connectors/{name}"), any)
                .await
                .expect(201);
        }
        let settings = json!({"connectors": connectors});
        let scenario = Scenario::new(server, "shop", &files, settings).await;
        scenario.release("v1").await;
        Self { scenario }
    }

    pub(super) fn server(&self) -> &TestServer {
        self.scenario.server
    }

    /// Runs a tenant; the run, and what its code was given.
    pub(super) async fn run(&self, tenant: i64) -> (Value, Value) {
        let run = self.scenario.run(tenant).await;
        let printed = run["std_out"].as_str().unwrap_or("{}");
        let printed: Value = serde_json::from_str(printed).unwrap();
        let turned = |text: &Value| text.as_str().unwrap().chars().rev().collect::<String>();
        let given = printed.as_object().unwrap().iter();
        let given = given.map(|(name, text)| (name.clone(), turned(text).into()));
        (run, Value::Object(given.collect()))
    }
}

/// A provider, a connector of it, and a tenant that uses it.
pub(super) struct Case<'a> {
    pub(super) provider: Provider,
    pub(super) shop: &'a Shop<'a>,
    pub(super) name: &'a str,
    pub(super) tenant: i64,
}

impl<'a> Case<'a> {
    /// One whose definition is what `changes` make of a code grant.
    pub(super) async fn new(
        shop: &'a Shop<'a>,
        name: &'a str,
        changes: impl FnOnce(&Provider) -> Value,
    ) -> Self {
        let provider = Provider::start().await;
        let tenant = shop.scenario.tenant(name).await;
        let case = Self {
            provider,
            shop,
            name,
            tenant,
        };
        let changes = changes(&case.provider);
        case.define(changes).await;
        case.provision(case.provider.client_secret()).await;
        case
    }

    /// Gives the connector another definition.
    pub(super) async fn define(&self, changes: Value) {
        let mut definition = definition(&self.provider, &changes);
        definition["name"] = json!(self.name);
        let path = format!("/v2/connectors/{}", self.name);
        put(self.server(), &path, definition).await.expect(200);
    }

    pub(super) fn server(&self) -> &TestServer {
        self.shop.server()
    }

    /// Writes the client, with this secret, where the definition has one to be provisioned.
    pub(super) async fn provision(&self, secret: &str) {
        let path = format!(
            "/v2/integrations/{}/connectors/{}/provisioning",
            self.shop.scenario.integration, self.name
        );
        let wanted = self.server().get(&path).await.expect(200);
        if !wanted["fields"].as_array().unwrap().is_empty() {
            let client = self.provider.client_id();
            let values = json!({"values": {"client_id": client, "client_secret": secret}});
            put(self.server(), &path, values).await.expect(200);
        }
    }

    pub(super) fn path(&self, of: &str) -> String {
        format!("/v2/tenants/{}/connectors/{}/{of}", self.tenant, self.name)
    }

    /// Enters values, which are tried.
    pub(super) async fn enter(&self, values: Value) -> Answer {
        put(
            self.server(),
            &self.path("credentials"),
            json!({"values": values}),
        )
        .await
    }

    /// Enters values, which are not tried.
    pub(super) async fn enter_untried(&self, values: Value) -> Answer {
        let path = self.path("credentials?check=false");
        put(self.server(), &path, json!({"values": values})).await
    }

    /// An address for a browser.
    pub(super) async fn address(&self, wanted: Value) -> String {
        let answer = self.server().post(&self.path("connect"), wanted).await;
        answer.expect(200)["url"].as_str().unwrap().to_owned()
    }

    /// Goes the way of somebody who is there.
    pub(super) async fn consent(&self, browser: &Browser) -> PageSeen {
        browser.open(&self.address(json!({})).await).await
    }

    /// The same, and it must end well.
    pub(super) async fn connect(&self) {
        let page = self.consent(&Browser::new()).await;
        assert_eq!(
            (page.status, page.heading()),
            (200, "Demo is connected"),
            "{page:?}"
        );
    }

    /// How the connection stands.
    pub(super) async fn state(&self) -> Value {
        let path = format!("/v2/tenants/{}/connectors", self.tenant);
        let all = self.server().get(&path).await.expect(200);
        let mut all = all.as_array().unwrap().iter();
        all.find(|it| it["name"] == self.name).cloned().unwrap()
    }

    pub(super) async fn status(&self) -> String {
        self.state().await["status"].as_str().unwrap().to_owned()
    }

    /// The reason for how it stands.
    pub(super) async fn reason(&self) -> String {
        self.state().await["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Runs the tenant; the run, and what its code was given, by the names without what is before them.
    pub(super) async fn run(&self) -> (Value, Value) {
        let (run, given) = self.shop.run(self.tenant).await;
        let before = format!("PAN_SEC_{}_", self.name.to_uppercase());
        let own = given.as_object().unwrap().iter();
        let own = own.filter_map(|(name, value)| {
            let short = name.strip_prefix(&before)?;
            Some((short.to_owned(), value.clone()))
        });
        (run, Value::Object(own.collect()))
    }

    /// The same of a run that must succeed.
    pub(super) async fn given(&self) -> Value {
        let (run, given) = self.run().await;
        assert_eq!(run["status"]["phase"], "Succeeded", "{run}");
        given
    }

    /// Whether the code of a run gets a token that the provider takes.
    pub(super) async fn works(&self) -> bool {
        let given = self.given().await;
        let token = given["ACCESS_TOKEN"].as_str();
        token.is_some_and(|token| self.provider.is_live(token))
    }

    /// What the provider was told at a path, of the last request to it.
    pub(super) fn last(&self, path: &str) -> marquetry_testkit::Received {
        self.provider.requests_to(path).pop().unwrap()
    }

    /// Gives the consent of a link and stops before the browser is back.
    pub(super) async fn begun(&self, link: &str) -> Begun {
        let plain = reqwest::Client::builder().no_proxy();
        let plain = plain
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let opened = plain.get(link).send().await.unwrap();
        let header = |answer: &reqwest::Response, name: &str| {
            let found = answer
                .headers()
                .get(name)
                .unwrap_or_else(|| panic!("{answer:?}"));
            found.to_str().unwrap().to_owned()
        };
        let cookie = header(&opened, "set-cookie");
        let at_provider = plain.get(header(&opened, "location")).send().await.unwrap();
        Begun {
            cookie: cookie.split(';').next().unwrap().to_owned(),
            callback: header(&at_provider, "location"),
            plain,
        }
    }

    pub(super) async fn disconnect(&self) {
        let path = self.path("disconnect");
        let done = self.server().patch(&path, json!({})).await;
        done.expect(200);
    }
}

/// A consent that was given, and the browser on its way back.
pub(super) struct Begun {
    pub(super) cookie: String,
    pub(super) callback: String,
    plain: reqwest::Client,
}

impl Begun {
    /// It comes back, with its cookie or without.
    pub(super) async fn back(&self, with_cookie: bool) -> Answer {
        let mut request = self.plain.get(&self.callback);
        if with_cookie {
            request = request.header("cookie", &self.cookie);
        }
        TestServer::answer(request).await
    }
}
