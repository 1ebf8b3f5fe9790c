//! Secret settings at rest: no file of SQLite and no table of PostgreSQL has one, whatever happens to the
//! tenant; the run has them.

use marquetry_model::{IntegrationId, TenantId, Timestamp};
use marquetry_store::{secret_sweeps, tenant_secrets, tenants};
use marquetry_testkit::{Scenario, TestServer, both_databases, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use crate::private::found_below;
use crate::server;

const EARLY: &str = "early-40d9f2b1c6";
const FIRST: &str = "first-9b77ce01da";
const SECOND: &str = "second-e15c3a88f0";
const THIRD: &str = "third-5a0f64be92";
const KEY: &str = "key-c3d2817f4e";
const ALL: [&str; 5] = [EARLY, FIRST, SECOND, THIRD, KEY];

/// Prints its settings backwards: what a run says is its own matter, and kept as it is.
const MAIN: &str = r#"
import json, os
print(json.dumps({n[8:].lower(): v[::-1] for n, v in os.environ.items() if n.startswith("PAN_CFG_")}))
"#;

fn manifest(properties: &str) -> String {
    format!(
        "version: 1.0\nbase: python:3.11\nbuild: 'true'\nrun: python3 main.py\nconfigs:\n  schema:\n    properties: {properties}\n"
    )
}

fn secret() -> String {
    let keys = "{type: array, items: {type: string}, writeOnly: true}";
    manifest(&format!(
        "{{region: {{type: string}}, token: {{type: string, format: password}}, keys: {keys}}}"
    ))
}

/// Where a text lies: the files of the server's folder, and the tables of PostgreSQL.
async fn places(server: &TestServer, text: &str) -> Vec<String> {
    let mut found = found_below(server.data_dir.path(), text);
    let rows = server.rows().await;
    let rows = rows.lines().filter(|row| row.contains(text));
    found.extend(rows.map(str::to_owned));
    found
}

async fn nowhere(server: &TestServer) {
    for text in ALL {
        assert_eq!(places(server, text).await, Vec::<String>::new(), "{text}");
    }
}

/// The settings that a run was given, the right way round.
fn given(run: &Value) -> Value {
    let printed = run["std_out"].as_str().unwrap_or_else(|| panic!("{run}"));
    let printed: serde_json::Map<String, Value> = serde_json::from_str(printed).unwrap();
    let turned = |text: &Value| text.as_str().unwrap().chars().rev().collect::<String>();
    let all = printed
        .iter()
        .map(|(name, text)| (name.clone(), turned(text).into()));
    Value::Object(all.collect())
}

async fn change(server: &TestServer, tenant: i64, configs: Value) -> Value {
    let path = format!("/v2/tenants/{tenant}");
    let changed = server.patch(&path, json!({ "configs": configs })).await;
    changed.expect(200)["configs"].clone()
}

/// Runs a tenant of a server that was started again, and answers the run.
async fn last_run(server: &TestServer, tenant: i64) -> Value {
    let sync = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let asked = server.post(&sync, Value::Null).await.expect(202);
    let trigger = asked["trigger_id"].as_str().unwrap();
    let status = format!("/v2/runs/triggers/{trigger}/status?wait=30");
    server.get(&status).await.expect(200);
    let runs = format!("/v2/tenants/{tenant}/runs?limit=1");
    server.get(&runs).await.expect(200)[0].clone()
}

async fn rerun(scenario: &Scenario<'_>, run: &Value, how: Value) -> Value {
    let path = format!("/v2/runs/{}/rerun", run["id"]);
    let asked = scenario.server.post(&path, how).await.expect(202);
    scenario.end(asked["trigger_id"].as_str().unwrap()).await
}

both_databases! {
    async fn a_secret_is_nowhere_but_in_its_run(database) {
        let mut server = server(database).await;
        let (secret, plain) = (secret(), manifest("{region: {type: string}}"));
        let tenant;
        {
            let files = [("PANDIUM.yaml", &*secret), ("main.py", MAIN)];
            let scenario = Scenario::new(&server, "sealed", &files, json!({})).await;
            // Before there is a release, nobody knows what it is; and that is kept for reruns.
            tenant = scenario.tenant("acme").await;
            change(&server, tenant, json!({"token": EARLY})).await;
            change(&server, tenant, json!({"region": "north"})).await;
            assert!(!places(&server, EARLY).await.is_empty());
            scenario.release("v1").await;
            eventually("what has become a secret is sealed", || async {
                places(&server, EARLY).await.is_empty().then_some(())
            }).await;
            assert_eq!(given(&scenario.run(tenant).await), json!({"region": "north", "token": EARLY}));

            let shown = change(&server, tenant, json!({"token": FIRST, "keys": [KEY, "x"]})).await;
            assert_eq!(shown, json!({"region": "north", "token": "********", "keys": "********"}));
            let keys = json!([KEY, "x"]).to_string();
            let first = scenario.run(tenant).await;
            assert_eq!(given(&first), json!({"region": "north", "token": FIRST, "keys": keys}));
            let own = rerun(&scenario, &first, json!({"configs": {"region": "own"}})).await;
            assert_eq!(given(&own), json!({"region": "own", "token": FIRST, "keys": keys}));
            change(&server, tenant, json!({"token": SECOND, "keys": null, "region": "south"})).await;
            for (run, region) in [(&first, "north"), (&own, "own")] {
                let again = rerun(&scenario, run, json!({})).await;
                assert_eq!(given(&again), json!({"region": region, "token": SECOND}));
            }
            nowhere(&server).await;

            // A release that does not call it a secret changes nothing.
            scenario.repository.commit(&[("PANDIUM.yaml", &plain)]);
            scenario.release("v2").await;
            let path = format!("/v2/tenants/{tenant}");
            let body = json!({"configs": {"region": "west", "token": "********"}});
            server.call(Method::PUT, &path, Some(body)).await.expect(200);
            assert_eq!(given(&scenario.run(tenant).await), json!({"region": "west", "token": SECOND}));
            let shown = change(&server, tenant, json!({"token": THIRD})).await;
            assert_eq!(shown, json!({"region": "west", "token": "********"}));
            let made = json!({
                "name": "second", "integration_id": scenario.integration,
                "integration_release_id": 1, "configs": {"token": FIRST},
            });
            server.post("/v2/tenants", made).await.expect(200);
            nowhere(&server).await;
        }
        server.kill();
        nowhere(&server).await;
        server.restart();
        assert_eq!(given(&last_run(&server, tenant).await), json!({"region": "west", "token": THIRD}));
        nowhere(&server).await;
        for text in ALL {
            assert!(!server.log().contains(text), "{text}");
        }
    }
}

both_databases! {
    async fn what_a_former_version_left_open_is_sealed_at_the_start(database) {
        let mut server = server(database).await;
        let (tenant, integration);
        {
            let files = [("PANDIUM.yaml", &*secret()), ("main.py", MAIN)];
            let scenario = Scenario::new(&server, "former", &files, json!({})).await;
            scenario.release("v1").await;
            tenant = scenario.tenant("acme").await;
            integration = scenario.integration;
            change(&server, tenant, json!({"region": "north", "token": FIRST})).await;
        }
        server.stop();
        {
            let store = server.store().await;
            let mut tx = store.write().await.unwrap();
            let mut row = tenants::get(&mut tx, TenantId::new(tenant)).await.unwrap();
            row.configs = serde_json::from_value(json!({"region": "north", "token": SECOND})).unwrap();
            tenants::update(&mut tx, &row).await.unwrap();
            tenant_secrets::delete(&mut tx, row.id).await.unwrap();
            let marked = Timestamp::from_millis(0);
            secret_sweeps::insert(&mut tx, IntegrationId::new(integration), marked).await.unwrap();
            tx.commit().await.unwrap();
        }
        assert!(!places(&server, SECOND).await.is_empty());
        server.restart();
        nowhere(&server).await;
        assert_eq!(given(&last_run(&server, tenant).await), json!({"region": "north", "token": SECOND}));
    }
}

both_databases! {
    async fn a_run_whose_secrets_do_not_open_is_not_started(database) {
        let mut server = server(database).await;
        let (tenant, path);
        {
            let files = [("PANDIUM.yaml", &*secret()), ("main.py", MAIN)];
            let scenario = Scenario::new(&server, "damaged", &files, json!({})).await;
            scenario.release("v1").await;
            tenant = scenario.tenant("acme").await;
            path = format!("/v2/tenants/{tenant}");
            change(&server, tenant, json!({"token": FIRST})).await;
        }
        server.stop();
        {
            let store = server.store().await;
            let mut tx = store.write().await.unwrap();
            let now = Timestamp::from_millis(0);
            tenant_secrets::update(&mut tx, TenantId::new(tenant), "1.1.AAAA", now).await.unwrap();
            tx.commit().await.unwrap();
        }
        server.restart();
        let run = last_run(&server, tenant).await;
        assert_eq!(run["status"]["phase"], "Failed (Platform Issue)");
        let message = run["message"].as_str().unwrap();
        assert!(message.contains("secret settings could not be opened"), "{message}");
        let body = json!({"configs": {"token": SECOND}});
        server.call(Method::PUT, &path, Some(body)).await.expect(200);
        assert_eq!(given(&last_run(&server, tenant).await), json!({"token": SECOND}));
    }
}
