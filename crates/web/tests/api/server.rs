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
