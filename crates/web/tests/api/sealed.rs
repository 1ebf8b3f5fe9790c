//! Secret settings as they are kept: sealed, and with marks where they are shown.

use std::time::Duration;

use http::Method;
use marquetry_testkit::both_databases;
use serde_json::{Value, json};

use crate::client::Client;

/// A form in which `token` is a secret, or is none.
fn form(is_secret: bool) -> Value {
    let mut token = json!({"type": "string", "minLength": 4});
    if is_secret {
        token["format"] = json!("password");
    }
    json!({"schema": {"properties": {"region": {"type": "string"}, "token": token}}})
}

async fn tenant(client: &Client, integration: i64, more: Value) -> i64 {
    let mut body = json!({"name": "acme", "integration_id": integration,
        "configs": {"region": "eu", "token": "early"}});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let made = client.post("/v2/tenants", body).await.expect(200);
    made["id"].as_i64().unwrap()
}

/// Runs what waits, and answers the settings that it was given.
async fn run(client: &Client) -> Value {
    let (job, claim) = client.inside.take_job().await;
    client.inside.end_run(&job.run, &claim, "{}").await;
    Value::Object(job.tenant.configs)
}

async fn in_clear(client: &Client, id: i64) {
    let configs = json!({"region": "eu", "token": "early"});
    let configs = serde_json::from_value(configs).unwrap();
    client.inside.set_configs(id, configs).await;
}

both_databases! {
    async fn what_becomes_a_secret_is_sealed_wherever_it_is_kept(database) {
        let client = Client::served(database).await;
        let inside = &client.inside;
        let shop = client.integration("shop").await;
        let id = tenant(&client, shop, json!({})).await;
        client.patch("/v2/tenants/1", json!({"configs": {"region": "us"}})).await.expect(200);
        inside.release_with_form(shop, "v1", Some(form(false)), None).await;
        client.post("/v2/tenants/1/sync?mode=normal", Value::Null).await.expect(202);
        assert_eq!(run(&client).await, json!({"region": "us", "token": "early"}));
        let own = json!({"configs": {"region": "jp", "token": "by hand"}});
        client.post("/v2/runs/1/rerun", own).await.expect(202);
        assert_eq!(run(&client).await, json!({"region": "jp", "token": "by hand"}));
        assert_eq!(inside.sweep_secrets().await, 0);

        inside.release_with_form(shop, "v2", Some(form(true)), None).await;
        assert_eq!(inside.sweep_secrets().await, 1);
        let marked = json!({"region": "us", "token": "********"});
        assert_eq!(inside.stored_configs(id).await, marked);
        assert_eq!(inside.stored_secrets(id).await, json!({"token": "early"}));
        let kept = json!({"former": [[0, {"region": "eu"}]], "by_hand": [{"region": "jp"}]});
        assert_eq!(inside.stored_for_reruns(id).await, kept);
        client.post("/v2/runs/2/rerun", json!({})).await.expect(202);
        assert_eq!(run(&client).await, json!({"region": "jp", "token": "early"}));

        // Who had read the form of before may write after the first look: there is a second one.
        in_clear(&client, id).await;
        assert_eq!(inside.sweep_secrets().await, 0);
        inside.clock.advance(Duration::from_secs(61));
        assert_eq!(inside.sweep_secrets().await, 1);
        assert_eq!(inside.stored_configs(id).await["token"], "********");
        in_clear(&client, id).await;
        inside.clock.advance(Duration::from_secs(600));
        assert_eq!(inside.sweep_secrets().await, 0, "nothing has changed since");
        let seen = client.get("/v2/tenants/1").await.expect(200);
        assert_eq!(seen["configs"]["token"], "********", "it is masked meanwhile");
    }
}

