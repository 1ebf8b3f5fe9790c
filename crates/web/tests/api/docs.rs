//! The document and its page.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;

use crate::client::Client;

#[tokio::test]
async fn the_document_is_served_with_a_key() {
    let client = Client::new().await;
    let document = client.get("/openapi.json").await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let own = serde_json::to_value(marquetry_web::openapi()).unwrap();
    assert_eq!(document, own);
}

#[tokio::test]
async fn a_browser_is_asked_for_the_key_and_gets_the_page_without_the_internet() {
    let client = Client::new().await;
    let request = |path: &str, password: Option<&str>| {
        let mut request = Request::builder()
            .uri(path)
            .header("accept", "text/html,*/*");
        if let Some(password) = password {
            let coded = STANDARD.encode(format!("anyone:{password}"));
            request = request.header("authorization", format!("Basic {coded}"));
        }
        request.body(Body::empty()).unwrap()
    };
    for path in ["/docs", "/docs/init.js", "/openapi.json"] {
        let asked = client.send(request(path, None)).await;
        assert_eq!(asked.status, 401, "{path}");
        assert!(asked.header("www-authenticate").starts_with("Basic "));
        assert_eq!(client.send(request(path, Some("wrong"))).await.status, 401);
    }
    let page = client
        .send(request("/docs", Some(&client.inside.key)))
        .await;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-security-policy")
            .contains("script-src 'self'")
    );
    assert!(
        !page.text().contains("://"),
        "the page loads nothing from elsewhere"
    );
    for file in ["swagger-ui-bundle.js", "swagger-ui.css", "init.js"] {
        assert!(page.text().contains(file) || file == "init.js");
        let path = format!("/docs/{file}");
        let answer = client.send(request(&path, Some(&client.inside.key))).await;
        assert_eq!(answer.status, 200, "{file}");
        if file.starts_with("swagger") {
            assert_eq!(answer.header("content-encoding"), "gzip");
            assert_eq!(answer.bytes[..2], [0x1f, 0x8b]);
        }
    }
    for nothing in [
        "/docs/other.js",
        "/docs/%ff",
        "/docs/%00",
        "/docs/a%2fb",
        "/%ff",
    ] {
        let answer = client.get(nothing).await.expect(404);
        assert!(answer["message"].is_string(), "{nothing}: {answer}");
    }
}

#[tokio::test]
async fn health_needs_no_key() {
    let client = Client::new().await;
    for path in ["/healthz", "/readyz"] {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        assert_eq!(client.send(request).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_schema_of_manifests_needs_no_key() {
    let client = Client::new().await;
    let request = Request::builder().uri("/schemas/pandium.json");
    let answer = client.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("content-type"), "application/schema+json");
    assert_eq!(answer.expect(200), marquetry_app::manifest_schema());
}
