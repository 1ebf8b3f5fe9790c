//! Settings of tenants against the form of their release.

use http::Method;
use serde_json::{Value, json};

use crate::client::Client;

fn form() -> Value {
    json!({
        "schema": {
            "type": "object",
            "properties": {
                "region": {"type": "string", "enum": ["eu", "us"]},
                "amount": {"type": "integer", "min": 0, "max": 10, "default": 1},
                "since": {"type": "string", "format": "date"},
                "token": {"type": "string", "format": "password", "minLength": 4},
                "user": {"type": "string", "$ref": "definitions/users"},
                "shade": {"$ref": "#/metadata/shades"},
                "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
            },
            "required": ["region", "amount", "user"],
            "definitions": {"users": {"type": "number", "oneOf": [{"const": "placeholder", "title": "Placeholder"}]}},
        },
    })
}

fn metadata_schema() -> Value {
    json!({"schema": {"properties": {
        "shades": {"type": "array", "items": {"type": "string"}, "default": ["grey", "white"]},
    }}})
}

/// An integration with that form; its id.
async fn shop(client: &Client) -> i64 {
    let id = client.integration("shop").await;
    let inside = &client.inside;
    inside
        .release_with_form(id, "v1", Some(form()), Some(metadata_schema()))
        .await;
    id
}

async fn tenant(client: &Client, integration: i64, configs: Value) -> crate::client::Answer {
    let body = json!({
        "name": "acme", "integration_id": integration,
        "integration_release_channel": "Latest", "configs": configs,
    });
    client.post("/v2/tenants", body).await
}

