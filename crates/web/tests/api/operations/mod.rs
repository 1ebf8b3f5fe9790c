//! Every operation, over HTTP, on both databases: with success, without a key, with wrong ids and
//! with wrong input. An operation that lacks one of them fails the suite.

mod narrow;
mod schema;
mod script;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use marquetry_model::Run;
use marquetry_testkit::{BuildClaim, RunClaim, both_databases};
use script::{Kind, Request, Step, requests, steps};
use serde_json::{Value, json};

use crate::client::{Answer, Client};

/// Operations that nothing can be wrong with.
const TAKE_NOTHING: [&str; 7] = [
    "getVault",
    "getConnector",
    "getConnectorSchema",
    "getHealth",
    "getReadiness",
    "getOpenApi",
    "getManifestSchema",
];
/// Operations that name something in their body or query.
const NAME_IN_BODY: [&str; 5] = [
    "createBuild",
    "createTenant",
    "setDefaultRelease",
    "syncByIntegration",
    "updateIntegration",
];

/// Operations that make what they name.
const MAKE_WHAT_THEY_NAME: [&str; 1] = ["putConnector"];

struct Operation {
    method: Method,
    path: String,
    value: Value,
}

impl Operation {
    fn is_open(&self) -> bool {
        self.value["security"] == json!([{}])
    }

    /// The names in its path, with their types.
    fn ids(&self) -> Vec<(String, String)> {
        let parameters = self.value["parameters"].as_array().into_iter().flatten();
        let parameters = parameters.filter(|parameter| parameter["in"] == "path");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let pair =
            |parameter: &Value| (text(&parameter["name"]), text(&parameter["schema"]["type"]));
        parameters.map(pair).collect()
    }
}

fn document() -> Value {
    serde_json::to_value(marquetry_web::openapi()).unwrap()
}

/// By name.
fn operations() -> BTreeMap<String, Operation> {
    let mut all = BTreeMap::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        for (method, value) in item.as_object().unwrap() {
            let name = value["operationId"].as_str().unwrap().to_owned();
            let method = method.to_uppercase().parse().unwrap();
            let (path, value) = (path.clone(), value.clone());
            all.insert(
                name,
                Operation {
                    method,
                    path,
                    value,
                },
            );
        }
    }
    all
}

#[test]
fn no_operation_lacks_a_test() {
    let mut missing = Vec::new();
    for name in operations().keys() {
        let has = |kind: Kind| requests().any(|one| one.operation == name && one.kind == kind);
        if !has(Kind::Happy) {
            missing.push(format!("happy {name}"));
        }
        if !has(Kind::Bad) && !TAKE_NOTHING.contains(&name.as_str()) {
            missing.push(format!("bad {name}"));
        }
        if !has(Kind::WrongId) && NAME_IN_BODY.contains(&name.as_str()) {
            missing.push(format!("wrong-id {name}"));
        }
    }
    assert!(
        missing.is_empty(),
        "add to walk.txt: {}",
        missing.join(", ")
    );
}

#[test]
fn every_request_is_one_of_its_operation() {
    let operations = operations();
    for request in requests() {
        let operation = &operations[request.operation];
        assert_eq!(operation.method, request.method, "{request:?}");
        let path = request.path.split('?').next().unwrap();
        let fits = ["{link}", "{hook}"].contains(&path) || template_fits(&operation.path, path);
        assert!(fits, "{request:?} is not at {}", operation.path);
    }
}

