//! A client of the door, with or without a network between.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use futures_util::StreamExt as _;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use marquetry_testkit::{Database, Http, Inside};
use marquetry_web::WebConfig;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// An application and its door.
pub(crate) struct Client {
    pub(crate) inside: Inside,
    pub(crate) router: Router,
    /// Where the router is served, when there is a network between.
    served: Option<Served>,
}

struct Served {
    http: Http,
    /// The server ends with it.
    _stop: tokio::sync::oneshot::Sender<()>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    /// The JSON of an answer with this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        serde_json::from_slice(&self.bytes).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

impl Client {
    pub(crate) async fn new() -> Self {
        Self::of(Inside::new().await, WebConfig::default())
    }

    pub(crate) fn of(inside: Inside, config: WebConfig) -> Self {
        let router = marquetry_web::router(Arc::clone(&inside.app), config);
        Self {
            inside,
            router,
            served: None,
        }
    }

    /// One that speaks HTTP to a port.
    pub(crate) async fn served(database: Database) -> Self {
        let mut client = Self::of(Inside::on(database).await, WebConfig::default());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let shutdown = async move {
            // Dropped is what is waited for.
            let _ = stopped.await;
        };
        let serving = marquetry_web::serve(listener, client.router.clone(), shutdown);
        tokio::spawn(serving);
        client.served = Some(Served {
            http: Http::new(url),
            _stop: stop,
        });
        client
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        if let Some(served) = &self.served {
            return served.send(request).await;
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            bytes: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }

    /// The first `events` pieces of a stream that does not end by itself.
    pub(crate) async fn stream(&self, path: &str, last: Option<&str>) -> EventStream {
        let mut request = self.request(Method::GET, path);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        EventStream(response.into_body().into_data_stream())
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header("X-API-KEY", &self.inside.key)
    }

    /// A request with the owner's key and raw bytes.
    pub(crate) async fn raw(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        let request = self.request(method, path).body(body.into()).unwrap();
        self.send(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.raw(Method::GET, path, Body::empty()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.raw(Method::DELETE, path, Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.raw(Method::POST, path, body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.raw(Method::PATCH, path, body.to_string()).await
    }

    /// An integration with a repository; its id.
    pub(crate) async fn integration(&self, name: &str) -> i64 {
        let body = json!({
            "name": name,
            "long_name": "For a test",
            "repository_url": self.inside.folder.path().join("repositories").join(name),
        });
        let made = self.post("/v2/integrations", body).await.expect(201);
        made["id"].as_i64().unwrap()
    }

    /// A tenant on `Latest`; its id.
    pub(crate) async fn tenant(&self, integration: i64, name: &str) -> i64 {
        let body = json!({
            "name": name,
            "integration_id": integration,
            "integration_release_channel": "Latest",
        });
        let made = self.post("/v2/tenants", body).await.expect(200);
        made["id"].as_i64().unwrap()
    }

    /// Runs the tenant of a path in a mode and ends the run with a line of output; the run.
    pub(crate) async fn run(&self, tenant: &str, mode: &str, line: &str) -> Value {
        let path = format!("{tenant}/sync?mode={mode}");
        self.post(&path, Value::Null).await.expect(202);
        let (run, claim) = self.inside.take_run().await;
        self.inside.end_run(&run, &claim, line).await;
        let path = format!("/v2/runs/{}", run.id);
        self.get(&path).await.expect(200)
    }

    /// An integration with a release, and a tenant of it; the tenant's id.
    pub(crate) async fn runnable(&self) -> i64 {
        let integration = self.integration("shop").await;
        self.inside.release(integration, "v1").await;
        self.tenant(integration, "acme").await
    }
}

impl Served {
    async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        let path = parts.uri.to_string();
        let sent = self.http.send(parts.method, &path, parts.headers, body);
        let (status, headers, bytes) = sent.await;
        Answer {
            status,
            headers,
            bytes,
        }
    }
}

/// A stream of server-sent events.
pub(crate) struct EventStream(axum::body::BodyDataStream);

impl EventStream {
    /// What comes next; none at the end.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let longest = std::time::Duration::from_secs(60);
        let piece = tokio::time::timeout(longest, self.0.next()).await;
        let piece = piece.expect("an event within a minute")?.unwrap();
        Some(String::from_utf8(piece.to_vec()).unwrap())
    }
}