/// Place and word of each fault.
fn faults(answer: &Value) -> Vec<(String, String)> {
    let all = answer["detail"].as_array().unwrap().iter();
    let mut all: Vec<_> = all
        .map(|fault| {
            let kind = fault["type"].as_str().unwrap().to_owned();
            (fault["loc"].to_string(), kind)
        })
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn all_faults_of_settings_come_at_once() {
    let client = Client::new().await;
    let id = shop(&client).await;
    let wrong = json!({
        "region": "mars", "amount": 11, "since": "today", "token": "abc", "shade": "pink",
        "tags": ["a", 1], "unknown": {"is": "kept"},
    });
    let refused = tenant(&client, id, wrong).await.expect(422);
    let place = |name: &str| json!(["body", "configs", name]).to_string();
    let expected = [
        (
            json!(["body", "configs", "tags", 1]).to_string(),
            "string_type",
        ),
        (place("amount"), "less_than_equal"),
        (place("region"), "enum"),
        (place("shade"), "enum"),
        (place("since"), "date_parsing"),
        (place("token"), "string_too_short"),
    ];
    let mut expected = expected.map(|(loc, kind)| (loc, kind.to_owned()));
    expected.sort();
    assert_eq!(faults(&refused), expected);
    let region = refused["detail"]
        .as_array()
        .unwrap()
        .iter()
        .find(|fault| fault["type"] == "enum" && fault["loc"][2] == "region");
    assert_eq!(
        region.unwrap(),
        &json!({
            "loc": ["body", "configs", "region"],
            "msg": "Input should be 'eu' or 'us'",
            "type": "enum",
            "ctx": {"expected": "'eu' or 'us'"},
        })
    );
    assert!(
        !refused.to_string().contains("abc"),
        "no secret comes back: {refused}"
    );
}

#[tokio::test]
async fn what_is_required_may_have_a_default_or_a_placeholder() {
    let client = Client::new().await;
    let id = shop(&client).await;
    let refused = tenant(&client, id, json!({})).await.expect(422);
    let place = json!(["body", "configs", "region"]).to_string();
    assert_eq!(faults(&refused), [(place, "missing".to_owned())]);
    let fits = json!({"region": "eu", "user": "anyone", "amount": null, "extra": 1});
    let made = tenant(&client, id, fits).await.expect(200);
    assert_eq!(
        made["configs"],
        json!({"region": "eu", "user": "anyone", "extra": 1})
    );
    assert_eq!(made["configs_problems"], json!([]));
}

#[tokio::test]
async fn without_a_release_nothing_is_checked() {
    let client = Client::new().await;
    let id = client.integration("shop").await;
    let made = tenant(&client, id, json!({"region": "mars"}))
        .await
        .expect(200);
    assert_eq!(made["configs_problems"], json!([]));
    let inside = &client.inside;
    inside.release_with_form(id, "v1", Some(form()), None).await;
    let path = format!("/v2/tenants/{}", made["id"]);
    let flagged = client.get(&path).await.expect(200);
    assert_eq!(flagged["configs"], json!({"region": "mars"}));
    assert_eq!(
        flagged["configs_problems"],
        json!([{"name": "region", "message": "Input should be 'eu' or 'us'"}])
    );
    assert_eq!(
        client.get("/v2/tenants").await.expect(200),
        json!([flagged])
    );
}

#[tokio::test]
async fn a_change_answers_for_what_it_changes() {
    let client = Client::new().await;
    let id = shop(&client).await;
    let made = tenant(&client, id, json!({"region": "eu", "since": "2026-01-01"}));
    let path = format!("/v2/tenants/{}", made.await.expect(200)["id"]);
    let narrow = json!({"schema": {"properties": {
        "region": {"enum": ["us", "asia"]}, "amount": {"type": "integer"},
    }, "required": ["amount"]}});
    client
        .inside
        .release_with_form(id, "v2", Some(narrow), None)
        .await;
    let flagged = client
        .patch(&path, json!({"paused": false}))
        .await
        .expect(200);
    let names: Vec<&Value> = flagged["configs_problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| &problem["name"])
        .collect();
    assert_eq!(names, ["amount", "region"]);
    let body = json!({"configs": {"since": "2026-01-02"}});
    let refused = client.patch(&path, body).await.expect(422);
    assert_eq!(refused["detail"].as_array().unwrap().len(), 1, "{refused}");
    assert_eq!(refused["detail"][0]["type"], "missing");
    let body = json!({"configs": {"amount": 3}});
    let changed = client.patch(&path, body).await.expect(200);
    assert_eq!(changed["configs"]["region"], "eu", "an old value stays");
    let body = json!({"configs": {"region": "eu"}});
    client.patch(&path, body).await.expect(422);
    let body = json!({"configs": {"region": "us"}});
    let changed = client.patch(&path, body).await.expect(200);
    assert_eq!(changed["configs_problems"], json!([]));
    let body = json!({"configs": {"region": "us"}}).to_string();
    client.raw(Method::PUT, &path, body).await.expect(422);
    let body = json!({"configs": {"amount": 3}}).to_string();
    let replaced = client.raw(Method::PUT, &path, body).await.expect(200);
    assert_eq!(replaced["configs"], json!({"amount": 3}));
}

#[tokio::test]
async fn secrets_are_masked_and_kept() {
    let client = Client::new().await;
    let id = shop(&client).await;
    let made = tenant(&client, id, json!({"region": "eu", "token": "s3cret"}));
    let made = made.await.expect(200);
    let path = format!("/v2/tenants/{}", made["id"]);
    let masked = json!({"region": "eu", "token": "********"});
    assert_eq!(made["configs"], masked);
    let tenant = made["id"].as_i64().unwrap();
    let stored = || client.inside.stored_secrets(tenant);
    let sent_back = json!({"configs": masked});
    client.patch(&path, sent_back.clone()).await.expect(200);
    let put = client.raw(Method::PUT, &path, sent_back.to_string()).await;
    assert_eq!(put.expect(200)["configs"], masked);
    assert_eq!(client.inside.stored_configs(tenant).await, masked);
    assert_eq!(stored().await, json!({"token": "s3cret"}));
    let body = json!({"configs": {"token": "another"}});
    client.patch(&path, body).await.expect(200);
    assert_eq!(stored().await["token"], "another");
    assert_eq!(
        client.get("/v2/tenants").await.expect(200)[0]["configs"],
        masked
    );

    let open = json!({"schema": {"properties": {}}});
    client
        .inside
        .release_with_form(id, "v2", Some(open), None)
        .await;
    let shown = client.get(&path).await.expect(200);
    assert_eq!(
        shown["configs"], masked,
        "a release does not disclose what was secret"
    );
    let body = json!({"configs": {"token": null}});
    let changed = client.patch(&path, body).await.expect(200);
    assert_eq!(changed["configs"], json!({"region": "eu"}));
}

#[tokio::test]
async fn a_mask_without_a_secret_is_nothing() {
    let client = Client::new().await;
    let id = shop(&client).await;
    let made = tenant(&client, id, json!({"region": "eu", "token": "********"}));
    assert_eq!(made.await.expect(200)["configs"], json!({"region": "eu"}));
}

#[tokio::test]
async fn an_init_run_fills_the_options() {
    let client = Client::new().await;
    let id = shop(&client).await;
    let made = tenant(&client, id, json!({"region": "eu"}))
        .await
        .expect(200);
    let path = format!("/v2/tenants/{}", made["id"]);
    let users = json!([{"const": "U1", "title": "ann"}, {"const": "U2", "title": "bob"}]);
    let line = json!({"users": users, "shades": ["light"], "cursor": 5}).to_string();
    client.run(&path, "init", &line).await;
    let shown = client.get(&path).await.expect(200);
    assert_eq!(shown["status"]["dynamic_configs"]["users"], users);
    let problem = json!([{"name": "user", "message": "Field required"}]);
    assert_eq!(shown["configs_problems"], problem);
    let stranger = json!({"configs": {"user": "placeholder", "shade": "white"}});
    let refused = client.patch(&path, stranger).await.expect(422);
    assert_eq!(refused["detail"].as_array().unwrap().len(), 2, "{refused}");
    let chosen = json!({"configs": {"user": "U2", "shade": "light"}});
    client.patch(&path, chosen).await.expect(200);

    for route in ["integration_release", "release"] {
        let release = client.get(&format!("{path}/{route}")).await.expect(200);
        let schema = &release["config_schema"]["schema"];
        assert_eq!(schema["definitions"]["users"], json!({"oneOf": users}));
        assert_eq!(schema["metadata"]["shades"], json!({"enum": ["light"]}));
        assert_eq!(
            schema["properties"]["shade"],
            json!({"$ref": "#/metadata/shades", "enum": ["light"]})
        );
        assert_eq!(
            schema["properties"]["region"],
            form()["schema"]["properties"]["region"]
        );
    }
    let latest = format!("/v2/integrations/{id}/releases/latest");
    let latest = client.get(&latest);
    assert_eq!(
        latest.await.expect(200)["config_schema"],
        form(),
        "a release does not change"
    );

    client.run(&path, "init", r#"{"users": []}"#).await;
    let shown = client.get(&path).await.expect(200);
    assert_eq!(shown["status"]["dynamic_configs"]["users"], json!([]));
    let none = "Input should be one of the options, and there are none";
    assert_eq!(
        shown["configs_problems"],
        json!([{"name": "user", "message": none}])
    );
    client
        .run(&path, "normal", r#"{"users": ["x", "y"]}"#)
        .await;
    let shown = client.get(&path).await.expect(200);
    assert_eq!(
        shown["status"]["dynamic_configs"]["users"],
        json!([]),
        "only init sets them"
    );
}

#[tokio::test]
async fn metadata_is_checked_and_merged() {
    let client = Client::new().await;
    let id = shop(&client).await;
    let made = tenant(&client, id, json!({"region": "eu"}))
        .await
        .expect(200);
    let tenant = format!("/v2/tenants/{}", made["id"]);
    let path = format!("{tenant}/metadata");
    let empty =
        json!({"tenant_id": made["id"], "data": {}, "created_date": null, "modified_date": null});
    assert_eq!(client.get(&path).await.expect(200), empty);
    let body = json!({"shades": ["dark"], "deep": {"a": 1}});
    let changed = client.patch(&path, body).await.expect(200);
    let now = "2026-11-23T20:00:00.000Z";
    assert_eq!(changed["created_date"], now);
    assert_eq!(
        changed["data"],
        json!({"shades": ["dark"], "deep": {"a": 1}})
    );
    let merged = client
        .patch(&path, json!({"deep": {"b": 2}}))
        .await
        .expect(200);
    assert_eq!(
        merged["data"],
        json!({"shades": ["dark"], "deep": {"b": 2}})
    );
    let options = client.get(&tenant).await.expect(200);
    assert_eq!(
        options["status"]["dynamic_configs"],
        json!({"shades": ["dark"]})
    );

    let refused = client
        .patch(&path, json!({"shades": ["ok", 7]}))
        .await
        .expect(422);
    assert_eq!(refused["detail"][0]["loc"], json!(["body", "shades", 1]));
    for body in ["[]", "null", "7", ""] {
        client.raw(Method::PATCH, &path, body).await.expect(422);
    }
    let failed = client.run(&tenant, "normal", r#"{"shades": "none"}"#).await;
    assert_eq!(failed["status"]["phase"], "Failed (Metadata Validation)");
    let message =
        "standard output does not fit the metadata schema: shades: Input should be a valid list";
    assert_eq!(failed["message"], message);
    assert_eq!(client.get(&path).await.expect(200), merged);
    client
        .run(&tenant, "normal", r#"{"shades": ["light"]}"#)
        .await;
    let found = client.get(&path).await.expect(200);
    assert_eq!(
        found["data"],
        json!({"shades": ["light"], "deep": {"b": 2}})
    );

    let large = json!({"more": "x".repeat(1 << 20)});
    client.patch(&path, large).await.expect(422);
    client.delete(&tenant).await.expect(200);
    assert_eq!(client.get(&path).await.expect(200), found);
    client.patch(&path, json!({})).await.expect(404);
    client.get("/v2/tenants/99/metadata").await.expect(404);
}

#[tokio::test]
async fn many_of_many_options_can_be_chosen() {
    let client = Client::new().await;
    let id = client.integration("shop").await;
    let form = json!({"schema": {
        "properties": {"users": {"type": "array", "$ref": "#/definitions/users"}},
        "definitions": {"users": {"oneOf": [{"const": "placeholder", "title": "Placeholder"}]}},
    }});
    client
        .inside
        .release_with_form(id, "v1", Some(form), None)
        .await;
    let made = tenant(&client, id, json!({})).await.expect(200);
    let path = format!("/v2/tenants/{}", made["id"]);
    let user = |n: usize| json!({"const": format!("U{n}"), "title": format!("user {n}")});
    let users: Vec<Value> = (0..10_000).map(user).collect();
    let line = json!({"users": users}).to_string();
    client.run(&path, "init", &line).await;
    let mut chosen: Vec<String> = (0..100).map(|n| format!("U{}", n * 100)).collect();
    let body = json!({"configs": {"users": chosen}});
    let changed = client.patch(&path, body).await.expect(200);
    assert_eq!(changed["configs_problems"], json!([]));
    chosen[99] = "U10000".to_owned();
    let body = json!({"configs": {"users": chosen}});
    let refused = client.patch(&path, body).await.expect(422);
    let place = json!(["body", "configs", "users", 99]).to_string();
    assert_eq!(faults(&refused), [(place, "enum".to_owned())]);
}

/// A definition that leads back to itself.
fn circle() -> Value {
    json!({"schema": {
        "properties": {"odd": {"$ref": "#/definitions/round"}, "size": {"type": "integer"}},
        "definitions": {"round": {"$ref": "#/definitions/round"}},
    }})
}

#[tokio::test]
async fn a_setting_that_cannot_be_checked_does_not_hold_up_others() {
    let client = Client::new().await;
    let id = client.integration("shop").await;
    let made = tenant(&client, id, json!({"odd": 1, "size": 2}));
    let path = format!("/v2/tenants/{}", made.await.expect(200)["id"]);
    let inside = &client.inside;
    inside
        .release_with_form(id, "v1", Some(circle()), None)
        .await;
    let message = "the form is too complex to check this value; simplify its schema";
    let problem = json!([{"name": "odd", "message": message}]);
    let flagged = client.get(&path).await.expect(200);
    assert_eq!(flagged["configs_problems"], problem);
    let body = json!({"configs": {"size": 3}});
    let changed = client.patch(&path, body).await.expect(200);
    assert_eq!(changed["configs_problems"], problem);
    let body = json!({"configs": {"size": "three"}});
    let refused = client.patch(&path, body).await.expect(422);
    let size = json!(["body", "configs", "size"]).to_string();
    assert_eq!(faults(&refused), [(size, "int_type".to_owned())]);
    let body = json!({"configs": {"odd": 4}});
    let refused = client.patch(&path, body).await.expect(422);
    let odd = json!(["body", "configs", "odd"]).to_string();
    assert_eq!(faults(&refused), [(odd, "too_complex".to_owned())]);

    let mut all = circle();
    all["schema"]["not"] = json!({"$ref": "#/definitions/round"});
    inside.release_with_form(id, "v2", Some(all), None).await;
    let body = json!({"configs": {"size": 5}});
    let changed = client.patch(&path, body).await.expect(200);
    let named: Vec<&Value> = changed["configs_problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| &problem["name"])
        .collect();
    assert_eq!(named, ["odd", ""]);
}

#[tokio::test]
async fn metadata_may_hold_long_lists_of_known_words() {
    let client = Client::new().await;
    let id = client.integration("shop").await;
    let words: Vec<String> = (0..100).map(|n| format!("word-{n}")).collect();
    let schema = json!({"schema": {"properties": {
        "words": {"items": {"enum": words}}, "odd": {"$ref": "#/$defs/round"},
    }, "$defs": {"round": {"$ref": "#/$defs/round"}}}});
    let made = tenant(&client, id, json!({})).await.expect(200);
    let tenant = format!("/v2/tenants/{}", made["id"]);
    let path = format!("{tenant}/metadata");
    client
        .patch(&path, json!({"odd": 1, "free": 1}))
        .await
        .expect(200);
    client
        .inside
        .release_with_form(id, "v1", None, Some(schema))
        .await;
    let list: Vec<&String> = words.iter().cycle().take(12_000).collect();
    let line = json!({"words": list}).to_string();
    let ended = client.run(&tenant, "normal", &line).await;
    assert_eq!(ended["status"]["phase"], "Succeeded", "{ended}");
    let changed = client.patch(&path, json!({"free": 2})).await.expect(200);
    assert_eq!(
        changed["data"]["words"].as_array().map(Vec::len),
        Some(12_000)
    );
    let ended = client.run(&tenant, "normal", r#"{"odd": 2}"#).await;
    assert_eq!(ended["status"]["phase"], "Failed (Metadata Validation)");
    let why = "the metadata schema is too complex to check this";
    assert!(ended["message"].as_str().unwrap().contains(why), "{ended}");
}
