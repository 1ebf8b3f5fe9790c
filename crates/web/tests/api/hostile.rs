//! Input that means harm or nonsense.

use std::fmt::Write as _;

use http::Method;
use serde_json::{Value, json};

use crate::client::Client;

/// Bodies that are no JSON value that anybody could mean.
fn nonsense() -> Vec<Vec<u8>> {
    vec![
        b"{".to_vec(),
        b"NaN".to_vec(),
        b"{\"a\": Infinity}".to_vec(),
        b"{\"a\": 1e999}".to_vec(),
        b"{\"a\": \"\\ud800\"}".to_vec(),
        b"{\"a\": \"\xff\"}".to_vec(),
        b"\xff\xfe{}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"a\": \"\x00\"}".to_vec(),
        b"{} {}".to_vec(),
        b"'a'".to_vec(),
        [b"[".repeat(100_000), b"]".repeat(100_000)].concat(),
        [
            b"{\"a\":".repeat(100_000),
            b"1".to_vec(),
            b"}".repeat(100_000),
        ]
        .concat(),
    ]
}

#[tokio::test]
async fn no_body_breaks_a_route() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let routes = [
        (Method::POST, "/v2/integrations".to_owned()),
        (Method::PATCH, "/v2/integrations/1".to_owned()),
        (
            Method::PATCH,
            "/v2/integrations/1/releases/default".to_owned(),
        ),
        (Method::POST, "/v2/sourcecontrol/build".to_owned()),
        (Method::POST, "/v2/tenants".to_owned()),
        (Method::PATCH, format!("/v2/tenants/{tenant}")),
        (Method::PUT, format!("/v2/tenants/{tenant}")),
        (
            Method::POST,
            format!("/v2/tenants/{tenant}/sync?mode=normal"),
        ),
        (
            Method::POST,
            "/v2/integrations/1/sync?mode=init&user_name=a".to_owned(),
        ),
        (Method::POST, "/v2/keys".to_owned()),
    ];
    for (method, path) in routes {
        for body in nonsense() {
            let head = String::from_utf8_lossy(&body[..body.len().min(20)]).into_owned();
            let answer = client.raw(method.clone(), &path, body).await;
            assert_eq!(answer.status.as_u16(), 422, "{method} {path} {head}");
        }
    }
}

#[tokio::test]
async fn numbers_beyond_an_id_are_refused() {
    let client = Client::new().await;
    for id in [
        "9223372036854775808",
        "-9223372036854775809",
        "1e3",
        "0x10",
        "१",
    ] {
        let path = format!("/v2/tenants/{}", urlencode(id));
        let fault = &client.get(&path).await.expect(422)["detail"][0];
        assert_eq!(fault["loc"], json!(["path", "tenant_id"]), "{id}");
    }
    for id in [
        json!(9_223_372_036_854_775_808_u64),
        json!(1e300),
        json!("1e3"),
    ] {
        let body = json!({"name": "a", "integration_id": id});
        client.post("/v2/tenants", body).await.expect(422);
    }
    for id in [i64::MAX, i64::MIN, 0, -1] {
        client.get(&format!("/v2/tenants/{id}")).await.expect(404);
    }
    for path in [
        "/v2/tenants?skip=9223372036854775807",
        "/v2/tenants?limit=9223372036854775807",
    ] {
        client.get(path).await.expect(200);
    }
    for id in [i64::MAX, i64::MIN] {
        let body = json!({"timeout_seconds": id, "debounce_ms": id, "default_release_id": id});
        client.integration(&format!("i{}", id.unsigned_abs())).await;
        client.patch("/v2/integrations/1", body).await.expect(422);
    }
}

fn urlencode(text: &str) -> String {
    let mut coded = String::new();
    for byte in text.bytes() {
        write!(coded, "%{byte:02x}").unwrap();
    }
    coded
}

#[tokio::test]
async fn texts_with_odd_characters_come_back_or_are_refused() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}");
    for text in ["\u{1f600}", "\"\\</script>", "\u{202e}", " ", "\u{7f}"] {
        let body = json!({"configs": {"text": text, text: 1}});
        let answer = client.patch(&path, body).await.expect(200);
        assert_eq!(answer["configs"]["text"], text);
    }
    let body = json!({"configs": {"text": "a\u{0}b"}});
    client.patch(&path, body).await.expect(422);
    let long = "x".repeat(200_000);
    let body = json!({"name": long, "user_name": long, "user_schedule": long, "timezone": long});
    let answer = client.patch(&path, body).await;
    answer.expect(422);
    assert!(answer.bytes.len() < 10_000, "{}", answer.bytes.len());
}

#[tokio::test]
async fn queries_of_any_bytes_are_only_values() {
    let client = Client::new().await;
    for query in [
        "user_name=%00",
        "user_name=%ff%fe",
        "user_name=%25%27%3B--",
        "sort_by=%27%3Bdrop%20table__ASC",
        "cursor=%2F%2F%2F",
        "%00=%00",
        "limit=1%00",
    ] {
        let status = client.get(&format!("/v2/tenants?{query}")).await.status;
        assert!(status == 200 || status == 422, "{query}: {status}");
    }
    let answer = client.get("/v2/runs/triggers/%00%01/status").await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn headers_of_any_bytes_reach_a_run_as_text() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    let odd = http::HeaderValue::from_bytes(b"a\xff\"\\").unwrap();
    let request = client.request(Method::POST, &path).header("x-odd", odd);
    let request = request.body(axum::body::Body::empty()).unwrap();
    client.send(request).await.expect(202);
    let wrong_key = http::Request::builder()
        .uri("/v2/tenants")
        .header("x-api-key", http::HeaderValue::from_bytes(b"\xff").unwrap())
        .body(axum::body::Body::empty())
        .unwrap();
    let body: Value = client.send(wrong_key).await.expect(403);
    assert_eq!(body["detail"], "Not authorized");
}
