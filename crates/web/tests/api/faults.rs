//! Every fault of a request at once, each with what was sent.

use axum::body::Body;
use http::Method;
use marquetry_testkit::both_databases;
use serde_json::{Value, json};

use crate::client::Client;
use crate::validation::assert_faults;

both_databases! {
    async fn the_rules_of_a_field_speak_although_another_cannot_be_read(database) {
        let client = Client::served(database).await;
        let tenant = client.runnable().await;
        let of_tenant = format!("/v2/tenants/{tenant}");
        let unreadable = json!({"name": "Bad Name", "integration_id": "x", "user_schedule": 5, "configs": []});
        assert_faults(&client.post("/v2/tenants", unreadable).await.expect(422), &[
            ("body.name", "value_error"),
            ("body.integration_id", "int_parsing"),
            ("body.user_schedule", "string_type"),
            ("body.configs", "dict_type"),
        ]);
        let body = json!({"user_name": 5, "timezone": "Mars/X", "configs": {"a": "x".repeat(97 << 10)}});
        let wanted = [
            ("body.user_name", "string_type"),
            ("body.timezone", "value_error"),
        ];
        let missing = [("body.name", "missing"), ("body.integration_id", "missing")];
        let setting = [("body.configs.a", "value_error")];
        assert_faults(
            &client.post("/v2/tenants", body.clone()).await.expect(422),
            &[&missing[..], &setting, &wanted].concat(),
        );
        assert_faults(
            &client.patch(&of_tenant, body.clone()).await.expect(422),
            &[&setting[..], &wanted].concat(),
        );
        let mut closed = body;
        closed["colour"] = json!("red");
        closed["name"] = json!("-");
        let replaced = client.raw(Method::PUT, &of_tenant, closed.to_string()).await;
        assert_faults(&replaced.expect(422), &[
            ("body.configs.a", "value_error"),
            ("body.name", "value_error"),
            ("body.user_name", "string_type"),
            ("body.timezone", "value_error"),
            ("body.colour", "extra_forbidden"),
        ]);
        // What is there is not at fault again, and null takes a setting away.
        client.inside.set_configs(tenant, [("old".to_owned(), json!("x".repeat(97 << 10)))].into_iter().collect()).await;
        let body = json!({"paused": "perhaps", "configs": {"old": "x".repeat(97 << 10), "a": null}});
        assert_faults(&client.patch(&of_tenant, body).await.expect(422), &[("body.paused", "bool_parsing")]);
    }
}

both_databases! {
    async fn a_field_that_is_not_known_hides_no_other_fault(database) {
        let client = Client::served(database).await;
        let body = json!({
            "name": "Bad Name", "long_name": "", "repository_url": "ftp://x",
            "repository_tracking_branch": "a b", "repository_path": [], "connectors": [{"name": "a b"}],
            "default_schedule": "often", "schedule_choices": [{"label": "x", "cron": "often"}],
            "debounce_ms": -1, "timeout_seconds": 0, "memory_mb": 1, "egress": "host",
            "egress_ports": [0], "poll_seconds": 1, "colour": "red",
            "repository_credential": {}, "build_env": {"1A": "x", "B-C": "x", "PATH": "x"},
        });
        let wanted = [
            ("body.name", "value_error"),
            ("body.long_name", "value_error"),
            ("body.repository_url", "value_error"),
            ("body.repository_tracking_branch", "value_error"),
            ("body.repository_path", "value_error"),
            ("body.connectors", "value_error"),
            ("body.default_schedule", "value_error"),
            ("body.schedule_choices", "value_error"),
            ("body.debounce_ms", "value_error"),
            ("body.timeout_seconds", "value_error"),
            ("body.memory_mb", "value_error"),
            ("body.egress", "value_error"),
            ("body.egress_ports.0", "greater_than_equal"),
            ("body.poll_seconds", "value_error"),
            ("body.repository_credential", "value_error"),
            ("body.build_env", "value_error"),
            ("body.build_env", "value_error"),
            ("body.build_env", "value_error"),
            ("body.colour", "extra_forbidden"),
        ];
        assert_faults(&client.post("/v2/integrations", body.clone()).await.expect(422), &wanted);
        client.integration("shop").await;
        assert_faults(&client.patch("/v2/integrations/1", body).await.expect(422), &wanted);
        let body = json!({"name": 1, "memory_mb": 1});
        assert_faults(&client.post("/v2/integrations", body).await.expect(422), &[
            ("body.name", "string_type"),
            ("body.long_name", "missing"),
            ("body.memory_mb", "value_error"),
        ]);
    }
}