fn template_fits(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(part), Some(given)) if part == given || part.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// A server, and what its node is doing.
struct Walk {
    client: Client,
    document: Value,
    operations: BTreeMap<String, Operation>,
    build: Option<BuildClaim>,
    run: Option<(Run, RunClaim)>,
    link: String,
    hook: String,
    hook_secret: String,
    transcript: String,
    /// The first success of each operation, and the first of each of its refusals.
    examples: BTreeMap<String, Value>,
    refusals: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Walk {
    fn new(client: Client) -> Self {
        Self {
            client,
            document: document(),
            operations: operations(),
            build: None,
            run: None,
            link: String::new(),
            hook: String::new(),
            hook_secret: String::new(),
            transcript: String::new(),
            examples: BTreeMap::new(),
            refusals: BTreeMap::new(),
        }
    }

    fn repositories(&self) -> String {
        let folder = self.client.inside.folder.path().join("repositories");
        folder.display().to_string()
    }

    /// What a node does.
    async fn act(&mut self, act: &str) {
        let inside = &self.client.inside;
        match act.split_once(' ').unwrap_or((act, "")) {
            ("build", _) => self.build = Some(inside.take_build().await),
            ("run", _) => self.run = Some(inside.take_run().await),
            ("log", text) => {
                let (run, claim) = self.run.as_ref().unwrap();
                inside
                    .run_log(run, claim, 1, format!("{text}\n").as_bytes())
                    .await;
            }
            ("end", what) if what.starts_with("build ") => {
                let claim = self.build.take().unwrap();
                inside.end_build(&claim, 1, &what["build ".len()..]).await;
            }
            ("end", what) => {
                let (run, claim) = self.run.take().unwrap();
                inside.end_run(&run, &claim, &what["run ".len()..]).await;
            }
            _ => panic!("{act}"),
        }
    }

    /// With the owner's key.
    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        self.send_with(&self.client.inside.key, method, path, body)
            .await
    }

    async fn send_with(&self, key: &str, method: &str, path: &str, body: &str) -> Answer {
        let body = match body {
            // What the door looks at; the builder would have to open it.
            "{archive}" => Body::from(&b"\x1f\x8b\x08"[..]),
            body => Body::from(body.replace("{repositories}", &self.repositories())),
        };
        let mut request = http::Request::builder().method(method).uri(path);
        request = request.header("x-api-key", key);
        if path == self.hook {
            let known = STANDARD.encode(format!("azure:{}", self.hook_secret));
            request = request.header("authorization", format!("Basic {known}"));
        }
        self.client.send(request.body(body).unwrap()).await
    }

    fn path(&self, request: &Request) -> String {
        let path = request.path.replace("{link}", &self.link);
        path.replace("{hook}", &self.hook)
    }

    async fn request(&mut self, request: Request) {
        let key = self.client.inside.key.clone();
        self.request_with(&key, request).await;
    }

    /// Answers the status.
    async fn request_with(&mut self, key: &str, request: Request) -> u16 {
        let path = self.path(&request);
        let (method, body) = (request.method, request.body);
        let answer = self.send_with(key, method, &path, body).await;
        if let Some(link) = answer.headers.get("location") {
            link.to_str().unwrap().clone_into(&mut self.link);
        }
        if request.operation == "rotatePushHook" && request.kind == Kind::Happy {
            let hook: Value = serde_json::from_slice(&answer.bytes).unwrap();
            hook["url"].as_str().unwrap().clone_into(&mut self.hook);
            hook["secret"]
                .as_str()
                .unwrap()
                .clone_into(&mut self.hook_secret);
        }
        self.check(&request, &answer);
        self.write(&request, &answer);
        if request.kind == Kind::Happy {
            self.keep(&request, &answer);
            let first = &self.examples[request.operation]["status"];
            if first != answer.status.as_str() {
                self.keep_refusal(request.operation, &answer);
            }
            self.ask_for_nothing(&request).await;
        } else {
            self.keep_refusal(request.operation, &answer);
        }
        answer.status.as_u16()
    }

    /// Sends the same with an id of nothing, where there is one.
    async fn ask_for_nothing(&mut self, request: &Request) {
        let operation = &self.operations[request.operation];
        let ids = operation.ids().len();
        let makes = MAKE_WHAT_THEY_NAME.contains(&request.operation);
        if ids == 0 || operation.is_open() || makes {
            return;
        }
        let path = with_id(&operation.path, request.path, ids - 1, "999");
        let answer = self.send(request.method, &path, request.body).await;
        answer.expect(404);
        self.keep_refusal(request.operation, &answer);
    }

    /// Keeps a refusal as the example of its status.
    fn keep_refusal(&mut self, operation: &str, answer: &Answer) {
        let text = redact(
            &answer
                .text()
                .replace(&self.repositories(), "https://git.example.com"),
        );
        let shown = serde_json::from_str(&text).unwrap();
        let of_operation = self.refusals.entry(operation.to_owned()).or_default();
        let status = answer.status.as_str().to_owned();
        of_operation.entry(status).or_insert(shown);
    }

