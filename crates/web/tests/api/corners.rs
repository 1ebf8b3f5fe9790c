//! Odd corners of the surface, over HTTP and on both databases.

use std::cmp::Ordering;

use axum::body::Body;
use http::Method;
use marquetry_testkit::both_databases;
use serde_json::{Value, json};

use crate::client::Client;

/// Two integrations with releases, builds in three states, tenants that differ in everything, runs
/// of two of them, keys.
async fn world(client: &Client) {
    let shop = client.integration("shop").await;
    client.inside.release(shop, "v1").await;
    client.inside.release(shop, "v2").await;
    let body = json!({
        "name": "crm", "long_name": "A CRM", "type": "External",
        "default_schedule": "0 3 * * *", "schedule_randomization": "off", "debounce_ms": 5,
        "timeout_seconds": 60, "memory_mb": 64, "retry": "platform", "egress": "none",
        "poll_seconds": 300, "local_run": "proxy", "paused": true, "target_url": "https://a.example",
        "repository_tracking_branch": "trunk", "repository_path": "sub/PANDIUM.yaml",
    });
    client.post("/v2/integrations", body).await.expect(201);
    let builds = [
        json!({"tag": "v3", "integration_id": 1, "branch": "next"}),
        json!({"tag": "V4", "integration_id": 1}),
    ];
    for body in builds {
        client
            .post("/v2/sourcecontrol/build", body)
            .await
            .expect(201);
    }
    client
        .post("/v2/builds/3/cancel", Value::Null)
        .await
        .expect(200);
    client
        .inside
        .clock
        .advance(std::time::Duration::from_millis(1500));
    let tenants = [
        json!({"name": "b", "integration_id": 1, "user_name": "u", "paused": false}),
        json!({"name": "a-1", "integration_id": 1, "user_schedule": "5 4 * * *", "timezone": "Europe/Vienna"}),
        json!({"name": "a", "integration_id": 1, "integration_release_id": 1, "user_name": "U"}),
        json!({"name": "z", "integration_id": 2, "integration_release_channel": "Latest", "user_name": "ä"}),
    ];
    for body in tenants {
        client.post("/v2/tenants", body).await.expect(200);
    }
    for (tenant, mode) in [(1, "init"), (2, "normal"), (3, "normal")] {
        let path = format!("/v2/tenants/{tenant}/sync?mode={mode}");
        client.post(&path, json!({})).await.expect(202);
    }
    let (run, claim) = client.inside.take_run().await;
    client
        .inside
        .clock
        .advance(std::time::Duration::from_secs(1));
    client.inside.end_run(&run, &claim, "{}").await;
    client.inside.take_run().await;
    let body = json!({"name": "CI", "scopes": ["read"], "expires_date": "2030-01-01T00:00:00Z"});
    client.post("/v2/keys", body).await.expect(201);
}

const LISTS: [(&str, bool); 7] = [
    ("/v2/integrations", false),
    ("/v2/integrations/1/releases", false),
    ("/v2/tenants", false),
    ("/v2/builds", true),
    ("/v2/keys", false),
    ("/v2/runs", true),
    ("/v2/tenants/1/runs", true),
];
/// Null in this version, or an object.
const NO_SCALARS: [&str; 3] = ["flag", "config_schema", "metadata_schema"];