both_databases! {
    async fn each_part_of_a_request_tells_its_faults(database) {
        let client = Client::served(database).await;
        client.runnable().await;
        let key = json!({"name": "", "scopes": ["fly"], "expires_date": "2001-01-01T00:00:00Z"});
        for (method, path, body, wanted) in [
            (Method::PATCH, "/v2/tenants/x", json!({"name": "Bad Name"}), vec![("path.tenant_id", "int_parsing"), ("body.name", "value_error")]),
            (Method::GET, "/v2/tenants?limit=-1&sort_by=nope__ASC&cursor=x", Value::Null, vec![
                ("query.sort_by", "value_error"), ("query.limit", "greater_than_equal"), ("query.cursor", "value_error"),
            ]),
            (Method::GET, "/v2/tenants?sort_by=nope__ASC&cursor=x", Value::Null, vec![("query.sort_by", "value_error"), ("query.cursor", "value_error")]),
            (Method::GET, "/v2/tenants/x/runs?sort_by=name", Value::Null, vec![("path.tenant_id", "int_parsing"), ("query.sort_by", "value_error")]),
            (Method::POST, "/v2/integrations/x/releases/upload?tag=a%20b", Value::Null, vec![("path.integration_id", "int_parsing"), ("query.tag", "value_error")]),
            (Method::POST, "/v2/keys", key, vec![("body.name", "value_error"), ("body.scopes.0", "enum"), ("body.expires_date", "value_error")]),
            (Method::PUT, "/v2/tenants/x/state", json!({"std_out": "no JSON"}), vec![("path.tenant_id", "int_parsing"), ("body.std_out", "value_error")]),
            (Method::POST, "/v2/runs/1/rerun", json!({"configs": "former", "std_out": {"a": "x".repeat(121 << 10)}}), vec![
                ("body.configs.enum", "enum"), ("body.configs.dict[str,any]", "dict_type"), ("body.std_out", "value_error"),
            ]),
        ] {
            let answer = client.raw(method, path, body.to_string()).await;
            assert_faults(&answer.expect(422), &wanted);
        }
    }
}

both_databases! {
    async fn what_only_the_database_knows_is_told_with_the_rest(database) {
        let client = Client::served(database).await;
        let form = json!({"schema": {"type": "object", "properties": {"size": {"type": "integer"}}}});
        client.integration("shop").await;
        client.inside.release_with_form(1, "v1", Some(form), None).await;
        client.tenant(1, "acme").await;
        client.tenant(1, "other").await;
        let body = json!({"name": "acme", "integration_id": 1, "timezone": "Mars/X"});
        let wanted = [("body.timezone", "value_error"), ("body.name", "value_error")];
        assert_faults(&client.post("/v2/tenants", body.clone()).await.expect(422), &wanted);
        assert_faults(&client.patch("/v2/tenants/2", body).await.expect(422), &wanted);
        let body = json!({"name": "new", "integration_id": 1, "integration_release_id": 9, "configs": {"size": "x"}});
        let wanted = [("body.integration_release_id", "value_error"), ("body.configs.size", "int_type")];
        let made = client.post("/v2/tenants", body.clone()).await.expect(422);
        assert_faults(&made, &wanted);
        assert_faults(&client.patch("/v2/tenants/2", body).await.expect(422), &wanted);
        let body = json!({"integration_release_id": 9, "integration_release_channel": "Latest"});
        assert_faults(&client.patch("/v2/tenants/2", body).await.expect(422), &[
            ("body.integration_release_channel", "value_error"),
            ("body.integration_release_id", "value_error"),
        ]);
        let taken = json!({"name": "shop", "long_name": ""});
        let wanted = [("body.long_name", "value_error"), ("body.name", "value_error")];
        assert_faults(&client.post("/v2/integrations", taken).await.expect(422), &wanted);
        client.integration("crm").await;
        let taken = json!({"name": "shop", "default_release_id": 9});
        assert_faults(&client.patch("/v2/integrations/2", taken).await.expect(422), &[
            ("body.default_release_id", "value_error"),
            ("body.name", "value_error"),
        ]);
        for (body, sentence) in [
            (json!({"tag": "a b", "integration_id": 9}), "tag: must be a name that Git allows for a branch or tag; integration_id: there is no integration 9"),
            (json!({"tag": "a b", "branch": 5}), "tag: must be a name that Git allows for a branch or tag; integration_id: Field required; branch: Input should be a valid string"),
        ] {
            let refused = client.post("/v2/sourcecontrol/build", body).await;
            assert_eq!(refused.expect(422), json!({"message": sentence}));
        }
    }
}

