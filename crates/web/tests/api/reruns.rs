//! Reruns as a client sees them, and state that is set by hand.

use http::Method;
use marquetry_model::{Phase, Run};
use marquetry_testkit::{RunClaim, both_databases};
use serde_json::{Value, json};

use crate::client::Client;

const LAST: &str = "PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT";

/// A tenant of a released integration, with a form.
async fn ready(client: &Client) {
    let integration = client.integration("shop").await;
    let schema = json!({"properties": {
        "region": {"type": "string"}, "token": {"type": "string", "format": "password"},
    }});
    let form = Some(json!({ "schema": schema }));
    let metadata = Some(json!({"schema": {}}));
    let inside = &client.inside;
    inside
        .release_with_form(integration, "v1", form.clone(), metadata.clone())
        .await;
    let wanted = json!({"name": "acme", "integration_id": integration,
        "configs": {"region": "eu", "token": "first"}});
    client.post("/v2/tenants", wanted).await.expect(200);
}

async fn sync(client: &Client, payload: Value) {
    client
        .post("/v2/tenants/1/sync?mode=normal", payload)
        .await
        .expect(202);
}

async fn rerun(client: &Client, id: i64, how: Value) -> i64 {
    let path = format!("/v2/runs/{id}/rerun");
    let made = client.post(&path, how).await.expect(202);
    made["trigger_id"].as_str().unwrap().parse().unwrap()
}

/// Takes the next run as a node does: with the settings and the state that it is given.
async fn take(client: &Client) -> (Run, RunClaim, Value, Vec<i64>) {
    let (job, claim) = client.inside.take_job().await;
    let output = match &job.output {
        Some(output) => output.clone(),
        None => job
            .last_successful
            .as_ref()
            .and_then(|run| run.std_out.clone()),
    };
    let given = json!({"configs": job.tenant.configs, "state": output});
    let shown = job
        .triggers
        .iter()
        .map(|trigger| trigger.id.get())
        .collect();
    (job.run, claim, given, shown)
}

async fn run(client: &Client, prints: &str) -> (Value, Value, Vec<i64>) {
    let (run, claim, given, shown) = take(client).await;
    client.inside.end_run(&run, &claim, prints).await;
    let seen = client
        .get(&format!("/v2/runs/{}", run.id))
        .await
        .expect(200);
    assert_eq!(seen["status"]["phase"], Phase::Succeeded.as_str());
    (seen, given, shown)
}

async fn next_state(client: &Client) -> Value {
    let given = client.get("/v2/tenants/1/environment").await.expect(200);
    given[LAST].clone()
}

