//! Sending a source folder: the door's side of it.

use axum::body::Body;
use http::{Method, StatusCode};
use marquetry_app::Limits;
use marquetry_testkit::Inside;
use marquetry_web::WebConfig;
use serde_json::{Value, json};

use crate::client::Client;

const GZIP: &[u8] = b"\x1f\x8b\x08 and so on: only a build looks further";

fn path(integration: i64, query: &str) -> String {
    format!("/v2/integrations/{integration}/releases/upload{query}")
}

async fn key(client: &Client, scopes: Value) -> String {
    let body = json!({"name": "k", "scopes": scopes});
    let made = client.post("/v2/keys", body).await.expect(201);
    made["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_archive_becomes_a_build_that_waits() {
    let client = Client::new().await;
    let id = client.integration("shop").await;
    let made = client
        .raw(Method::POST, &path(id, ""), GZIP)
        .await
        .expect(201);
    assert_eq!(made["tag"], format!("build-{}", made["id"]));
    assert_eq!(made["status"], "Pending");
    assert_eq!(made["integration_id"], id);
    assert_eq!(
        (&made["commit"], &made["branch"]),
        (&Value::Null, &Value::Null)
    );
    let found = client
        .get(&format!("/v2/builds/{}", made["id"]))
        .await
        .expect(200);
    assert_eq!(found, made);
    let tagged = client
        .raw(Method::POST, &path(id, "?tag=v1&other=x"), GZIP)
        .await
        .expect(201);
    assert_eq!(tagged["tag"], "v1");
    let left = std::fs::read_dir(client.inside.folder.path().join("uploads")).unwrap();
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn what_is_no_archive_is_refused_with_the_remedy() {
    let client = Client::new().await;
    let id = client.integration("shop").await;
    for body in [&b""[..], b"\x1f", b"PK\x03\x04", b"{}", b"\x1f\x8c"] {
        let answer = client
            .raw(Method::POST, &path(id, ""), body)
            .await
            .expect(422);
        assert_eq!(answer["detail"][0]["loc"], json!(["body"]), "{answer}");
        let text = answer["detail"][0]["msg"].as_str().unwrap();
        assert!(text.contains("tar -czf"), "{text}");
    }
    for tag in ["a..b", "", "-x", "a%20b"] {
        let answer = client
            .raw(Method::POST, &path(id, &format!("?tag={tag}")), GZIP)
            .await;
        assert_eq!(
            answer.expect(422)["detail"][0]["loc"],
            json!(["query", "tag"]),
            "{tag}"
        );
    }
    let builds = client.get("/v2/builds").await.expect(200);
    assert_eq!(builds, json!([]));
    let left = std::fs::read_dir(client.inside.folder.path().join("uploads")).unwrap();
    assert_eq!(left.count(), 0, "what was refused does not stay");
}

#[tokio::test]
async fn an_unknown_or_archived_integration_takes_none() {
    let client = Client::new().await;
    let id = client.integration("shop").await;
    client
        .delete(&format!("/v2/integrations/{id}"))
        .await
        .expect(200);
    for id in [id, 999] {
        let answer = client
            .raw(Method::POST, &path(id, ""), GZIP)
            .await
            .expect(404);
        assert!(answer["message"].is_string(), "{answer}");
    }
}

#[tokio::test]
async fn it_needs_a_key_that_may_write() {
    let client = Client::new().await;
    let id = client.integration("shop").await;
    for (scopes, status) in [
        (json!(["read"]), 403),
        (json!(["sync"]), 403),
        (json!(["write"]), 201),
    ] {
        let key = key(&client, scopes).await;
        let request = http::Request::builder()
            .method(Method::POST)
            .uri(path(id, ""));
        let request = request
            .header("X-API-KEY", key)
            .body(Body::from(GZIP))
            .unwrap();
        assert_eq!(client.send(request).await.status.as_u16(), status);
    }
}

#[tokio::test]
async fn too_large_is_too_large_with_and_without_a_length() {
    let limits = Limits {
        upload_bytes: 8 << 20,
        ..Limits::default()
    };
    let client = Client::of(Inside::with_limits(limits).await, WebConfig::default());
    let id = client.integration("shop").await;
    let body = |size: usize| {
        let mut body = GZIP.to_vec();
        body.resize(size, 0);
        body
    };
    let seven = client.raw(Method::POST, &path(id, ""), body(7 << 20)).await;
    seven.expect(201);
    let said = client
        .request(Method::POST, &path(id, ""))
        .header("content-length", 9 << 20);
    // A body that would never end: it is not read.
    let endless = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    let answer = client
        .send(said.body(Body::from_stream(endless)).unwrap())
        .await;
    assert!(
        answer.expect(413)["message"]
            .as_str()
            .unwrap()
            .contains("8 MiB")
    );
    let part = move |n: u8| {
        let mut part = body(1 << 20);
        part[10] = n;
        Ok::<_, std::io::Error>(part)
    };
    let parts = futures_util::stream::iter((0..9).map(part));
    let answer = client
        .raw(Method::POST, &path(id, ""), Body::from_stream(parts))
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let left = std::fs::read_dir(client.inside.folder.path().join("uploads")).unwrap();
    assert_eq!(left.count(), 0);
    let other = client
        .raw(Method::POST, "/v2/integrations", body(7 << 20))
        .await;
    assert_eq!(
        other.status,
        StatusCode::PAYLOAD_TOO_LARGE,
        "other routes keep their limit"
    );
}

#[tokio::test]
async fn only_so_many_wait() {
    let client = Client::new().await;
    let id = client.integration("shop").await;
    for _ in 0..20 {
        client
            .raw(Method::POST, &path(id, ""), GZIP)
            .await
            .expect(201);
    }
    let answer = client.raw(Method::POST, &path(id, ""), GZIP).await;
    answer.expect(429);
    assert_eq!(answer.header("retry-after"), "60");
    let other = client.integration("other").await;
    client
        .raw(Method::POST, &path(other, ""), GZIP)
        .await
        .expect(201);
}
