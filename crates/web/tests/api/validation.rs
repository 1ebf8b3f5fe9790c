//! 422, in the words and shapes that clients of the original know.

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

use crate::client::Client;

#[tokio::test]
async fn all_faults_of_path_query_and_body_at_once() {
    let client = Client::new().await;
    let answer = client
        .raw(Method::POST, "/v2/tenants/x/sync?mode=sometimes", "[1]")
        .await;
    assert_eq!(
        answer.expect(422),
        json!({"detail": [
            {
                "loc": ["path", "tenant_id"],
                "msg": "Input should be a valid integer, unable to parse string as an integer",
                "type": "int_parsing",
                "input": "x",
            },
            {
                "loc": ["query", "mode"],
                "msg": "Input should be 'init' or 'normal'",
                "type": "enum",
                "input": "sometimes",
                "ctx": {"expected": "'init' or 'normal'"},
            },
            {
                "loc": ["body"],
                "msg": "Input should be a valid dictionary",
                "type": "dict_type",
                "input": [1],
            },
        ]})
    );
}

/// `loc` and `type` of each fault.
fn faults(body: &Value) -> Vec<(String, String)> {
    let detail = body["detail"].as_array().unwrap();
    detail
        .iter()
        .map(|fault| {
            let loc = fault["loc"].as_array().unwrap();
            let loc: Vec<String> = loc
                .iter()
                .map(|part| {
                    part.as_str()
                        .map_or_else(|| part.to_string(), str::to_owned)
                })
                .collect();
            (loc.join("."), fault["type"].as_str().unwrap().to_owned())
        })
        .collect()
}

/// Compares the places and types of all faults, in their order.
#[track_caller]
pub(crate) fn assert_faults(body: &Value, wanted: &[(&str, &str)]) {
    let found = faults(body);
    let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (&**a, &**b)).collect();
    assert_eq!(found, wanted, "{body}");
}

#[tokio::test]
async fn bodies() {
    let client = Client::new().await;
    let cases: [(Value, &[(&str, &str)]); 6] = [
        (
            json!({}),
            &[("body.name", "missing"), ("body.integration_id", "missing")],
        ),
        (
            json!({"name": 1, "integration_id": "x", "configs": [], "paused": "maybe"}),
            &[
                ("body.name", "string_type"),
                ("body.integration_id", "int_parsing"),
                ("body.configs", "dict_type"),
                ("body.paused", "bool_parsing"),
            ],
        ),
        (
            json!({"name": "a", "integration_id": 1.5, "integration_release_channel": "Newest"}),
            &[
                ("body.integration_id", "int_from_float"),
                ("body.integration_release_channel", "enum"),
            ],
        ),
        (
            json!({"name": "a", "integration_id": null, "configs": null}),
            &[
                ("body.integration_id", "int_type"),
                ("body.configs", "dict_type"),
            ],
        ),
        (json!([]), &[("body", "model_attributes_type")]),
        (
            json!({"name": "A B", "integration_id": "7", "unknown": true}),
            &[
                ("body.name", "value_error"),
                ("body.integration_id", "value_error"),
            ],
        ),
    ];
    for (body, wanted) in cases {
        assert_faults(&client.post("/v2/tenants", body).await.expect(422), wanted);
    }
    let empty = client.raw(Method::POST, "/v2/tenants", "").await;
    assert_eq!(
        empty.expect(422),
        json!({"detail": [
            {"loc": ["body"], "msg": "Field required", "type": "missing", "input": null}
        ]})
    );
}

#[tokio::test]
async fn extensions_refuse_fields_that_they_do_not_know() {
    let client = Client::new().await;
    let body = json!({
        "name": "shop",
        "long_name": "Shop",
        "colour": "red",
        "connectors": [{"isGlobal": 3}],
        "repository_path": 5,
        "egress_ports": [0, 70000, 80],
    });
    assert_faults(
        &client.post("/v2/integrations", body).await.expect(422),
        &[
            ("body.repository_path.str", "string_type"),
            ("body.repository_path.list[str]", "list_type"),
            ("body.connectors.0.name", "missing"),
            ("body.connectors.0.isGlobal", "bool_parsing"),
            ("body.egress_ports.0", "greater_than_equal"),
            ("body.egress_ports.1", "less_than_equal"),
            ("body.colour", "extra_forbidden"),
        ],
    );
}