/// The input of the only fault at this place; none where it is not repeated.
#[track_caller]
fn input<'a>(body: &'a Value, place: &[&str]) -> Option<&'a Value> {
    let detail = body["detail"].as_array().unwrap();
    let mut found = detail.iter().filter(|fault| fault["loc"] == json!(place));
    let fault = found
        .next()
        .unwrap_or_else(|| panic!("{place:?} in {body}"));
    assert!(found.next().is_none(), "{place:?} twice in {body}");
    fault.get("input")
}

both_databases! {
    async fn a_fault_repeats_what_was_sent(database) {
        let client = Client::served(database).await;
        client.runnable().await;
        let both = json!({
            "name": "Bad Name", "integration_id": 9, "timezone": "Mars/X", "user_schedule": "often",
            "user_name": "x".repeat(1025), "integration_release_id": 7,
            "integration_release_channel": "Latest", "configs": {"a": "x".repeat(97 << 10)},
        });
        let found = client.post("/v2/tenants", both).await.expect(422);
        for (field, sent) in [
            ("name", Some(json!("Bad Name"))),
            ("integration_id", Some(json!(9))),
            ("timezone", Some(json!("Mars/X"))),
            ("user_schedule", Some(json!("often"))),
            ("user_name", None),
            ("integration_release_channel", Some(json!("Latest"))),
        ] {
            assert_eq!(input(&found, &["body", field]), sent.as_ref(), "{field}");
        }
        assert_eq!(input(&found, &["body", "configs", "a"]), None);
        for (method, path, body, place, sent) in [
            (Method::POST, "/v2/tenants", json!({"name": "acme", "integration_id": 1}), ["body", "name"], Some(json!("acme"))),
            (Method::PATCH, "/v2/tenants/1", json!({"integration_release_id": 9}), ["body", "integration_release_id"], Some(json!(9))),
            (Method::PATCH, "/v2/tenants/1", json!({"timezone": "Mars/X", "paused": 7}), ["body", "timezone"], Some(json!("Mars/X"))),
            (Method::PATCH, "/v2/integrations/1/releases/default", json!({"release_id": 9}), ["body", "release_id"], Some(json!(9))),
            (Method::PATCH, "/v2/integrations/1/releases/default", json!({}), ["body", "release_id"], Some(json!({}))),
            (Method::PATCH, "/v2/integrations/1", json!({"repository_url": "https://u:secret@host/x"}), ["body", "repository_url"], None),
            (Method::PATCH, "/v2/integrations/1", json!({"build_env": {"1A": "secret"}}), ["body", "build_env"], None),
            (Method::PATCH, "/v2/integrations/1", json!({"connectors": [{"name": "a b"}]}), ["body", "connectors"], Some(json!([{"name": "a b"}]))),
            (Method::PUT, "/v2/tenants/1/state", json!({"std_out": "no JSON"}), ["body", "std_out"], Some(json!("no JSON"))),
            (Method::GET, "/v2/tenants?sort_by=nope__ASC", Value::Null, ["query", "sort_by"], Some(json!("nope__ASC"))),
            (Method::GET, "/v2/tenants?cursor=a%20b", Value::Null, ["query", "cursor"], Some(json!("a b"))),
            (Method::POST, "/v2/integrations/1/releases/upload?tag=a+b", Value::Null, ["query", "tag"], Some(json!("a b"))),
        ] {
            let refused = client.raw(method, path, body.to_string()).await;
            assert!(!refused.text().contains("secret"), "{}", refused.text());
            assert_eq!(input(&refused.expect(422), &place), sent.as_ref(), "{path} {body}");
        }
        client.patch("/v2/integrations/1", json!({"paused": true})).await.expect(200);
        let refused = client.raw(Method::POST, "/v2/tenants/1/sync?mode=normal", Body::from("{}")).await;
        assert_eq!(input(&refused.expect(422), &["path", "tenant_id"]), Some(&json!("1")));
    }
}