/// Smallest first, texts by their bytes; what has no value stands last in both directions.
fn compare(a: &Value, b: &Value, descending: bool) -> Ordering {
    let order = match (a, b) {
        (Value::Null, Value::Null) => return Ordering::Equal,
        (Value::Null, _) => return Ordering::Greater,
        (_, Value::Null) => return Ordering::Less,
        (Value::String(a), Value::String(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (a, b) => a.as_i64().unwrap().cmp(&b.as_i64().unwrap()),
    };
    if descending { order.reverse() } else { order }
}

both_databases! {
    async fn every_scalar_field_of_every_list_sorts_alike(database) {
        let client = Client::served(database).await;
        world(&client).await;
        for (list, newest_first) in LISTS {
            let all = client.get(list).await.expect(200);
            let all = all.as_array().unwrap();
            for field in all[0].as_object().unwrap().keys() {
                let nested = |one: &Value| one[field].is_object() || one[field].is_array();
                if all.iter().any(nested) || NO_SCALARS.contains(&field.as_str()) {
                    let path = format!("{list}?sort_by={field}__ASC");
                    let fault = client.get(&path).await.expect(422)["detail"][0].clone();
                    assert_eq!(fault["loc"], json!(["query", "sort_by"]), "{path}");
                    continue;
                }
                for (word, descending) in [("ASC", false), ("DESC", true)] {
                    let path = format!("{list}?sort_by={field}__{word}");
                    let found = client.get(&path).await.expect(200);
                    let mut wanted = all.clone();
                    wanted.sort_by(|a, b| {
                        let ties = a["id"].as_i64().cmp(&b["id"].as_i64());
                        let ties = if newest_first { ties.reverse() } else { ties };
                        compare(&a[field], &b[field], descending).then(ties)
                    });
                    assert_eq!(found, json!(wanted), "{path}");
                    let (pages, _) = walk(&client, &format!("{path}&limit=1")).await;
                    assert_eq!(json!(pages), found, "{path}, one by one");
                }
            }
        }
    }
}

/// All objects of a list, page by page, and how many pages there were.
async fn walk(client: &Client, first: &str) -> (Vec<Value>, usize) {
    let (mut seen, mut pages, mut next) = (Vec::new(), 0, Some(first.to_owned()));
    while let Some(path) = next {
        let answer = client.get(&path).await;
        seen.extend(answer.expect(200).as_array().unwrap().clone());
        pages += 1;
        next = answer.headers.get("link").map(|link| {
            let link = link.to_str().unwrap().strip_prefix('<').unwrap();
            link.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
        });
    }
    (seen, pages)
}

both_databases! {
    async fn pages_visit_each_object_once_whatever_happens_meanwhile(database) {
        let client = Client::served(database).await;
        client.integration("shop").await;
        let mut kept = Vec::new();
        for n in 0..23 {
            kept.push(client.tenant(1, &format!("kept-{}", n * 7 % 23)).await);
        }
        let changes = async {
            for n in 0..60 {
                // Before, among and behind those that are kept.
                let name = format!("{}-{n}", ["a", "kept-1", "z"][n % 3]);
                let body = json!({"name": name, "integration_id": 1});
                let made = client.post("/v2/tenants", body).await.expect(200);
                let path = format!("/v2/tenants/{}", made["id"]);
                if n % 2 == 0 {
                    client.delete(&path).await.expect(200);
                }
                let path = format!("/v2/tenants/{}", kept[n % kept.len()]);
                client.patch(&path, json!({"configs": {"n": n}, "paused": n % 4 == 0})).await.expect(200);
            }
        };
        let walks = async {
            for (sort, limit) in [("id__ASC", 2), ("name__ASC", 3), ("name__DESC", 5), ("created_date__DESC", 1), ("", 7), ("user_name__ASC", 4)] {
                let path = format!("/v2/tenants?limit={limit}&sort_by={sort}");
                let (seen, _) = walk(&client, &path).await;
                let ids: Vec<i64> = seen.iter().map(|one| one["id"].as_i64().unwrap()).collect();
                let mut once = ids.clone();
                once.sort_unstable();
                once.dedup();
                assert_eq!(once.len(), ids.len(), "{path}: twice in {ids:?}");
                for id in &kept {
                    assert!(ids.contains(id), "{path}: {id} is not in {ids:?}");
                }
            }
        };
        tokio::join!(changes, walks);
    }
}

both_databases! {
    async fn a_cursor_is_for_its_list_and_its_order(database) {
        let client = Client::served(database).await;
        world(&client).await;
        let answer = client.get("/v2/tenants?limit=1&sort_by=name__ASC&skip=1&total=yes").await;
        let link = answer.header("link").to_owned();
        assert!(!link.contains("skip="), "{link}");
        let cursor = link.split("cursor=").nth(1).unwrap().split('>').next().unwrap();
        let good = format!("/v2/tenants?sort_by=name__ASC&cursor={cursor}&skip=500");
        let rest = client.get(&good).await.expect(200);
        assert_eq!(rest.as_array().unwrap().len(), 2);
        let (place, mark) = cursor.split_once('.').unwrap();
        for bad in [
            format!("/v2/tenants?cursor={cursor}"),
            format!("/v2/tenants?sort_by=name__DESC&cursor={cursor}"),
            format!("/v2/tenants?sort_by=id__ASC&cursor={cursor}"),
            format!("/v2/integrations?sort_by=name__ASC&cursor={cursor}"),
            format!("/v2/tenants?sort_by=name__ASC&cursor={place}"),
            format!("/v2/tenants?sort_by=name__ASC&cursor={place}x.{mark}"),
            format!("/v2/tenants?sort_by=name__ASC&cursor=.{mark}"),
        ] {
            let fault = client.get(&bad).await.expect(422)["detail"][0].clone();
            assert_eq!(fault["loc"], json!(["query", "cursor"]), "{bad}");
        }
        client.get("/v2/tenants?cursor=").await.expect(200);
    }
}

both_databases! {
    async fn filters(database) {
        let client = Client::served(database).await;
        world(&client).await;
        client.delete("/v2/tenants/4").await.expect(200);
        for (query, wanted) in [
            ("", vec![1, 2, 3]),
            ("integration_id=0", vec![1, 2, 3]),
            ("integration_id=1&user_name=", vec![1, 2, 3]),
            ("integration_id=2", vec![]),
            ("integration_id=99", vec![]),
            ("integration_id=-1", vec![]),
            ("user_name=u", vec![1]),
            ("user_name=U", vec![3]),
            ("user_name=%C3%A4&archived=true", vec![4]),
            ("archived=1", vec![4]),
            ("archived=no", vec![1, 2, 3]),
            ("unknown=1&Archived=true", vec![1, 2, 3]),
            ("skip=1&limit=1", vec![2]),
            ("skip=3", vec![]),
            ("skip=9223372036854775807", vec![]),
            ("skip=99999999999999999999", vec![]),
            ("limit=0", vec![]),
            ("limit=501", vec![1, 2, 3]),
            ("limit=1&limit=2", vec![1, 2]),
        ] {
            let found = client.get(&format!("/v2/tenants?{query}")).await.expect(200);
            let ids = found.as_array().unwrap().iter().map(|one| one["id"].as_i64().unwrap());
            assert_eq!(ids.collect::<Vec<_>>(), wanted, "{query}");
        }
    }
}

both_databases! {
    async fn bodies_of_a_sync(database) {
        let client = Client::served(database).await;
        let tenant = client.runnable().await;
        client.patch("/v2/tenants/1", json!({"user_name": "u"})).await.expect(200);
        let by_tenant = format!("/v2/tenants/{tenant}/sync?mode=normal");
        let by_user = "/v2/integrations/1/sync?mode=init&user_name=u".to_owned();
        for path in [by_tenant, by_user] {
            for (kind, body, status) in [
                (Some("application/json"), "", 202),
                (Some("application/json"), "{}", 202),
                (Some("application/json"), " \n", 202),
                (Some("application/json"), "null", 202),
                (Some("application/json; charset=utf-8"), "{\"a\":[1]}", 202),
                (None, "{}", 202),
                (Some("text/plain"), "{}", 202),
                (Some("application/x-www-form-urlencoded"), "a=b", 422),
                (Some("application/json"), "[]", 422),
                (Some("application/json"), "[{}]", 422),
                (Some("application/json"), "\"a\"", 422),
                (Some("application/json"), "7", 422),
                (Some("application/json"), "true", 422),
                (Some("application/json"), "{", 422),
                (Some("application/json"), "{} {}", 422),
            ] {
                let request = client.request(Method::POST, &path);
                let request = match kind {
                    Some(kind) => request.header("content-type", kind),
                    None => request,
                };
                let answer = client.send(request.body(Body::from(body)).unwrap()).await;
                let found = answer.expect(status);
                let field = match (status, path.starts_with("/v2/tenants")) {
                    (202, _) => "trigger_id",
                    (_, true) => "detail",
                    (_, false) => "message",
                };
                assert!(found[field].is_string() || field == "detail", "{path} {body}: {found}");
                assert_eq!(found.as_object().unwrap().len(), 1, "{path} {body}: {found}");
            }
        }
    }
}

both_databases! {
    async fn every_422_of_a_sync_by_integration_and_of_a_build_is_a_sentence(database) {
        let client = Client::served(database).await;
        client.integration("shop").await;
        let body = json!({"name": "a", "integration_id": 1, "user_name": "u"});
        client.post("/v2/tenants", body).await.expect(200);
        let sync = "/v2/integrations/1/sync?mode=normal&user_name=u";
        let refused = client.post(sync, json!({})).await.expect(422);
        assert_eq!(refused, json!({
            "message": "integration shop has no release that tenant a could run; build one with POST /v2/sourcecontrol/build",
        }));
        client.inside.release(1, "v1").await;
        client.patch("/v2/integrations/1", json!({"paused": true})).await.expect(200);
        let refused = client.post(sync, json!({})).await.expect(422);
        assert_eq!(refused, json!({
            "message": "integration shop is paused; resume it with PATCH /v2/integrations/1",
        }));
        let wrong = client.post("/v2/integrations/x/sync?mode=normal&user_name=u", json!({})).await;
        assert_eq!(wrong.expect(422), json!({
            "message": "integration_id: Input should be a valid integer, unable to parse string as an integer",
        }));
        for body in ["null", "[]", "\"a\"", "{", "", r#"{"tag":"","integration_id":1}"#, r#"{"tag":"a b","integration_id":1}"#, r#"{"tag":"v","integration_id":1,"branch":""}"#, r#"{"tag":"v","integration_id":null}"#] {
            let found = client.raw(Method::POST, "/v2/sourcecontrol/build", body).await.expect(422);
            assert!(found["message"].is_string(), "{body}: {found}");
            assert_eq!(found.as_object().unwrap().len(), 1, "{body}: {found}");
        }
    }
}

both_databases! {
    async fn methods_that_a_route_does_not_declare(database) {
        let client = Client::served(database).await;
        for path in ["/v2/tenants", "/v2/integrations", "/healthz", "/v2/keys"] {
            let head = client.raw(Method::HEAD, path, "").await;
            assert_eq!(head.status, 200, "{path}");
            assert!(head.bytes.is_empty());
            assert_eq!(head.header("x-content-type-options"), "nosniff");
        }
        for (method, path, allow) in [
            (Method::OPTIONS, "/v2/tenants", "GET,HEAD,POST"),
            (Method::PUT, "/v2/tenants", "GET,HEAD,POST"),
            (Method::DELETE, "/v2/runs/1", "GET,HEAD"),
            (Method::GET, "/v2/tenants/1/sync?mode=normal", "POST"),
            (Method::PATCH, "/v2/integrations/1/releases/latest", "GET,HEAD"),
            (Method::TRACE, "/v2/tenants", "GET,HEAD,POST"),
        ] {
            let answer = client.raw(method.clone(), path, "").await;
            assert!(answer.expect(405)["message"].is_string(), "{method} {path}");
            assert_eq!(answer.header("allow"), allow, "{method} {path}");
        }
        for path in ["/", "/v2", "/v2/", "/v2/tenants/", "/v2//tenants", "/V2/tenants", "/v1/tenants", "/v2/tenants/1/sync/x"] {
            let answer = client.get(path).await;
            assert_eq!(answer.expect(404), json!({"message": "there is no such route"}), "{path}");
        }
    }
}

#[tokio::test]
async fn a_page_holds_500_at_most() {
    let client = Client::new().await;
    client.integration("shop").await;
    for n in 0..501 {
        client.tenant(1, &format!("t{n}")).await;
    }
    for limit in [
        "501",
        "9223372036854775807",
        "9223372036854775808",
        "+99999999999999999999",
    ] {
        let path = format!("/v2/tenants?limit={limit}&total=true");
        let answer = client.get(&path).await;
        assert_eq!(answer.expect(200).as_array().unwrap().len(), 500);
        assert_eq!(answer.header("x-total-count"), "501");
    }
    let (seen, pages) = walk(&client, "/v2/tenants").await;
    assert_eq!((seen.len(), pages), (501, 6));
}
