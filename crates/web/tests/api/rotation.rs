//! The exchange of keys while the server works.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use marquetry_app::key_rotation::{keys_reseal, master_key_rotate};
use marquetry_app::{App, Ctx, MasterKey};
use marquetry_testkit::both_databases;
use serde_json::{Value, json};

use crate::client::Client;

async fn put(client: &Client, path: &str, body: Value) -> Value {
    client
        .raw(Method::PUT, path, body.to_string())
        .await
        .expect(200)
}

/// A tenant's secret setting, variables of builds, an app's secret and a password: one of each table.
async fn fill(client: &Client) {
    let shop = client.integration("shop").await;
    let form =
        json!({"schema": {"properties": {"token": {"type": "string", "format": "password"}}}});
    client
        .inside
        .release_with_form(shop, "v1", Some(form), None)
        .await;
    let path = format!("/v2/integrations/{shop}");
    let change = json!({"build_env": {"TOKEN": "of builds"}, "connectors": [{"name": "basic-login", "isGlobal": false},
        {"name": "slack-oauth", "isGlobal": false}]});
    client.patch(&path, change).await.expect(200);
    let wanted = json!({"name": "acme", "integration_id": shop, "configs": {"token": "of acme"}});
    client.post("/v2/tenants", wanted).await.expect(200);
    let app = json!({"values": {"client_id": "app", "client_secret": "of the app"}});
    put(
        client,
        &format!("{path}/connectors/slack-oauth/provisioning"),
        app,
    )
    .await;
    let login = json!({"values": {"username": "me", "password": "of me"}});
    put(
        client,
        "/v2/tenants/1/connectors/basic-login/credentials?check=false",
        login,
    )
    .await;
}

async fn kinds(client: &Client) -> Vec<(String, i64, i64, i64)> {
    let state = client.get("/v2/settings/vault").await.expect(200);
    let kinds = state["kinds"].as_array().unwrap().iter();
    let number = |it: &Value, name: &str| it[name].as_i64().unwrap();
    kinds
        .map(|it| {
            let kind = it["kind"].as_str().unwrap().to_owned();
            (
                kind,
                number(it, "key_id"),
                number(it, "sealed"),
                number(it, "left"),
            )
        })
        .collect()
}

/// What is sealed opens, wherever it lies.
async fn all_opens(client: &Client) {
    client
        .post("/v2/tenants/1/sync?mode=normal", Value::Null)
        .await
        .expect(202);
    let (job, claim) = client.inside.take_job().await;
    assert_eq!(job.tenant.configs["token"], "of acme");
    let system = client.inside.system();
    let builds = marquetry_app::integration_secrets::run_build_secrets(&system, &job).await;
    assert_eq!(builds.unwrap().build_env["TOKEN"], "of builds");
    let limit = Duration::from_secs(60);
    let given = marquetry_app::connections::run::run_secrets(&system, &job, limit)
        .await
        .unwrap();
    let names: Vec<&str> = given
        .variables
        .iter()
        .map(|(_, value)| value.as_str())
        .collect();
    assert!(names.contains(&"of me"), "{names:?}");
    client.inside.end_run(&job.run, &claim, "{}").await;
}

/// The same of what is provisioned: a mask keeps what is there, so it has to be opened.
async fn provisioned_opens(client: &Client) {
    let kept = json!({"values": {"client_id": "app", "client_secret": "********"}});
    put(
        client,
        "/v2/integrations/1/connectors/slack-oauth/provisioning",
        kept,
    )
    .await;
}