    /// All examples of the document, by operation.
    fn shown(&self) -> BTreeMap<&str, Value> {
        let all = self.examples.iter().map(|(operation, example)| {
            let mut example = example.clone();
            if let Some(refusals) = self.refusals.get(operation) {
                example["refusals"] = json!(refusals);
            }
            (operation.as_str(), example)
        });
        all.collect()
    }

    /// Keeps a request and its answer as the example of the document.
    fn keep(&mut self, request: &Request, answer: &Answer) {
        let clean = |text: &str| {
            let own = "https://git.example.com";
            let text = text.replace(&self.repositories(), own);
            let text = redact(&text.replace("{repositories}", own));
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        };
        let shown = match request.path {
            "/openapi.json" => json!({"openapi": "3.1.0", "info": {"title": "Marquetry"}}),
            "/schemas/connector.json" => json!({"title": "Connector", "type": "object"}),
            "/schemas/pandium.json" => json!({"title": "PANDIUM.yaml", "type": "object"}),
            _ => clean(&answer.text()),
        };
        let sent = (!request.body.is_empty()).then(|| clean(request.body));
        let example = json!({"request": sent, "status": answer.status.as_str(), "answer": shown});
        self.examples
            .entry(request.operation.to_owned())
            .or_insert(example);
    }

    /// Whether the status is right and the body is what the document says.
    fn check(&self, request: &Request, answer: &Answer) {
        let (status, text) = (answer.status.as_u16(), answer.text());
        let right = match request.kind {
            Kind::Happy => (200..400).contains(&status),
            Kind::Bad => (400..500).contains(&status),
            Kind::WrongId => [404, 422].contains(&status),
        };
        assert!(right, "{request:?}: {status} {text}");
        let operation = &self.operations[request.operation];
        let faults = answer_faults(&self.document, operation, answer);
        assert!(faults.is_empty(), "{request:?}: {status} {text} {faults:?}");
    }

    fn write(&mut self, request: &Request, answer: &Answer) {
        let Request {
            method, path, body, ..
        } = request;
        let line = format!("{method} {path} {body}");
        writeln!(self.transcript, "{}", line.trim_end()).unwrap();
        let status = answer.status.as_u16();
        write!(self.transcript, "{status}").unwrap();
        for name in [
            "content-type",
            "location",
            "link",
            "x-total-count",
            "retry-after",
        ] {
            if let Some(value) = answer.headers.get(name) {
                let value = value.to_str().unwrap();
                write!(self.transcript, " {name}={}", redact(value)).unwrap();
            }
        }
        let text = answer
            .text()
            .replace(&self.repositories(), "{repositories}");
        let text = match *path {
            "/openapi.json" | "/schemas/pandium.json" => "(the document)".to_owned(),
            _ => redact(&text),
        };
        writeln!(self.transcript, "\n{}\n", text.trim_end()).unwrap();
    }
}

/// What differs from run to run: keys, secrets, and the signature of links.
fn redact(text: &str) -> String {
    let mut shown = text.to_owned();
    for start in [
        "mq_",
        "http://127.0.0.1:",
        "mql_",
        "\"master_key_id\":\"",
        "whsec_",
        "/hooks/git/1/",
        "/hooks/git/2/",
        "signature=",
        "cursor=",
    ] {
        let mut from = 0;
        while let Some(found) = shown[from..].find(start) {
            let begin = from + found + start.len();
            let tail = shown[begin..].find(['"', '&', '>', ' ']);
            let end = tail.map_or(shown.len(), |tail| begin + tail);
            shown.replace_range(begin..end, "…");
            from = begin;
        }
    }
    shown
}

/// Whether the document has this status of this operation, and this body of this status.
fn answer_faults(document: &Value, operation: &Operation, answer: &Answer) -> Vec<String> {
    let declared = &operation.value["responses"][answer.status.as_str()];
    if !declared.is_object() {
        return vec!["the status is not declared".to_owned()];
    }
    let kind = answer.header("content-type");
    let kind = kind.split(';').next().unwrap();
    let Some(content) = declared["content"].as_object() else {
        return Vec::new();
    };
    match content.get(kind) {
        None => vec![format!("{kind} is not declared")],
        Some(content) if kind == "application/json" => {
            let body = serde_json::from_slice(&answer.bytes).unwrap();
            schema::faults(document, &content["schema"], &body)
        }
        Some(_) => Vec::new(),
    }
}

