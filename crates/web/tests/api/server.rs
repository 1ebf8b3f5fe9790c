//! The server on a real port.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::Client;

struct Served {
    client: Client,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<std::io::Result<()>>,
}

async fn start() -> Served {
    let client = Client::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async move {
        // A dropped sender means the same.
        let _ = stopped.await;
    };
    let serving = marquetry_web::serve(listener, client.router.clone(), shutdown);
    Served {
        client,
        address,
        stop,
        ended: tokio::spawn(serving),
    }
}

/// Answers of a connection until `text` has come.
async fn until(stream: &mut tokio::net::TcpStream, text: &str) -> String {
    let mut seen = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut piece));
        let size = read.await.expect("an answer within a minute").unwrap();
        seen.extend_from_slice(&piece[..size]);
        let shown = String::from_utf8_lossy(&seen).into_owned();
        if shown.contains(text) || size == 0 {
            return shown;
        }
    }
}

#[tokio::test]
async fn one_connection_serves_many_requests_and_ends_with_the_server() {
    let served = start().await;
    let socket = TcpSocket::new_v4().unwrap();
    let mut stream = socket.connect(served.address).await.unwrap();
    let key = &served.client.inside.key;
    for _ in 0..3 {
        let request = format!("GET /v2/tenants HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = until(&mut stream, "[]").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.to_lowercase().contains("content-length: 2\r\n"),
            "{answer}"
        );
    }
    served.stop.send(()).unwrap();
    let longest = Duration::from_secs(60);
    let ended = tokio::time::timeout(longest, served.ended).await;
    ended.expect("the server ends").unwrap().unwrap();
    assert_eq!(until(&mut stream, "never").await, "");
}

#[tokio::test]
async fn a_client_that_never_finishes_its_headers_is_sent_away() {
    let served = start().await;
    let socket = TcpSocket::new_v4().unwrap();
    let mut stream = socket.connect(served.address).await.unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\nx-")
        .await
        .unwrap();
    // Whether with 408 or without a word: the connection ends by itself.
    let answer = until(&mut stream, "never").await;
    assert!(!answer.contains("200 OK"), "{answer}");
    drop(served.stop);
    served.ended.await.unwrap().unwrap();
}

/// Sends a whole request before it looks at the answer, as many clients do; what came, to the end of
/// the answer's body.
async fn send_all(served: &Served, head: &str, body: &[u8], end: &str) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    let mut stream = socket.connect(served.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let answer = until(&mut stream, end).await;
    // The connection is good for another request.
    let next = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(next).await.unwrap();
    assert!(
        until(&mut stream, "ok\n").await.ends_with("ok\n"),
        "{answer}"
    );
    answer
}

#[tokio::test]
async fn a_refusal_reaches_who_is_still_sending() {
    let served = start().await;
    let key = format!("x-api-key: {}\r\n", served.client.inside.key);
    let large = vec![b'x'; 32 << 20];
    let chunks = {
        let mut chunks = Vec::new();
        for part in large.chunks(1 << 20) {
            chunks.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            chunks.extend_from_slice(part);
            chunks.extend_from_slice(b"\r\n");
        }
        chunks.extend_from_slice(b"0\r\n\r\n");
        chunks
    };
    let sized = format!("content-length: {}\r\n", large.len());
    let chunked = "transfer-encoding: chunked\r\n".to_owned();
    let (tenants, upload) = ("/v2/tenants", "/v2/integrations/9/releases/upload");
    for (path, key, kind, body, status, end) in [
        (tenants, "", &sized, &large, "403 Forbidden", "}"),
        (tenants, &key, &sized, &large, "413 Payload Too Large", "}"),
        (
            tenants,
            &key,
            &chunked,
            &chunks,
            "413 Payload Too Large",
            "}",
        ),
        (upload, "", &sized, &large, "403 Forbidden", "}"),
        (upload, &key, &sized, &large, "404 Not Found", "}"),
        ("/nothing", &key, &chunked, &chunks, "404 Not Found", "}"),
    ] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\n{key}{kind}\r\n");
        let answer = send_all(&served, &head, body, end).await;
        let line = format!("HTTP/1.1 {status}\r\n");
        assert!(answer.starts_with(&line), "{path} {kind}: {answer}");
    }
}

#[tokio::test]
async fn who_never_ends_a_refused_body_is_not_waited_for() {
    let served = start().await;
    let socket = TcpSocket::new_v4().unwrap();
    let mut stream = socket.connect(served.address).await.unwrap();
    let head = b"POST /v2/tenants HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n{";
    stream.write_all(head).await.unwrap();
    let answer = until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
    // The connection ends by itself, long before a body's own time is up.
    let ended = tokio::time::timeout(Duration::from_secs(30), until(&mut stream, "never"));
    assert_eq!(ended.await.expect("it ends"), "");
}

#[tokio::test]
async fn who_waits_to_be_asked_for_a_body_is_not_asked_for_one_that_is_refused() {
    let served = start().await;
    let socket = TcpSocket::new_v4().unwrap();
    let mut stream = socket.connect(served.address).await.unwrap();
    let head = b"POST /v2/tenants HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n\
        content-length: 1000000\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let answer = until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
}