both_databases! {
    async fn data_keys_are_exchanged_while_the_server_works(database) {
        let client = Client::served(database).await;
        fill(&client).await;
        let before = kinds(&client).await;
        assert!(before.iter().all(|it| it.3 == 0), "{before:?}");
        assert_eq!(before.iter().filter(|it| it.2 > 0).count(), 4, "{before:?}");

        let rotate = json!({"what": "data_keys"});
        let made = client.post("/v2/settings/vault/rotate", rotate.clone()).await.expect(200);
        assert_eq!(made["keys"], before.len());
        client.post("/v2/settings/vault/rotate", rotate.clone()).await.expect(409);
        // Every node has to know the new ones first.
        let system = client.inside.system();
        let next = keys_reseal(&system).await.unwrap().unwrap();
        let waiting = kinds(&client).await;
        assert!(waiting.iter().zip(&before).all(|(now, then)| now.1 == then.1 && now.3 == now.2), "{waiting:?}");
        all_opens(&client).await;
        provisioned_opens(&client).await;

        client.inside.clock.advance(next.since(client.inside.app.now()));
        keys_reseal(&system).await.unwrap();
        let after = kinds(&client).await;
        assert!(after.iter().zip(&before).all(|(now, then)| now.1 != then.1 && now.3 == 0), "{after:?}");
        all_opens(&client).await;
        provisioned_opens(&client).await;
        // Who had read the old keys may have written since, so it goes on for a while.
        client.post("/v2/settings/vault/rotate", rotate.clone()).await.expect(409);
        client.inside.clock.advance(Duration::from_secs(120));
        let next = keys_reseal(&system).await.unwrap().unwrap();
        // A day later the old ones are gone, and nothing misses them.
        client.inside.clock.advance(next.since(client.inside.app.now()));
        keys_reseal(&system).await.unwrap();
        all_opens(&client).await;
        provisioned_opens(&client).await;
        let gone = keys_reseal(&system).await.unwrap();
        assert_eq!(gone, None, "nothing is left to do");
        // And once more, from a later generation to the next.
        client.post("/v2/settings/vault/rotate", rotate).await.expect(200);
        for seconds in [61, 121, 26 * 3600] {
            client.inside.clock.advance(Duration::from_secs(seconds));
            keys_reseal(&system).await.unwrap();
            all_opens(&client).await;
        provisioned_opens(&client).await;
        }
        let last = kinds(&client).await;
        assert!(last.iter().zip(&after).all(|(now, then)| now.1 > then.1 && now.3 == 0), "{last:?}");
    }
}

both_databases! {
    async fn the_master_key_is_exchanged_while_the_server_works(database) {
        let client = Client::served(database).await;
        fill(&client).await;
        let old = &client.inside.app;
        let text = MasterKey::generate().unwrap();
        let new = || Arc::new(MasterKey::read(&text).unwrap());
        let start = async |master: Arc<MasterKey>, others: Vec<Arc<MasterKey>>| {
            let mut settings = old.settings.clone();
            settings.master_key = master;
            settings.other_master_keys = others;
            let (store, blobs, http) = (old.store.clone(), old.blobs.clone(), old.http.clone());
            App::new(store, blobs, http, old.clock.clone(), settings).await
        };
        let former = Arc::clone(&old.settings.master_key);
        // The new one alone opens nothing yet.
        let refused = start(new(), Vec::new()).await.err().unwrap().to_string();
        assert!(refused.contains("--other-master-key-file"), "{refused}");
        all_opens(&client).await;
        let both = start(new(), vec![Arc::clone(&former)]).await.unwrap();
        let count = kinds(&client).await.len();
        let moved = master_key_rotate(&Ctx::system(both)).await.unwrap();
        assert_eq!(moved, count);
        // The new one is enough from here on, and the old one is not.
        assert!(start(former, Vec::new()).await.is_err());
        let after = start(new(), Vec::new()).await.unwrap();
        let state = marquetry_app::key_rotation::vault_get(&Ctx::system(after)).await.unwrap();
        assert!(state.kinds.iter().all(|it| it.master_key_id == state.master_key_id), "{state:?}");
        // A node that has opened the keys before goes on with them, though it has the old one alone.
        client.inside.clock.advance(Duration::from_secs(60));
        all_opens(&client).await;
    }
}
