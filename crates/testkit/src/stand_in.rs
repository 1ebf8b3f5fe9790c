//! A system that answers as a test says, whatever it is asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::Received;

/// What it answers: status and JSON.
type Answers = dyn Fn(&Received) -> (u16, Value) + Send + Sync;

/// A server of this machine that stands in for any system; it ends when it is dropped.
pub struct StandIn {
    url: String,
    seen: Arc<Mutex<Vec<Received>>>,
    server: JoinHandle<()>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl StandIn {
    /// Starts one.
    pub async fn start(
        answers: impl Fn(&Received) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::default();
        let server = tokio::spawn(serve(listener, Arc::clone(&seen), Arc::new(answers)));
        Self { url, seen, server }
    }

    /// Where it is reached, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What came in since this was asked last.
    pub fn take_requests(&self) -> Vec<Received> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

async fn serve(listener: TcpListener, seen: Arc<Mutex<Vec<Received>>>, answers: Arc<Answers>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let (seen, answers) = (Arc::clone(&seen), Arc::clone(&answers));
                connections.spawn(async move {
                    let service = service_fn(|request| answer(&seen, &*answers, request));
                    let connection = http1::Builder::new();
                    // A client may hang up.
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(
    seen: &Mutex<Vec<Received>>,
    answers: &Answers,
    request: Request<hyper::body::Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let received = Received::read(request).await.unwrap();
    let (status, body) = answers(&received);
    seen.lock().unwrap().push(received);
    let response = Response::builder().status(status);
    let response = response.header("content-type", "application/json");
    Ok(response.body(Full::from(body.to_string())).unwrap())
}
