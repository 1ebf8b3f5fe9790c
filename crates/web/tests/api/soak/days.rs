//! What an installation with a few tenants does every day.

use std::time::Duration;

use axum::body::Body;
use http::Method;
use marquetry_app::key_rotation::keys_reseal;
use marquetry_app::logs::{LogOf, log_archive};
use marquetry_app::next_environment::{Secrets, environment_get};
use marquetry_model::{Mode, Outcome, Phase, RunUsage, TenantId};
use serde_json::{Value, json};

use crate::client::{Answer, Client};

/// Lies in the database.
const SMALL: usize = 4_000;
/// Lies elsewhere.
const LARGE: usize = 12_000;
/// Bytes of a file that holds a large text with what is written around it, as it is stored.
pub(super) const LARGEST: u64 = 12_200;

/// Integration 1 with a release whose form has a secret, and its tenant 1.
pub(super) async fn prepare(client: &Client) {
    let integration = client.integration("shop").await;
    let secrets = json!({"build_env": {"TOKEN": "of the builds"}});
    let path = format!("/v2/integrations/{integration}");
    client.patch(&path, secrets).await.expect(200);
    let form = json!({"schema": {"properties": {
        "region": {"type": "string"}, "token": {"type": "string", "format": "password"},
    }}});
    let metadata = json!({"schema": {}});
    let made = client
        .inside
        .release_with_form(integration, "form", Some(form), Some(metadata));
    made.await;
    let wanted = json!({"name": "acme", "integration_id": integration, "paused": false,
        "configs": {"region": "eu", "token": "first"}});
    client.post("/v2/tenants", wanted).await.expect(200);
    let definition = json!({"name": "chat", "title": "Chat", "auth": {"kind": "oauth2",
        "authorize_url": "https://chat.example.com/authorize", "token_url": "https://chat.example.com/token"}});
    put(client, "/v2/connectors/chat", definition)
        .await
        .expect(201);
    let connectors =
        json!({"connectors": [{"name": "chat", "isGlobal": false}], "local_run": "plain"});
    client.patch(&path, connectors).await.expect(200);
}

async fn put(client: &Client, path: &str, body: Value) -> Answer {
    client.raw(Method::PUT, path, body.to_string()).await
}

/// Credentials that are written anew, links that end, and consents that nobody gives.
async fn connections(client: &Client, day: usize) {
    let app = json!({"values": {}});
    let path = "/v2/integrations/1/connectors/chat/provisioning";
    put(client, path, app).await.expect(200);
    let values = json!({"values": {"access_token": format!("token-{day}")}});
    let path = "/v2/tenants/1/connectors/chat/credentials";
    put(client, path, values).await.expect(200);
    for expires_in in [60, 3600] {
        let wanted = json!({"link": true, "expires_in": expires_in});
        let made = client.post("/v2/tenants/1/connectors/chat/connect", wanted);
        let url = made.await.expect(200)["url"].as_str().unwrap().to_owned();
        let path = &url[url.find("/link/").unwrap()..];
        assert_eq!(client.raw(Method::GET, path, "").await.status, 302);
    }
}

/// Data keys that are exchanged now and then, and a developer who runs the code at home every day.
async fn keys(client: &Client, day: usize) {
    if day.is_multiple_of(5) {
        let wanted = json!({"what": "data_keys"});
        client
            .post("/v2/settings/vault/rotate", wanted)
            .await
            .expect(200);
        client.inside.clock.advance(Duration::from_mins(3));
    }
    let system = client.inside.system();
    keys_reseal(&system).await.unwrap();
    let shown = environment_get(&system, TenantId::new(1), Mode::Normal, Secrets::Plain);
    assert!(
        shown
            .await
            .unwrap()
            .iter()
            .any(|(name, _)| name == "PAN_SEC_CHAT_ACCESS_TOKEN")
    );
}

/// A day; every five are alike.
pub(super) async fn pass(client: &Client, day: usize) {
    // One that is never heard of again.
    client.inside.node_was_seen(&format!("node-{day}")).await;
    syncs(client, day).await;
    connections(client, day).await;
    keys(client, day).await;
    match day % 5 {
        0 => build(client, day, true).await,
        1 => triggers(client, day).await,
        2 => repetitions(client, day).await,
        3 => refusals(client, day).await,
        _ => {
            build(client, day, false).await;
            guest(client, day).await;
        }
    }
}

/// Runs with other settings than before, and with payloads and logs that lie in the database, and that
/// do not.
async fn syncs(client: &Client, day: usize) {
    let settings = json!({"configs": {"region": format!("r{day}"), "token": format!("t{day}")}});
    client.patch("/v2/tenants/1", settings).await.expect(200);
    for size in [SMALL, LARGE] {
        let payload = json!({"text": text(day, size)}).to_string();
        let request = client.request(Method::POST, "/v2/tenants/1/sync?mode=normal");
        let request = request.header("Idempotency-Key", format!("{day}-{size}"));
        let sent = client
            .send(request.body(Body::from(payload)).unwrap())
            .await;
        sent.expect(202);
        run(client, Phase::Succeeded, size, day).await;
    }
}

