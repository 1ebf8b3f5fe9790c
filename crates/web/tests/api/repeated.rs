//! `Idempotency-Key`: done once, answered as often as it comes.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request};
use marquetry_testkit::both_databases;
use serde_json::{Value, json};

use crate::client::{Answer, Client};

const DAY: Duration = Duration::from_hours(24);

async fn post(client: &Client, key: &str, path: &str, body: &str) -> Answer {
    let request = client
        .request(Method::POST, path)
        .header("Idempotency-Key", key);
    client
        .send(request.body(Body::from(body.to_owned())).unwrap())
        .await
}

fn is_replayed(answer: &Answer) -> bool {
    answer
        .headers
        .get("idempotency-replayed")
        .is_some_and(|value| value == "true")
}

both_databases! {
    async fn every_post_is_done_once_and_answered_twice(database) {
        let client = Client::served(database).await;
        let posts = [
            ("/v2/integrations", json!({"name": "shop", "long_name": "Shop", "repository_url": client.inside.folder.path().join("repositories/shop")})),
            ("/v2/sourcecontrol/build", json!({"tag": "v1", "integration_id": 1})),
            ("/v2/builds/1/cancel", Value::Null),
            ("/v2/tenants", json!({"name": "acme", "integration_id": 1, "user_name": "u"})),
            ("/v2/tenants/1/sync?mode=normal", json!({"a": 1})),
            ("/v2/tenants/1/run?mode=init", Value::Null),
            ("/v2/integrations/1/sync?mode=normal&user_name=u", json!({})),
            ("/v2/runs/triggers/3/cancel", Value::Null),
            ("/v2/runs/1/cancel", Value::Null),
        ];
        for (n, (path, body)) in posts.iter().enumerate() {
            match *path {
                "/v2/tenants" => drop(client.inside.release(1, "v2").await),
                "/v2/runs/1/cancel" => drop(client.inside.take_run().await),
                _ => {}
            }
            let key = format!("key {n}");
            let first = post(&client, &key, path, &body.to_string()).await;
            assert!(first.status.is_success(), "{path}: {}", first.text());
            assert!(!is_replayed(&first), "{path}");
            for _ in 0..2 {
                let again = post(&client, &key, path, &body.to_string()).await;
                assert_eq!((again.status, &again.bytes), (first.status, &first.bytes), "{path}");
                assert_eq!(again.header("content-type"), "application/json");
                assert!(is_replayed(&again), "{path}");
            }
        }
        for (list, wanted) in [("/v2/integrations", 1), ("/v2/builds", 2), ("/v2/tenants", 1), ("/v2/runs", 1)] {
            let found = client.get(list).await.expect(200);
            assert_eq!(found.as_array().unwrap().len(), wanted, "{list}");
        }
        // Its text was shown once and is kept nowhere.
        let first = post(&client, "for a key", "/v2/keys", r#"{"name":"ci"}"#).await.expect(201);
        let again = post(&client, "for a key", "/v2/keys", r#"{"name":"ci"}"#).await;
        let text = again.text();
        assert!(again.expect(409)["message"].is_string());
        assert!(!text.contains(first["key"].as_str().unwrap()));
        assert_eq!(client.get("/v2/keys").await.expect(200).as_array().unwrap().len(), 2);
    }
}

both_databases! {
    async fn an_answer_with_a_secret_comes_again_as_it_was_and_is_kept_sealed(database) {
        let client = Client::served(database).await;
        let (integrations, rotate) = ("/v2/integrations", "/v2/integrations/1/push-hook/rotate");
        let body = r#"{"name":"shop","long_name":"Shop"}"#;
        let made = post(&client, "made", integrations, body).await;
        let rotated = post(&client, "rotated", rotate, "").await;
        client.patch("/v2/integrations/1", json!({"long_name": "Another"})).await.expect(200);
        post(&client, "once more", rotate, "").await.expect(200);
        for (key, path, body, first, hook) in [
            ("made", integrations, body, &made, &made.expect(201)["push_hook"]),
            ("rotated", rotate, "", &rotated, &rotated.expect(200)),
        ] {
            let again = post(&client, key, path, body).await;
            assert!(is_replayed(&again), "{path}");
            assert_eq!((again.status, again.text()), (first.status, first.text()), "{path}");
            let kept = client.inside.kept_answer(key).await;
            for secret in [hook["secret"].as_str().unwrap(), "whsec_", "/hooks/git"] {
                assert!(!kept.contains(secret), "{path}: {kept}");
            }
        }
    }
}

both_databases! {
    async fn a_key_is_for_one_request_of_one_caller(database) {
        let client = Client::served(database).await;
        client.runnable().await;
        let sync = "/v2/tenants/1/sync?mode=normal";
        post(&client, "k", sync, "{}").await.expect(202);
        let wanted = json!({"detail": [{
            "loc": ["header", "idempotency-key"],
            "msg": "Value error, was used for another request; take a new key",
            "type": "value_error",
            "ctx": {"error": {}},
        }]});
        for (path, body) in [(sync, "{ }"), (sync, ""), ("/v2/tenants/1/sync?mode=init", "{}"), ("/v2/tenants/1/run?mode=normal", "{}")] {
            assert_eq!(post(&client, "k", path, body).await.expect(422), wanted, "{path} {body}");
        }
        for (path, body) in [("/v2/integrations/1/sync?mode=normal&user_name=u", "{}"), ("/v2/sourcecontrol/build", r#"{"tag":"v9","integration_id":1}"#)] {
            let refused = post(&client, "k", path, body).await.expect(422);
            assert_eq!(refused, json!({"message": "idempotency-key: was used for another request; take a new key"}));
        }
        // Another caller's key of the same text is another one.
        let made = client.post("/v2/keys", json!({"name": "b", "scopes": ["sync"]})).await.expect(201);
        let request = Request::post(sync).header("x-api-key", made["key"].as_str().unwrap());
        let request = request.header("idempotency-key", "k").body(Body::from("{ }")).unwrap();
        let answer = client.send(request).await;
        assert_eq!(answer.expect(202), json!({"trigger_id": "2"}));
        assert!(!is_replayed(&answer));
    }
}

both_databases! {
    async fn what_was_refused_is_not_kept_and_a_day_later_neither_is_what_was_done(database) {
        let client = Client::served(database).await;
        client.runnable().await;
        let sync = "/v2/tenants/1/sync?mode=normal";
        post(&client, "k", "/v2/tenants/9/sync?mode=normal", "{}").await.expect(404);
        post(&client, "k", sync, "[]").await.expect(422);
        assert_eq!(post(&client, "k", sync, "{}").await.expect(202)["trigger_id"], "1");
        client.inside.clock.advance(Duration::from_secs(24 * 3600 - 1));
        assert_eq!(post(&client, "k", sync, "{}").await.expect(202)["trigger_id"], "1");
        client.inside.clock.advance(Duration::from_secs(1));
        assert_eq!(post(&client, "k", sync, "[] ").await.status, 422);
        assert_eq!(post(&client, "k", sync, "{\"b\":1}").await.expect(202)["trigger_id"], "2");
        client.inside.clock.advance(DAY);
        let gone = marquetry_app::idempotency::keys_reap(&client.inside.app).await;
        assert_eq!(gone.unwrap(), 1);
    }
}

both_databases! {
    async fn of_many_at_once_one_is_done(database) {
        let client = Client::served(database).await;
        client.runnable().await;
        let sync = "/v2/tenants/1/sync?mode=normal";
        let all = (0..16).map(|_| post(&client, "k", sync, "{}"));
        let mut fresh = 0;
        for answer in futures_util::future::join_all(all).await {
            if answer.status == 409 {
                assert!(answer.expect(409)["message"].as_str().unwrap().contains("under way"));
            } else {
                assert_eq!(answer.expect(202), json!({"trigger_id": "1"}));
                fresh += u32::from(!is_replayed(&answer));
            }
        }
        assert_eq!(fresh, 1);
        assert_eq!(post(&client, "k2", sync, "{}").await.expect(202)["trigger_id"], "2");
    }
}

both_databases! {
    async fn when_the_server_ended_between_work_and_answer_the_answer_is_made_anew(database) {
        use marquetry_app::idempotency::{Begun, begin, fingerprint};
        use marquetry_app::triggers::{TriggerInput, trigger_accept};
        use marquetry_model::{Mode, Source, TenantId};
        let client = Client::served(database).await;
        client.runnable().await;
        let sync = "/v2/tenants/1/sync?mode=normal";
        let caller = marquetry_app::authenticate(&client.inside.app, &client.inside.key).await.unwrap();
        let asked = fingerprint(&[b"POST", sync.as_bytes(), b"{}"]);
        let Begun::New(attempt) = begin(&caller, "k", asked).await.unwrap() else { panic!("new") };
        let busy = post(&client, "k", sync, "{}").await;
        assert!(busy.expect(409)["message"].is_string());
        let input = TriggerInput { source: Source::Api, mode: Mode::Normal, payload: None, headers: None };
        trigger_accept(&attempt.ctx, TenantId::new(1), input).await.unwrap();
        // The process ends here: the answer was neither sent nor kept.
        drop(attempt);
        let again = post(&client, "k", sync, "{}").await;
        assert_eq!(again.expect(202), json!({"trigger_id": "1"}));
        assert!(is_replayed(&again));
        assert_eq!(client.inside.take_run().await.0.tenant_id.get(), 1);
        assert_eq!(client.get("/v2/runs/1/triggers").await.expect(200).as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_key_has_1_to_255_visible_characters() {
    let client = Client::new().await;
    client.runnable().await;
    let sync = "/v2/tenants/1/sync?mode=normal";
    for bad in [String::new(), "x".repeat(256), "ä".to_owned()] {
        let fault = post(&client, &bad, sync, "{}").await.expect(422)["detail"][0].clone();
        assert_eq!(fault["loc"], json!(["header", "idempotency-key"]), "{bad}");
    }
    post(&client, &"x".repeat(255), sync, "{}")
        .await
        .expect(202);
}