#[tokio::test]
async fn texts_and_lists_have_bounds() {
    let client = Client::new().await;
    let id = client.integration("shop").await;
    let path = format!("/v2/integrations/{id}");
    let host = "https://git.example/";
    let url = |length: usize| format!("{host}{}", "x".repeat(length - host.len()));
    let choice = |label: usize| json!({"label": "\u{e4}".repeat(label), "cron": "0 * * * *"});
    let connector = |n: usize| json!({"name": format!("c{n}")});
    let connectors = |count: usize| (0..count).map(connector).collect::<Vec<_>>();
    let huge = "x".repeat(1 << 20);
    for (field, most, more) in [
        ("repository_url", json!(url(2000)), json!(url(2001))),
        ("repository_url", json!(null), json!(url(1 << 20))),
        ("target_url", json!(url(2000)), json!(url(2001))),
        ("long_name", json!("x".repeat(200)), json!(huge)),
        (
            "schedule_choices",
            json!(vec![choice(200); 100]),
            json!(vec![choice(1); 101]),
        ),
        ("schedule_choices", json!([]), json!([choice(201)])),
        (
            "schedule_choices",
            json!([]),
            json!([{"label": "x", "cron": huge}]),
        ),
        (
            "default_schedule",
            json!(null),
            json!(format!("0{} * * * *", ",0".repeat(1000))),
        ),
        ("connectors", json!(connectors(100)), json!(connectors(101))),
        ("connectors", json!([]), json!([{"name": huge}])),
        ("repository_path", json!("a"), json!(huge)),
        ("repository_tracking_branch", json!("main"), json!(huge)),
    ] {
        client.patch(&path, json!({field: most})).await.expect(200);
        let answer = client.patch(&path, json!({field: more})).await;
        let place = format!("body.{field}");
        assert_faults(&answer.expect(422), &[(&place, "value_error")]);
        assert!(answer.bytes.len() < 1000, "{field}: {}", answer.bytes.len());
    }
    let tenant = client.tenant(id, "acme").await;
    let path = format!("/v2/tenants/{tenant}");
    for (field, more) in [
        ("name", &huge),
        ("user_name", &huge),
        ("user_schedule", &huge),
        ("timezone", &huge),
    ] {
        let answer = client.patch(&path, json!({field: more})).await;
        let place = format!("body.{field}");
        assert_faults(&answer.expect(422), &[(&place, "value_error")]);
        assert!(answer.bytes.len() < 1000, "{field}: {}", answer.bytes.len());
    }
    let key = json!({"name": "k".repeat(101)});
    let answer = client.post("/v2/keys", key).await;
    assert_faults(&answer.expect(422), &[("body.name", "value_error")]);
}

#[tokio::test]
async fn secrets_are_not_echoed() {
    let client = Client::new().await;
    let body = json!({"repository_credential": {"token": "hush"}, "build_env": {"A": "hush"}});
    let answer = client.post("/v2/integrations", body).await;
    assert!(!answer.text().contains("hush"), "{}", answer.text());
    assert_faults(
        &answer.expect(422),
        &[("body.name", "missing"), ("body.long_name", "missing")],
    );
    let body = json!({"repository_credential": {"token": ["hush"]}});
    let answer = client.patch("/v2/integrations/1", body).await;
    assert!(!answer.text().contains("hush"), "{}", answer.text());
    let id = client.integration("shop").await;
    let path = format!("/v2/integrations/{id}");
    let wrong = json!({
        "build_env": {"A B": "hush"},
        "repository_credential": {"token": "hush", "ssh_private_key": "hush"},
        "memory_mb": 1,
    });
    let answer = client.patch(&path, wrong).await;
    assert!(!answer.text().contains("hush"), "{}", answer.text());
    assert_faults(
        &answer.expect(422),
        &[
            ("body.repository_credential", "value_error"),
            ("body.build_env", "value_error"),
            ("body.memory_mb", "value_error"),
        ],
    );
    for right in [
        json!({"build_env": {"A": "hush"}, "repository_credential": {"token": "hush"}}),
        json!({"build_env": {}, "repository_credential": null}),
        json!({"build_env": null}),
    ] {
        let answer = client.patch(&path, right).await;
        assert!(!answer.text().contains("hush"), "{}", answer.text());
        answer.expect(200);
    }
}