both_databases! {
    async fn another_release_makes_secrets_too(database) {
        let client = Client::served(database).await;
        let inside = &client.inside;
        let shop = client.integration("shop").await;
        let open = inside.release_with_form(shop, "v1", Some(form(false)), None).await.get();
        let secret = inside.release_with_form(shop, "v2", Some(form(true)), None).await.get();
        inside.sweep_secrets().await;
        let fixed = json!({"integration_release_id": open});
        let id = tenant(&client, shop, fixed).await;
        assert_eq!(inside.stored_configs(id).await["token"], "early");
        let other = json!({"integration_release_id": secret});
        client.patch(&format!("/v2/tenants/{id}"), other).await.expect(200);
        assert_eq!(inside.stored_configs(id).await["token"], "********");
        assert_eq!(inside.stored_secrets(id).await, json!({"token": "early"}));

        let default = format!("/v2/integrations/{shop}/releases/default");
        client.patch(&default, json!({"release_id": open})).await.expect(200);
        let follows = tenant(&client, shop, json!({"name": "follows"})).await;
        assert_eq!(inside.sweep_secrets().await, 0);
        client.patch(&default, json!({"release_id": secret})).await.expect(200);
        assert_eq!(inside.sweep_secrets().await, 1);
        assert_eq!(inside.stored_secrets(follows).await, json!({"token": "early"}));
    }
}

both_databases! {
    async fn the_sealed_text_follows_the_settings(database) {
        let client = Client::served(database).await;
        let inside = &client.inside;
        let shop = client.integration("shop").await;
        inside.release_with_form(shop, "v1", Some(form(true)), None).await;
        let id = tenant(&client, shop, json!({})).await;
        let path = format!("/v2/tenants/{id}");
        let first = inside.sealed(id).await.unwrap();
        assert!(!first.contains("early"));
        client.patch(&path, json!({"paused": false})).await.expect(200);
        assert_eq!(inside.sealed(id).await, Some(first.clone()), "nothing was said of settings");
        client.patch(&path, json!({"configs": {"token": "later"}})).await.expect(200);
        assert_eq!(inside.stored_secrets(id).await, json!({"token": "later"}));
        client.patch(&path, json!({"configs": {"token": "no"}})).await.expect(422);
        assert_eq!(inside.stored_secrets(id).await, json!({"token": "later"}));
        client.patch(&path, json!({"configs": {"token": null}})).await.expect(200);
        assert_eq!(inside.sealed(id).await, None);
        assert_eq!(inside.stored_configs(id).await, json!({"region": "eu"}));
        let other = tenant(&client, shop, json!({"name": "other"})).await;
        inside.set_sealed(other, &first).await;
        let body = json!({"configs": {"region": "us"}});
        let moved = client.patch(&format!("/v2/tenants/{other}"), body).await;
        assert_eq!(moved.status, 500, "it opens in its own row alone");
    }
}

both_databases! {
    async fn answers_open_nothing(database) {
        let client = Client::served(database).await;
        let inside = &client.inside;
        let shop = client.integration("shop").await;
        inside.release_with_form(shop, "v1", Some(form(true)), None).await;
        let id = tenant(&client, shop, json!({})).await;
        inside.set_sealed(id, "1.1.damaged").await;
        let path = format!("/v2/tenants/{id}");
        let masked = json!({"region": "eu", "token": "********"});
        let seen = client.get(&path).await.expect(200);
        assert_eq!((&seen["configs"], &seen["configs_problems"]), (&masked, &json!([])));
        assert_eq!(client.get("/v2/tenants").await.expect(200)[0]["configs"], masked);
        let given = client.get(&format!("{path}/environment")).await.expect(200);
        assert_eq!(given["PAN_CFG_TOKEN"], "********");
        client.patch(&path, json!({"user_schedule": "@daily"})).await.expect(200);
        client.post(&format!("{path}/sync?mode=normal"), Value::Null).await.expect(202);
        let refused = client.patch(&path, json!({"configs": {"region": "us"}})).await;
        assert_eq!(refused.status, 500);
        let all = |token: &str| json!({"configs": {"region": "us", "token": token}}).to_string();
        let put = async |token| client.raw(Method::PUT, &path, all(token)).await;
        assert_eq!(put("********").await.status, 500);
        put("anew").await.expect(200);
        assert_eq!(inside.stored_secrets(id).await, json!({"token": "anew"}));
        assert_eq!(run(&client).await, json!({"region": "us", "token": "anew"}));
        client.delete(&path).await.expect(200);
    }
}

