//! Notices of pushes, as the hosts of Git send them.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request};
use marquetry_testkit::Inside;
use marquetry_web::WebConfig;
use serde_json::{Value, json};

use crate::client::{Answer, Client};

struct Hook {
    client: Client,
    integration: i64,
    url: String,
    secret: String,
}

fn tag(key: &[u8], content: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, content).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn commit(n: u8) -> String {
    format!("{n:040x}")
}

impl Hook {
    async fn new() -> Self {
        let client = Client::new().await;
        let integration = client.integration("shop").await;
        let mut hook = Self {
            client,
            integration,
            url: String::new(),
            secret: String::new(),
        };
        let found = hook.client.get(&hook.path()).await.expect(200);
        hook.take(&found["push_hook"]);
        hook
    }

    fn take(&mut self, shown: &Value) {
        shown["url"].as_str().unwrap().clone_into(&mut self.url);
        shown["secret"]
            .as_str()
            .unwrap()
            .clone_into(&mut self.secret);
    }

    fn path(&self) -> String {
        format!("/v2/integrations/{}", self.integration)
    }

    async fn send(&self, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri(&self.url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.client
            .send(request.body(Body::from(body.to_vec())).unwrap())
            .await
    }

    fn signature(&self, body: &[u8]) -> String {
        format!("sha256={}", hex(&tag(self.secret.as_bytes(), body)))
    }

    async fn github(&self, event: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let signature = self.signature(body.as_bytes());
        let headers = [
            ("X-GitHub-Event", event),
            ("X-Hub-Signature-256", signature.as_str()),
        ];
        self.send(&headers, body.as_bytes()).await
    }

    async fn builds(&self) -> Vec<Value> {
        let found = self.client.get("/v2/builds").await.expect(200);
        found.as_array().unwrap().clone()
    }

    /// One that waits is ended, so that the next push asks for another.
    async fn expect_build(&self, answer: Answer) {
        let answer = answer.expect(202);
        let build = &answer["build"];
        assert_eq!(build["status"], "Pending", "{answer}");
        assert_eq!(
            (&build["branch"], &build["tag"]),
            (&json!("main"), &Value::Null)
        );
        assert!(
            answer["message"]
                .as_str()
                .unwrap()
                .contains("newest commit"),
            "{answer}"
        );
        let path = format!("/v2/builds/{}/cancel", build["id"]);
        self.client.post(&path, Value::Null).await.expect(200);
    }

    #[track_caller]
    fn expect_nothing(answer: &Answer, why: &str) {
        let answer = answer.expect(200);
        assert_eq!(answer["build"], Value::Null, "{answer}");
        assert!(
            answer["message"].as_str().unwrap().contains(why),
            "{answer}"
        );
    }
}

#[track_caller]
fn expect_refused(answer: &Answer) {
    assert_eq!(answer.expect(403), json!({"detail": "Not authorized"}));
}

#[tokio::test]
async fn github() {
    let hook = Hook::new().await;
    let push = json!({"ref": "refs/heads/main", "after": commit(1), "deleted": false});
    hook.expect_build(hook.github("push", &push).await).await;
    Hook::expect_nothing(&hook.github("ping", &json!({"zen": "x"})).await, "works");
    Hook::expect_nothing(&hook.github("issues", &json!({})).await, "issues");
    for (name, why) in [
        ("refs/heads/other", "other is not the tracking branch main"),
        ("refs/tags/main", "refs/tags/main is not"),
        ("refs/heads/main2", "main2 is not"),
        ("main", "main is not the tracking branch"),
    ] {
        let push = json!({"ref": name, "after": commit(1)});
        Hook::expect_nothing(&hook.github("push", &push).await, why);
    }
    let gone = json!({"ref": "refs/heads/main", "after": "0".repeat(40), "deleted": true});
    Hook::expect_nothing(&hook.github("push", &gone).await, "deleted");
    Hook::expect_nothing(&hook.github("push", &json!({})).await, "names no branch");
    let body = push.to_string();
    let wrong = hook.signature(b"something else");
    let sha1 = hook.signature(body.as_bytes()).replace("sha256", "sha1");
    for signature in [
        None,
        Some(wrong.as_str()),
        Some(sha1.as_str()),
        Some("sha256="),
        Some(""),
    ] {
        let mut headers = vec![("X-GitHub-Event", "push")];
        headers.extend(signature.map(|signature| ("X-Hub-Signature-256", signature)));
        expect_refused(&hook.send(&headers, body.as_bytes()).await);
    }
    assert_eq!(hook.builds().await.len(), 1, "one push, one build");
}

#[tokio::test]
async fn github_as_a_form() {
    let hook = Hook::new().await;
    let push = json!({"ref": "refs/heads/main", "after": commit(1), "pusher": "a&b=c %"});
    let coded = hex(push.to_string().as_bytes());
    let coded: Vec<String> = coded
        .as_bytes()
        .chunks(2)
        .map(|pair| format!("%{}", str::from_utf8(pair).unwrap()))
        .collect();
    let coded = coded.concat();
    let body = format!("a=b&payload={coded}");
    let signature = hook.signature(body.as_bytes());
    let headers = [
        ("X-GitHub-Event", "push"),
        ("X-Hub-Signature-256", signature.as_str()),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    hook.expect_build(hook.send(&headers, body.as_bytes()).await)
        .await;
    // JSON that is called a form is JSON all the same.
    let plain = push.to_string();
    let signature = hook.signature(plain.as_bytes());
    let called = [
        headers[0],
        ("X-Hub-Signature-256", signature.as_str()),
        headers[2],
    ];
    hook.expect_build(hook.send(&called, plain.as_bytes()).await)
        .await;
    // The signature is over what was sent, not over what it means.
    let signature = hook.signature(push.to_string().as_bytes());
    let headers = [
        headers[0],
        ("X-Hub-Signature-256", signature.as_str()),
        headers[2],
    ];
    expect_refused(&hook.send(&headers, body.as_bytes()).await);
}

#[tokio::test]
async fn gitlab_by_its_token() {
    let hook = Hook::new().await;
    let secret = hook.secret.as_str();
    let push = json!({"object_kind": "push", "ref": "refs/heads/main", "after": commit(1)});
    let body = push.to_string();
    for event in ["Push Hook", "System Hook"] {
        let headers = [("X-Gitlab-Event", event), ("X-Gitlab-Token", secret)];
        hook.expect_build(hook.send(&headers, body.as_bytes()).await)
            .await;
    }
    for token in [
        None,
        Some("wrong"),
        Some(""),
        Some(&secret[..secret.len() - 1]),
    ] {
        let mut headers = vec![("X-Gitlab-Event", "Push Hook")];
        headers.extend(token.map(|token| ("X-Gitlab-Token", token)));
        expect_refused(&hook.send(&headers, body.as_bytes()).await);
    }
    let headers = [
        ("X-Gitlab-Event", "Tag Push Hook"),
        ("X-Gitlab-Token", secret),
    ];
    let tagged = json!({"object_kind": "tag_push", "ref": "refs/tags/v1", "after": commit(1)});
    let answer = hook.send(&headers, tagged.to_string().as_bytes()).await;
    Hook::expect_nothing(&answer, "Tag Push Hook");
    let headers = [("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Token", secret)];
    let gone = json!({"object_kind": "push", "ref": "refs/heads/main", "after": "0".repeat(40)});
    Hook::expect_nothing(
        &hook.send(&headers, gone.to_string().as_bytes()).await,
        "deleted",
    );
}

#[tokio::test]
async fn gitlab_by_its_signature() {
    let hook = Hook::new().await;
    let push = json!({"object_kind": "push", "ref": "refs/heads/main", "after": commit(1)});
    let body = push.to_string();
    let key = STANDARD
        .decode(hook.secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    let now = hook.client.inside.app.now().as_seconds();
    let signed = |id: &str, at: i64| {
        let content = format!("{id}.{at}.{body}");
        format!("v1,{}", STANDARD.encode(tag(&key, content.as_bytes())))
    };
    let send = async |signature: String, id: Option<&str>, at: i64| {
        let at = at.to_string();
        let mut headers = vec![
            ("X-Gitlab-Event", "Push Hook"),
            ("webhook-signature", signature.as_str()),
            ("webhook-timestamp", at.as_str()),
            // What is wrong is not made good by what is right beside it.
            ("X-Gitlab-Token", hook.secret.as_str()),
        ];
        headers.extend(id.map(|id| ("webhook-id", id)));
        hook.send(&headers, body.as_bytes()).await
    };
    hook.expect_build(send(signed("a", now), Some("a"), now).await)
        .await;
    let several = format!("v1,AAAA v2,x {}", signed("a", now - 299));
    hook.expect_build(send(several, Some("a"), now - 299).await)
        .await;
    expect_refused(&send(signed("a", now), Some("b"), now).await);
    expect_refused(&send(signed("a", now), None, now).await);
    expect_refused(&send(signed("a", now), Some("a"), now + 1).await);
    expect_refused(&send(signed("a", now - 301), Some("a"), now - 301).await);
    expect_refused(&send("v1,".to_owned(), Some("a"), now).await);
}

#[tokio::test]
async fn bitbucket() {
    let hook = Hook::new().await;
    let change = |kind: &str, name: &str| json!({"new": {"type": kind, "name": name, "target": {"hash": commit(1)}}});
    let send = async |event: &str, changes: Value| {
        let body = json!({"push": {"changes": changes}}).to_string();
        let signature = hook.signature(body.as_bytes());
        let headers = [
            ("X-Event-Key", event),
            ("X-Hub-Signature", signature.as_str()),
        ];
        hook.send(&headers, body.as_bytes()).await
    };
    let changes = json!([change("branch", "main"), change("branch", "other")]);
    hook.expect_build(send("repo:push", changes).await).await;
    Hook::expect_nothing(
        &send("repo:push", json!([change("tag", "main")])).await,
        "refs/tags/main",
    );
    let gone = json!([{"old": {"type": "branch", "name": "main"}, "new": null}]);
    Hook::expect_nothing(&send("repo:push", gone).await, "deleted");
    Hook::expect_nothing(&send("repo:fork", json!([])).await, "repo:fork");
    expect_refused(&hook.send(&[("X-Event-Key", "repo:push")], b"{}").await);
}

#[tokio::test]
async fn azure_devops() {
    let hook = Hook::new().await;
    let push = json!({"eventType": "git.push", "resource": {"refUpdates": [
        {"name": "refs/heads/main", "newObjectId": commit(1)},
    ]}});
    let body = push.to_string();
    // Who knows the address alone, or leaves out another host's header, gets nowhere.
    expect_refused(&hook.send(&[], body.as_bytes()).await);
    let basic = |password: &str| format!("Basic {}", STANDARD.encode(format!("any:{password}")));
    let right = basic(&hook.secret);
    let answer = hook
        .send(&[("Authorization", &right)], body.as_bytes())
        .await;
    hook.expect_build(answer).await;
    for wrong in [basic("wrong"), "Basic ".to_owned(), "Bearer x".to_owned()] {
        expect_refused(
            &hook
                .send(&[("Authorization", &wrong)], body.as_bytes())
                .await,
        );
    }
    let other = json!({"eventType": "workitem.created"}).to_string();
    let known = [("Authorization", right.as_str())];
    Hook::expect_nothing(
        &hook.send(&known, other.as_bytes()).await,
        "workitem.created",
    );
    Hook::expect_nothing(&hook.send(&known, b"{}").await, "no notice of");
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let hook = Hook::new().await;
    let right = format!("Basic {}", STANDARD.encode(format!("any:{}", hook.secret)));
    for body in [&b""[..], b"{", b"payload={}", b"\xff"] {
        let answer = hook
            .send(&[("Authorization", &right)], body)
            .await
            .expect(422);
        assert_eq!(answer["detail"][0]["loc"], json!(["body"]), "{answer}");
        assert_eq!(answer["detail"][0]["type"], "json_invalid", "{answer}");
    }
}

#[tokio::test]
async fn a_wrong_address_is_not_there() {
    let mut hook = Hook::new().await;
    let push = json!({"ref": "refs/heads/main", "after": commit(1)});
    let right = hook.url.clone();
    let token = right.rsplit('/').next().unwrap().to_owned();
    let other = hook.client.integration("other").await;
    let mut said = Vec::new();
    for wrong in [
        format!("{right}0"),
        right[..right.len() - 1].to_owned(),
        right.to_uppercase().replace("/HOOKS/GIT", "/hooks/git"),
        format!("/hooks/git/{other}/{token}"),
        format!("/hooks/git/999/{token}"),
        format!("/hooks/git/x/{token}"),
    ] {
        hook.url = wrong;
        let answer = hook.github("push", &push).await.expect(404);
        assert!(!answer.to_string().contains(&token), "{answer}");
        said.push(answer["message"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        said[3].replace(&other.to_string(), "N"),
        said[4].replace("999", "N")
    );
    hook.url = right;
    let path = hook.path();
    hook.client.delete(&path).await.expect(200);
    hook.github("push", &push).await.expect(404);
    let archived = hook.client.get(&path).await.expect(200);
    assert_eq!(archived["push_hook"], Value::Null);
    assert_eq!(hook.builds().await.len(), 0);
}

#[tokio::test]
async fn a_push_while_a_build_waits_is_that_builds() {
    let hook = Hook::new().await;
    let push = json!({"ref": "refs/heads/main", "after": commit(1)});
    let first = hook.github("push", &push).await.expect(202);
    let second = hook.github("push", &push).await.expect(202);
    assert_eq!(first["build"], second["build"]);
    assert!(
        second["message"]
            .as_str()
            .unwrap()
            .contains("waits already"),
        "{second}"
    );
    // Once it is at work it may have fetched already, so the next push has its own.
    let claim = hook.client.inside.take_build().await;
    let third = hook.github("push", &push).await.expect(202);
    assert_ne!(third["build"]["id"], first["build"]["id"]);
    hook.client
        .inside
        .end_build(&claim, hook.integration, "old")
        .await;
    let claim = hook.client.inside.take_build().await;
    assert_eq!(third["build"]["id"], claim.id.get());
    hook.client
        .inside
        .end_build(&claim, hook.integration, "new")
        .await;
    let latest = hook
        .client
        .get(&format!("{}/releases/latest", hook.path()))
        .await
        .expect(200);
    assert_eq!(latest["tag"], "new", "the newest commit wins");
    // A build that somebody asked for has a label of its own, and does not stand for a push.
    let body = json!({"integration_id": hook.integration, "tag": "v1"});
    let asked = hook
        .client
        .post("/v2/sourcecontrol/build", body)
        .await
        .expect(201);
    let fourth = hook.github("push", &push).await.expect(202);
    assert_ne!(fourth["build"]["id"], asked["id"]);
}

#[tokio::test]
async fn an_integration_without_a_repository_builds_nothing() {
    let mut hook = Hook::new().await;
    let path = hook.path();
    let body = json!({"repository_url": null});
    let changed = hook.client.patch(&path, body).await.expect(200);
    hook.take(&changed["push_hook"]);
    let push = json!({"ref": "refs/heads/main", "after": commit(1)});
    Hook::expect_nothing(&hook.github("push", &push).await, "no repository_url");
}

#[tokio::test]
async fn rotation_ends_the_former_ones() {
    let mut hook = Hook::new().await;
    let push = json!({"ref": "refs/heads/main", "after": commit(1)});
    let (url, secret) = (hook.url.clone(), hook.secret.clone());
    let path = hook.path();
    let rotated = hook
        .client
        .post(&format!("{path}/push-hook/rotate"), Value::Null)
        .await
        .expect(200);
    assert_ne!(
        (&rotated["url"], &rotated["secret"]),
        (&json!(url), &json!(secret))
    );
    hook.github("push", &push).await.expect(404);
    hook.take(&rotated);
    hook.secret = secret;
    expect_refused(&hook.github("push", &push).await);
    hook.take(&rotated);
    hook.expect_build(hook.github("push", &push).await).await;
    assert_eq!(
        hook.client.get(&path).await.expect(200)["push_hook"],
        rotated
    );
    hook.client
        .post("/v2/integrations/999/push-hook/rotate", Value::Null)
        .await
        .expect(404);
}

#[tokio::test]
async fn only_keys_that_may_write_see_it_and_it_is_absolute_where_that_is_known() {
    let config = WebConfig {
        public_url: Some("https://m.example.com/".into()),
        ..WebConfig::default()
    };
    let client = Client::of(Inside::new().await, config);
    let id = client.integration("shop").await;
    let path = format!("/v2/integrations/{id}");
    let seen = client.get(&path).await.expect(200)["push_hook"].clone();
    let url = seen["url"].as_str().unwrap();
    assert!(
        url.starts_with(&format!("https://m.example.com/hooks/git/{id}/")),
        "{url}"
    );
    let listed = client.get("/v2/integrations").await.expect(200);
    assert_eq!(listed[0]["push_hook"], seen);
    let changed = client
        .patch(&path, json!({"long_name": "Other"}))
        .await
        .expect(200);
    assert_eq!(changed["push_hook"], seen);
    let body = json!({"name": "reader", "scopes": ["read", "sync"]});
    let key = client.post("/v2/keys", body).await.expect(201)["key"]
        .as_str()
        .unwrap()
        .to_owned();
    for path in [path.as_str(), "/v2/integrations"] {
        let request = Request::builder().uri(path).header("X-API-KEY", &key);
        let answer = client.send(request.body(Body::empty()).unwrap()).await;
        let found = answer.expect(200);
        let one = if found.is_array() { &found[0] } else { &found };
        assert_eq!(one["push_hook"], Value::Null, "{path}");
        assert!(!answer.text().contains("whsec_"));
    }
}