/// A failure, webhooks, and a trigger that no run takes.
async fn triggers(client: &Client, day: usize) {
    sync(client, 1, json!({})).await;
    run(client, Phase::FailedIntegration, SMALL, day).await;
    for size in [SMALL, LARGE] {
        let body = json!({"hook": text(day, size)}).to_string();
        client.inside.webhook(1, body.into_bytes()).await;
        run(client, Phase::Succeeded, SMALL, day).await;
    }
    let trigger = sync(client, 1, json!({"cancelled": text(day, LARGE)})).await;
    let path = format!("/v2/runs/triggers/{trigger}/cancel");
    client.post(&path, json!({})).await.expect(200);
}

/// Runs that repeat others, also others that repeat, and state that is set by hand.
async fn repetitions(client: &Client, day: usize) {
    let by_hand = json!({"std_out": {"day": day}}).to_string();
    let set = client.raw(Method::PUT, "/v2/tenants/1/state", by_hand);
    set.await.expect(200);
    let mut of = newest_run(client).await;
    let own = json!({"std_out": {"day": day}, "configs": {"region": "own"}});
    for how in [json!({}), own, json!({})] {
        let path = format!("/v2/runs/{of}/rerun");
        client.post(&path, how).await.expect(202);
        of = run(client, Phase::Succeeded, SMALL, day).await;
    }
}

async fn newest_run(client: &Client) -> i64 {
    let found = client.get("/v2/tenants/1/runs?limit=1").await.expect(200);
    found[0]["id"].as_i64().unwrap()
}

/// A request that is refused, a run whose node is lost, and a key that is taken back.
async fn refusals(client: &Client, day: usize) {
    let pause = |paused| client.patch("/v2/integrations/1", json!({"paused": paused}));
    pause(true).await.expect(200);
    let refused = client.post("/v2/tenants/1/sync?mode=normal", json!({}));
    refused.await.expect(422);
    pause(false).await.expect(200);
    sync(client, 1, json!({})).await;
    client.inside.take_run().await;
    client.inside.clock.advance(Duration::from_mins(2));
    assert_eq!(client.inside.reap().await, 1);
    let wanted = json!({"name": format!("key-{day}"), "scopes": ["read"]});
    let key = client.post("/v2/keys", wanted).await.expect(201);
    let path = format!("/v2/keys/{}", key["id"]);
    assert!(client.delete(&path).await.status.is_success());
}

/// An archive that is sent becomes a release, or does not: then its log is long, and its artifact nobody's.
async fn build(client: &Client, day: usize, succeeds: bool) {
    let archive = [b"\x1f\x8b\x08", text(day, LARGE).as_bytes()].concat();
    let path = "/v2/integrations/1/releases/upload";
    let made = client.raw(Method::POST, path, archive).await.expect(201);
    let inside = &client.inside;
    let claim = inside.take_build().await;
    let size = if succeeds { SMALL } else { LARGE };
    inside
        .build_log(&claim, 1, text(day, size).as_bytes())
        .await;
    let artifact = inside.put_artifact(text(day, LARGE).into_bytes()).await;
    if succeeds {
        let tag = made["tag"].as_str().unwrap();
        inside.end_build_of(&claim, 1, tag, artifact).await;
    } else {
        inside.fail_build(&claim, "0123").await;
    }
    archive_log(client, LogOf::Build(claim.id)).await;
}

/// A tenant that comes, runs and is archived.
async fn guest(client: &Client, day: usize) {
    let wanted = json!({"name": format!("guest-{day}"), "integration_id": 1,
        "integration_release_id": 1, "configs": {"token": "guest"}});
    let made = client.post("/v2/tenants", wanted).await.expect(200);
    let id = made["id"].as_i64().unwrap();
    let path = format!("/v2/tenants/{id}");
    let metadata = format!("{path}/metadata");
    let known = client.patch(&metadata, json!({"day": day})).await;
    known.expect(200);
    for phase in [Phase::Succeeded, Phase::FailedIntegration] {
        sync(
            client,
            id,
            json!({"guest": text(day, LARGE), "phase": phase.as_str()}),
        )
        .await;
        run(client, phase, LARGE, day).await;
    }
    let by_hand = json!({"std_out": {"day": day}}).to_string();
    let state = format!("{path}/state");
    client.raw(Method::PUT, &state, by_hand).await.expect(200);
    sync(client, id, json!({})).await;
    client.delete(&path).await.expect(200);
    assert!(client.inside.take_none().await, "what waited is cancelled");
}

async fn sync(client: &Client, tenant: i64, payload: Value) -> String {
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let made = client.post(&path, payload).await.expect(202);
    made["trigger_id"].as_str().unwrap().to_owned()
}

/// Makes a run of what waits and ends it, as its node does; its id.
async fn run(client: &Client, phase: Phase, log: usize, day: usize) -> i64 {
    let inside = &client.inside;
    let (run, claim) = inside.take_run().await;
    let id = run.id;
    let log = format!("run {id}\n{}", text(day, log));
    inside.run_log(&run, &claim, 1, log.as_bytes()).await;
    let outcome = Outcome {
        phase,
        message: None,
        exit_code: None,
        std_out: Some(json!({"day": day}).to_string()),
        usage: RunUsage::default(),
    };
    inside.finish_runs(vec![(run, claim, outcome)], None).await;
    archive_log(client, LogOf::Run(id)).await;
    id.get()
}

async fn archive_log(client: &Client, of: LogOf) {
    log_archive(&client.inside.system(), of).await.unwrap();
}

/// A text of a day, which no compression makes small.
fn text(day: usize, size: usize) -> String {
    let mut state = u64::try_from(day).unwrap();
    let letter = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + (state >> 58) as u8)
    };
    (0..size).map(letter).collect()
}