both_databases! {
    async fn what_nobody_opens_is_not_judged(database) {
        let client = Client::served(database).await;
        let inside = &client.inside;
        let shop = client.integration("shop").await;
        inside.release_with_form(shop, "v1", Some(form(true)), None).await;
        tenant(&client, shop, json!({})).await;
        let narrow = json!({"schema": {
            "properties": {
                "region": {"type": "string", "maxLength": 1},
                "token": {"type": "array", "items": {"type": "string"}, "writeOnly": true},
            },
            "required": ["more"],
            "anyOf": [{"properties": {"token": {"type": "array"}}}, {"required": ["more"]}],
        }});
        inside.release_with_form(shop, "v2", Some(narrow), None).await;
        let seen = client.get("/v2/tenants/1").await.expect(200);
        let problems = seen["configs_problems"].as_array().unwrap().iter();
        let names: Vec<&Value> = problems.map(|one| &one["name"]).collect();
        assert_eq!(names, ["more", "region"]);
        let body = json!({"configs": {"region": "x", "more": 1, "token": "********"}});
        let refused = client.patch("/v2/tenants/1", body).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"], json!(["body", "configs", "token"]));
        assert!(!refused.to_string().contains("early"), "{refused}");
        let body = json!({"configs": {"region": "x", "more": 1}});
        client.patch("/v2/tenants/1", body).await.expect(200);
        assert_eq!(inside.stored_secrets(1).await, json!({"token": "early"}));
    }
}

both_databases! {
    async fn one_that_does_not_open_keeps_nobody_waiting(database) {
        let client = Client::served(database).await;
        let inside = &client.inside;
        let shop = client.integration("shop").await;
        inside.release_with_form(shop, "v1", Some(form(true)), None).await;
        let damaged = tenant(&client, shop, json!({})).await;
        let other = tenant(&client, shop, json!({"name": "other"})).await;
        inside.set_sealed(damaged, "1.1.AAAA").await;
        let mut both = form(true);
        both["schema"]["properties"]["region"]["format"] = json!("password");
        inside.release_with_form(shop, "v2", Some(both), None).await;
        assert_eq!(inside.sweep_secrets().await, 1);
        let sealed = json!({"region": "eu", "token": "early"});
        assert_eq!(inside.stored_secrets(other).await, sealed);
        assert_eq!(inside.stored_configs(damaged).await["region"], "eu");
        // However late it is mended, it is looked at again.
        inside.clock.advance(Duration::from_secs(600));
        assert_eq!(inside.sweep_secrets().await, 0);
        let whole = json!({"configs": {"token": "anew"}}).to_string();
        client.raw(Method::PUT, &format!("/v2/tenants/{damaged}"), whole).await.expect(200);
        in_clear(&client, damaged).await;
        inside.clock.advance(Duration::from_secs(600));
        assert_eq!(inside.sweep_secrets().await, 1);
        assert_eq!(inside.stored_secrets(damaged).await, sealed);
    }
}

both_databases! {
    async fn a_repetition_does_not_show_what_has_become_a_secret(database) {
        let client = Client::served(database).await;
        let shop = client.integration("shop").await;
        let body = json!({"name": "acme", "integration_id": shop, "configs": {"token": "early"}});
        let create = async || {
            let request = client.request(Method::POST, "/v2/tenants").header("Idempotency-Key", "once");
            client.send(request.body(body.to_string().into()).unwrap()).await
        };
        assert_eq!(create().await.expect(200)["configs"]["token"], "early");
        client.inside.release_with_form(shop, "v1", Some(form(true)), None).await;
        assert_eq!(client.inside.sweep_secrets().await, 1);
        let again = create().await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(200)["configs"]["token"], "********");
    }
}