both_databases! {
    async fn original_and_current_are_what_they_say_and_unsaved_is_unseen(database) {
        let client = Client::served(database).await;
        ready(&client).await;
        sync(&client, json!({"order": 1})).await;
        run(&client, r#"{"cursor":1}"#).await;
        sync(&client, json!({"order": 2})).await;
        let (second, given, triggers) = run(&client, r#"{"cursor":2}"#).await;
        assert_eq!(given["state"], r#"{"cursor":1}"#);
        assert_eq!((second["rerun_of"].clone(), triggers), (Value::Null, vec![2]));
        let change = json!({"configs": {"region": "us", "token": "second"}});
        client.patch("/v2/tenants/1", change).await.expect(200);
        let before = client.get("/v2/tenants/1").await.expect(200)["status"].clone();

        let trigger = rerun(&client, 2, Value::Null).await;
        let (original, given, triggers) = run(&client, r#"{"cursor":99}"#).await;
        assert_eq!(original["rerun_of"], 2);
        assert_eq!(triggers, [2], "the code sees the first run's triggers");
        assert_eq!(original["triggers"][0]["id"], trigger);
        assert_eq!(original["triggers"][0]["source"], "manual");
        let secret = "secrets are the present ones";
        assert_eq!(given["configs"], json!({"region": "eu", "token": "second"}), "{secret}");
        assert_eq!(given["state"], r#"{"cursor":1}"#);
        assert_eq!(original["std_out"], r#"{"cursor":99}"#, "it is on the run");
        let after = client.get("/v2/tenants/1").await.expect(200)["status"].clone();
        assert_eq!(after, before, "later runs do not see it");
        assert_eq!(next_state(&client).await, r#"{"cursor":2}"#);
        let known = client.get("/v2/tenants/1/metadata").await.expect(200);
        assert_eq!(known["data"], json!({"cursor": 2}), "nor does the metadata");

        rerun(&client, 3, json!({})).await;
        let (again, given, triggers) = run(&client, r#"{"cursor":98}"#).await;
        assert_eq!((&again["rerun_of"], triggers), (&json!(3), vec![2]), "a rerun of a rerun");
        assert_eq!((&given["configs"]["region"], &given["state"]), (&json!("eu"), &json!(r#"{"cursor":1}"#)));

        rerun(&client, 1, json!({"configs": "current", "std_out": "current", "save": true})).await;
        let (saved, given, triggers) = run(&client, r#"{"cursor":3}"#).await;
        assert_eq!(given, json!({"configs": {"region": "us", "token": "second"}, "state": r#"{"cursor":2}"#}));
        assert_eq!(triggers, [1]);
        let status = client.get("/v2/tenants/1").await.expect(200)["status"].clone();
        assert_eq!(status["last_successful_run"]["id"], saved["id"]);
        assert_eq!(status["last_run"]["id"], saved["id"]);
        assert_eq!(next_state(&client).await, r#"{"cursor":3}"#);
        let listed = client.get("/v2/runs?sort_by=rerun_of__DESC&limit=1").await.expect(200);
        assert_eq!(listed[0]["rerun_of"], 3);
    }
}

both_databases! {
    async fn what_is_written_by_hand_stays_with_the_run(database) {
        let client = Client::served(database).await;
        ready(&client).await;
        sync(&client, Value::Null).await;
        run(&client, r#"{"cursor":1}"#).await;
        let own = json!({"configs": {"region": "jp", "token": "********"}, "std_out": {"cursor": 0}});
        rerun(&client, 1, own).await;
        let (_, given, _) = run(&client, "{}").await;
        assert_eq!(given, json!({"configs": {"region": "jp", "token": "first"}, "state": r#"{"cursor":0}"#}));
        rerun(&client, 2, json!({"std_out": "original"})).await;
        let (_, again, _) = run(&client, "{}").await;
        assert_eq!(again, given, "its rerun has them too");
        let kept = client.inside.stored_configs(1).await;
        assert_eq!(kept, json!({"region": "eu", "token": "********"}));
        assert_eq!(client.inside.stored_secrets(1).await, json!({"token": "first"}));
        assert_eq!(next_state(&client).await, r#"{"cursor":1}"#);
        let own = json!({"configs": {"region": "jp", "token": "by hand"}});
        let refused = client.post("/v2/runs/1/rerun", own).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"], json!(["body", "configs", "token"]));
        assert!(!refused.to_string().contains("by hand"), "{refused}");
        let wrong = json!({"configs": {"region": 7}});
        let refused = client.post("/v2/runs/1/rerun", wrong).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"], json!(["body", "configs", "region"]));
        let wrong = json!({"std_out": {"a": "x".repeat(121 << 10)}});
        let refused = client.post("/v2/runs/1/rerun", wrong).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"], json!(["body", "std_out"]));
    }
}

both_databases! {
    async fn a_secret_that_is_left_out_is_the_present_one(database) {
        let client = Client::served(database).await;
        let integration = client.integration("shop").await;
        let form = |longest: u32| Some(json!({"schema": {
            "properties": {
                "v": {"type": "string"},
                "pw": {"type": "string", "format": "password", "maxLength": longest},
            },
            "required": ["pw"],
        }}));
        client.inside.release_with_form(integration, "v1", form(10), None).await;
        let wanted = json!({"name": "acme", "integration_id": integration,
            "configs": {"v": "a", "pw": "first"}});
        client.post("/v2/tenants", wanted).await.expect(200);
        sync(&client, Value::Null).await;
        run(&client, "{}").await;
        for own in [json!({"v": "c"}), json!({"v": "c", "pw": null}), json!({"v": "c", "pw": "********"})] {
            rerun(&client, 1, json!({"configs": own})).await;
            let (_, given, _) = run(&client, "{}").await;
            assert_eq!(given["configs"], json!({"v": "c", "pw": "first"}), "{own}");
        }
        // Also of a rerun, and when it does not fit any more: nobody speaks of it.
        client.patch("/v2/tenants/1", json!({"configs": {"pw": "second"}})).await.expect(200);
        client.inside.release_with_form(integration, "v2", form(3), None).await;
        for how in [json!({}), json!({"configs": {"v": "c"}})] {
            rerun(&client, 2, how).await;
            let (_, given, _) = run(&client, "{}").await;
            assert_eq!(given["configs"], json!({"v": "c", "pw": "second"}));
        }
        let spoken_of = json!({"configs": {"pw": "********"}});
        let refused = client.post("/v2/runs/1/rerun", spoken_of).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"], json!(["body", "configs", "pw"]));
        // One that is not there is missing, masked or not.
        client.inside.set_configs(1, serde_json::Map::new()).await;
        for own in [json!({}), json!({"pw": "********"})] {
            let refused = client.post("/v2/runs/1/rerun", json!({"configs": own})).await.expect(422);
            assert_eq!(refused["detail"][0]["type"], "missing", "{own}");
        }
    }
}

both_databases! {
    async fn a_rerun_waits_its_turn_and_runs_alone(database) {
        let client = Client::served(database).await;
        ready(&client).await;
        sync(&client, Value::Null).await;
        let (live, claim, ..) = take(&client).await;
        client.post("/v2/runs/1/rerun", json!({})).await.expect(409);
        client.inside.end_run(&live, &claim, "{}").await;
        sync(&client, Value::Null).await;
        let (live, claim, ..) = take(&client).await;
        sync(&client, Value::Null).await;
        let asked = rerun(&client, 1, json!({})).await;
        sync(&client, Value::Null).await;
        client.inside.end_run(&live, &claim, "{}").await;
        let mut taken = Vec::new();
        for _ in 0..3 {
            let (seen, ..) = run(&client, "{}").await;
            assert_eq!(seen["triggers"].as_array().unwrap().len(), 1);
            taken.push(seen["triggers"][0]["id"].as_i64().unwrap());
        }
        assert_eq!(taken, [asked - 1, asked, asked + 1]);
        client.post("/v2/runs/77/rerun", json!({})).await.expect(404);
        client.patch("/v2/integrations/1", json!({"paused": true})).await.expect(200);
        client.post("/v2/runs/1/rerun", json!({})).await.expect(422);
        client.delete("/v2/tenants/1").await.expect(200);
        client.post("/v2/runs/1/rerun", json!({})).await.expect(404);
    }
}

both_databases! {
    async fn the_release_is_the_present_one_unless_said(database) {
        let client = Client::served(database).await;
        ready(&client).await;
        sync(&client, Value::Null).await;
        run(&client, "{}").await;
        client.inside.release(1, "v2").await;
        for (how, release) in [(json!({}), 2), (json!({"release": "original"}), 1)] {
            rerun(&client, 1, how).await;
            assert_eq!(run(&client, "{}").await.0["release_id"], release);
        }
    }
}

both_databases! {
    async fn state_that_is_set_holds_until_a_run_succeeds(database) {
        let client = Client::served(database).await;
        ready(&client).await;
        let set = async |state: Value| {
            let body = json!({ "std_out": state }).to_string();
            client.raw(Method::PUT, "/v2/tenants/1/state", body).await
        };
        assert_eq!(next_state(&client).await, Value::Null);
        set(json!(r#"{"cursor":5}"#)).await.expect(200);
        assert_eq!(next_state(&client).await, r#"{"cursor":5}"#, "before any run");
        sync(&client, Value::Null).await;
        let (seen, given, _) = run(&client, r#"{"cursor":6}"#).await;
        assert_eq!(given["state"], r#"{"cursor":5}"#);
        assert_eq!(next_state(&client).await, r#"{"cursor":6}"#);
        let cleared = set(Value::Null).await.expect(200);
        assert_eq!(cleared, json!({"std_out": null}));
        assert_eq!(next_state(&client).await, Value::Null);
        rerun(&client, seen["id"].as_i64().unwrap(), json!({})).await;
        let (_, given, _) = run(&client, r#"{"cursor":7}"#).await;
        assert_eq!(given["state"], r#"{"cursor":5}"#, "what was set then");
        assert_eq!(next_state(&client).await, Value::Null, "it was not saved");
        set(json!("no JSON")).await.expect(422);
        set(json!(7)).await.expect(422);
        client.delete("/v2/tenants/1").await.expect(200);
        set(Value::Null).await.expect(404);
    }
}

both_databases! {
    async fn what_was_not_kept_of_an_old_run_is_not_original(database) {
        let client = Client::served(database).await;
        ready(&client).await;
        sync(&client, json!({"order": 1})).await;
        run(&client, r#"{"cursor":1}"#).await;
        let (old, claim) = client.inside.take_old_run(1).await;
        client.inside.end_run(&old, &claim, r#"{"cursor":2}"#).await;
        let path = format!("/v2/runs/{}/rerun", old.id);
        for (how, field) in [
            (json!({}), "configs"),
            (json!({"std_out": "current"}), "configs"),
            (json!({"configs": "current"}), "std_out"),
            (json!({"configs": {"region": "us"}}), "std_out"),
        ] {
            let refused = client.post(&path, how).await.expect(422);
            let fault = &refused["detail"][0];
            assert_eq!(fault["loc"], json!(["body", field]), "{refused}");
            let message = fault["msg"].as_str().unwrap();
            assert!(message.contains("not kept; take current, or write"), "{message}");
        }
        // What is written, and what is current, is known.
        let wanted = json!({"configs": "current", "std_out": {"cursor": 7}});
        rerun(&client, old.id.get(), wanted).await;
        let (_, given, _) = run(&client, r#"{"cursor":8}"#).await;
        assert_eq!(given["state"], r#"{"cursor":7}"#);
        // A rerun of it has been given something that was kept.
        let again = json!({"configs": "current"});
        rerun(&client, old.id.get() + 1, again).await;
        let (_, given, _) = run(&client, r#"{"cursor":9}"#).await;
        assert_eq!(given["state"], r#"{"cursor":7}"#);
    }
}

both_databases! {
    async fn who_may_not_write_sets_no_state_by_a_rerun(database) {
        let client = Client::served(database).await;
        ready(&client).await;
        sync(&client, json!({})).await;
        run(&client, "{}").await;
        let wanted = json!({"name": "ci", "scopes": ["sync"]});
        let key = client.post("/v2/keys", wanted).await.expect(201)["key"].clone();
        for (how, status) in [
            (json!({"std_out": {"n": 1}, "save": true}), 403),
            (json!({"configs": {}}), 403),
            (json!({"std_out": {"n": 1}}), 202),
            (json!({"save": true}), 202),
        ] {
            let request = http::Request::builder().method(http::Method::POST).uri("/v2/runs/1/rerun");
            let request = request.header("x-api-key", key.as_str().unwrap());
            let body = axum::body::Body::from(how.to_string());
            let answer = client.send(request.body(body).unwrap()).await;
            assert_eq!(answer.status.as_u16(), status, "{how}");
        }
    }
}