#[tokio::test]
async fn queries() {
    let client = Client::new().await;
    for (query, wanted) in [
        ("limit=-1", ("query.limit", "greater_than_equal")),
        ("skip=-1", ("query.skip", "greater_than_equal")),
        (
            "limit=-99999999999999999999",
            ("query.limit", "greater_than_equal"),
        ),
        (
            "integration_id=99999999999999999999",
            ("query.integration_id", "int_parsing_size"),
        ),
        ("limit=ten", ("query.limit", "int_parsing")),
        ("limit=", ("query.limit", "int_parsing")),
        ("archived=perhaps", ("query.archived", "bool_parsing")),
        ("sort_by=colour__ASC", ("query.sort_by", "value_error")),
        ("sort_by=name", ("query.sort_by", "value_error")),
        ("sort_by=name__UP", ("query.sort_by", "value_error")),
        ("cursor=nonsense", ("query.cursor", "value_error")),
    ] {
        let answer = client.get(&format!("/v2/tenants?{query}")).await;
        assert_faults(&answer.expect(422), &[wanted]);
    }
    let text = client.get("/v2/tenants?limit=-1").await.expect(422);
    assert_eq!(
        text["detail"][0],
        json!({
            "loc": ["query", "limit"],
            "msg": "Input should be greater than or equal to 0",
            "type": "greater_than_equal",
            "input": "-1",
            "ctx": {"ge": 0},
        })
    );
    for query in [
        "limit=%2B5&archived=Yes&skip=0",
        "limit=100000&unknown=1&unknown=2",
        "limit=0&archived=off&total=1",
        "integration_id=0&user_name=",
        "&&=&limit=1&limit=2",
    ] {
        client
            .get(&format!("/v2/tenants?{query}"))
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn waits() {
    let client = Client::new().await;
    for (wait, kind) in [
        ("-1", "greater_than_equal"),
        ("soon", "float_parsing"),
        ("nan", "finite_number"),
        ("inf", "finite_number"),
        ("", "float_parsing"),
    ] {
        let path = format!("/v2/runs/triggers/1/status?wait={wait}");
        assert_faults(
            &client.get(&path).await.expect(422),
            &[("query.wait", kind)],
        );
    }
}

#[tokio::test]
async fn on_two_routes_every_422_is_one_sentence() {
    let client = Client::new().await;
    let build = "/v2/sourcecontrol/build";
    let sync = "/v2/integrations/1/sync";
    for (path, body, wanted) in [
        (build, "{", "the body is not JSON"),
        (build, "", "Field required"),
        (
            build,
            "[]",
            "Input should be a valid dictionary or object to extract fields from",
        ),
        (
            build,
            "{}",
            "tag: Field required; integration_id: Field required",
        ),
        (
            build,
            r#"{"tag":"v1","integration_id":9}"#,
            "integration_id: there is no integration 9",
        ),
        (sync, "", "mode: Field required; user_name: Field required"),
        (
            "/v2/integrations/1/sync?mode=normal&user_name=u",
            "nope",
            "the body is not JSON",
        ),
    ] {
        let answer = client.raw(Method::POST, path, body).await;
        assert_eq!(
            answer.expect(422),
            json!({"message": wanted}),
            "{path} {body}"
        );
    }
}

#[tokio::test]
async fn what_is_no_json_says_where() {
    let client = Client::new().await;
    let answer = client
        .raw(Method::POST, "/v2/tenants", Body::from("{\n \"a\": nope}"))
        .await;
    let fault = &answer.expect(422)["detail"][0];
    assert_eq!(fault["type"], "json_invalid");
    assert_eq!(fault["msg"], "JSON decode error");
    assert_eq!(fault["loc"], json!(["body", 9]));
    assert!(fault["ctx"]["error"].is_string());
}

#[tokio::test]
async fn times_from_the_first_to_the_last_year() {
    let client = Client::new().await;
    for (n, time) in [
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999-00:00",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59.999-23:59",
    ]
    .into_iter()
    .enumerate()
    {
        for name in ["from", "to"] {
            let path = format!("/v2/runs?{name}={time}");
            assert_eq!(client.get(&path).await.expect(200), json!([]), "{path}");
        }
        let body = json!({"name": format!("k{n}"), "scopes": ["read"], "expires_date": time});
        let answer = client.post("/v2/keys", body).await;
        if time.starts_with("9999") {
            assert!(answer.status.is_success(), "{time}: {}", answer.text());
        } else {
            assert_faults(&answer.expect(422), &[("body.expires_date", "value_error")]);
        }
    }
    for time in ["0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "soon", ""] {
        for name in ["from", "to"] {
            let answer = client.get(&format!("/v2/runs?{name}={time}")).await;
            let place = format!("query.{name}");
            assert_faults(&answer.expect(422), &[(&place, "datetime_parsing")]);
        }
        let body = json!({"name": "k", "scopes": ["read"], "expires_date": time});
        let answer = client.post("/v2/keys", body).await;
        let wanted = [("body.expires_date", "datetime_parsing")];
        assert_faults(&answer.expect(422), &wanted);
    }
}

#[tokio::test]
async fn numbers_are_kept_as_they_are_or_refused() {
    let client = Client::new().await;
    let id = client.runnable().await;
    let path = format!("/v2/tenants/{id}");
    let kept =
        r#"{"big":18446744073709551615,"small":-9223372036854775808,"at":98.37282740013183}"#;
    let body = format!(r#"{{"configs": {kept}}}"#);
    let saved = client.raw(Method::PATCH, &path, body).await.text();
    assert!(saved.contains(kept), "{saved}");
    let metadata = format!("{path}/metadata");
    let known = client.raw(Method::PATCH, &metadata, kept).await.text();
    assert!(known.contains(kept), "{known}");

    let digits = "9".repeat(401);
    let (whole, finite) = ("int_parsing_size", "finite_number");
    let configs = format!(
        r#"{{"configs": {{"a": 18446744073709551616, "b": [{{"c": -9223372036854775809}}],
        "d": {digits}, "e": 1e999, "f": 7}}, "paused": true}}"#
    );
    let wanted = [
        ("body.configs.a", whole),
        ("body.configs.b.0.c", whole),
        ("body.configs.d", whole),
        ("body.configs.e", finite),
    ];
    for method in [Method::PATCH, Method::PUT] {
        let refused = client.raw(method, &path, configs.clone()).await.expect(422);
        assert_faults(&refused, &wanted);
        let words = "Input should be a whole number of at most 64 bits; write a larger one as text";
        assert_eq!(refused["detail"][0]["msg"], words);
        assert_eq!(refused["detail"][0].get("input"), None);
    }
    let change = r#"{"a": 123456789012345678901234567890, "b": "123456789012345678901234567890"}"#;
    let refused = client.raw(Method::PATCH, &metadata, change).await;
    assert_faults(&refused.expect(422), &[("body.a", whole)]);
    let new = r#"{"name": "new", "integration_id": 1, "configs": {"a": 18446744073709551616}}"#;
    let refused = client.raw(Method::POST, "/v2/tenants", new).await;
    assert_faults(&refused.expect(422), &[("body.configs.a", whole)]);
    let state = r#"{"std_out": {"a": 18446744073709551616}}"#;
    let refused = client
        .raw(Method::PUT, &format!("{path}/state"), state)
        .await;
    assert_faults(&refused.expect(422), &[("body.std_out.a", whole)]);
    let rerun = r#"{"configs": {"a": 18446744073709551616}, "std_out": {"b": 1e999}}"#;
    let refused = client.raw(Method::POST, "/v2/runs/1/rerun", rerun).await;
    let wanted = [("body.configs.a", whole), ("body.std_out.b", finite)];
    assert_faults(&refused.expect(422), &wanted);

    // Numbers that are read have their own words, and what is ignored has none.
    let read = r#"{"name": "new", "integration_id": 18446744073709551616, "colour": 18446744073709551616}"#;
    let refused = client.raw(Method::POST, "/v2/tenants", read).await;
    assert_faults(&refused.expect(422), &[("body.integration_id", whole)]);
    let text = format!(r#"{{"std_out": "{digits}"}}"#);
    let state = client
        .raw(Method::PUT, &format!("{path}/state"), text)
        .await;
    assert_eq!(state.expect(200)["std_out"], digits);
}

#[tokio::test]
async fn a_payload_is_shown_as_it_was_sent() {
    let client = Client::new().await;
    let id = client.runnable().await;
    let payload = r#"{"n": 123456789012345678901234567890, "x":1.50}"#;
    let path = format!("/v2/tenants/{id}/sync?mode=normal");
    client.raw(Method::POST, &path, payload).await.expect(202);
    client.inside.take_run().await;
    let shown = client.get("/v2/runs").await.text();
    assert!(shown.contains(payload), "{shown}");
}