async fn walk(client: Client) -> Walk {
    let mut walk = Walk::new(client);
    for step in steps() {
        match step {
            Step::Node(act) => walk.act(act).await,
            Step::Request(request) => walk.request(request).await,
        }
    }
    walk
}

both_databases! {
    async fn the_walk_is_the_stored_one(database) {
        let walk = walk(Client::served(database).await).await;
        insta::with_settings!({prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!("walk", walk.transcript);
        });
        let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/src/openapi/examples.json");
        let mut examples = serde_json::to_string_pretty(&walk.shown()).unwrap();
        examples.push('\n');
        if bless() {
            std::fs::write(kept, &examples).unwrap();
        }
        let told = "the examples are old: MARQUETRY_BLESS=1 cargo test -p marquetry-web walk";
        assert!(std::fs::read_to_string(kept).unwrap() == examples, "{told}");
    }
}

fn bless() -> bool {
    std::env::var_os("MARQUETRY_BLESS").is_some()
}

both_databases! {
    async fn without_a_valid_key_nothing_else_is_looked_at(database) {
        let client = Client::served(database).await;
        let made = client.post("/v2/keys", json!({"name": "old"})).await.expect(201);
        client.delete(&format!("/v2/keys/{}", made["id"])).await.expect(200);
        let revoked = made["key"].as_str().unwrap();
        for request in requests().filter(|request| request.kind == Kind::Happy) {
            if operations()[request.operation].is_open() {
                continue;
            }
            for key in [None, Some(""), Some("wrong"), Some("mq_unknown"), Some(revoked)] {
                let builder = http::Request::builder().method(request.method).uri(request.path);
                let builder = match key {
                    Some(key) => builder.header("x-api-key", key),
                    None => builder,
                };
                let answer = client.send(builder.body(Body::from("{")).unwrap()).await;
                let body = answer.expect(403);
                assert_eq!(body, json!({"detail": "Not authorized"}), "{request:?}");
                assert_eq!(answer.header("content-type"), "application/json");
            }
        }
    }
}

both_databases! {
    async fn an_id_of_nothing_is_404_and_what_is_no_id_is_422(database) {
        let walk = walk(Client::served(database).await).await;
        let mut tried = 0;
        for request in requests().filter(|request| request.kind == Kind::Happy) {
            let operation = &walk.operations[request.operation];
            let makes = MAKE_WHAT_THEY_NAME.contains(&request.operation);
            if makes || ["{link}", "{hook}"].contains(&request.path) {
                continue;
            }
            for (n, (_, kind)) in operation.ids().iter().enumerate() {
                for (id, number) in [
                    ("999999", true), ("0", true), ("-1", true), ("9223372036854775807", true),
                    ("9223372036854775808", false), ("x", false), ("1.5", false), ("%20", false),
                    ("1%00", false), ("%F0%9F%98%80", false),
                ] {
                    let path = with_id(&operation.path, request.path, n, id);
                    let answer = walk.send(request.method, &path, request.body).await;
                    // `1.5` and the like are no numbers, and a text names something or nothing.
                    let wanted = if number || kind == "string" { 404 } else { 422 };
                    let body = answer.expect(wanted);
                    let faults = answer_faults(&walk.document, operation, &answer);
                    assert!(faults.is_empty(), "{path}: {body} {faults:?}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 200, "{tried}");
    }
}

/// The path with another id in the place of the `n`th one.
fn with_id(template: &str, path: &str, n: usize, id: &str) -> String {
    let (path, query) = path
        .split_once('?')
        .map_or((path, None), |(path, query)| (path, Some(query)));
    let mut seen = 0;
    let parts = template
        .split('/')
        .zip(path.split('/'))
        .map(|(part, given)| {
            let is_id = part.starts_with('{');
            let here = is_id && seen == n;
            seen += usize::from(is_id);
            if here { id } else { given }
        });
    let path = parts.collect::<Vec<_>>().join("/");
    query.map_or(path.clone(), |query| format!("{path}?{query}"))
}
