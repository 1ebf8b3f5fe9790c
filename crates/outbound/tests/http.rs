//! The client for the platform's own requests, against servers that listen.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderValue, Method};
use marquetry_outbound::http::UrlReason;
use marquetry_outbound::{
    AddressKind, AddressPolicy, HostList, HttpClient, HttpError, HttpRequest, Resolver,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const PUBLIC: &str = "93.184.216.34";

/// A server that gives every request the same answer, and what it heard.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    heard: Arc<Mutex<String>>,
}

impl Server {
    async fn answering(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            heard: Arc::default(),
        };
        let (connections, heard) = (Arc::clone(&server.connections), Arc::clone(&server.heard));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, answer, Arc::clone(&heard)));
            }
        });
        server
    }

    fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/token?secret=1", self.address.port())
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }
}

/// Answers as often as the client asks; the tests' requests fit into one read.
async fn serve(mut stream: TcpStream, answer: &str, heard: Arc<Mutex<String>>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let text = String::from_utf8_lossy(&buffer[..length]).to_lowercase();
        heard.lock().unwrap().push_str(&text);
        if answer.is_empty() {
            continue;
        }
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        if !answer.contains("content-length") {
            return;
        }
    }
}

/// A client for which some names exist, and for which `opened` is opened.
fn client(opened: &[&str]) -> HttpClient {
    let names = [
        ("local.test", vec!["127.0.0.1"]),
        ("public.test", vec![PUBLIC]),
        ("mixed.test", vec![PUBLIC, "127.0.0.1"]),
        ("metadata.test", vec!["169.254.169.254"]),
        ("mapped.test", vec!["::ffff:127.0.0.1"]),
    ];
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let names: HashMap<_, _> = names
        .into_iter()
        .map(|(name, texts)| (name.to_owned(), texts.into_iter().map(address).collect()))
        .collect();
    let opened = opened.iter().map(|network| network.parse().unwrap());
    let policy = AddressPolicy::opening(opened.collect());
    HttpClient::new(policy, Arc::new(Resolver::table(names))).unwrap()
}

fn get(url: &str) -> HttpRequest {
    HttpRequest::new(Method::GET, url.parse().unwrap())
}

async fn refusal(client: &HttpClient, url: &str) -> HttpError {
    let error = client.send(get(url)).await.expect_err(url);
    let text = error.to_string();
    assert!(!text.contains("secret"), "{text}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    error
}

const EVERY_LOOPBACK: [&str; 9] = [
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "0177.0.0.1",
    "2130706433",
    "127.0.0.1.",
    "%31%32%37.0.0.1",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
];

#[tokio::test]
async fn every_spelling_of_loopback_is_refused() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let client = client(&[]);
    for host in EVERY_LOOPBACK
        .into_iter()
        .chain(["local.test", "mapped.test", "LOCAL.test."])
    {
        for url in [
            server.url(host),
            server.url(host).replace("http:", "https:"),
        ] {
            let error = refusal(&client, &url).await;
            let HttpError::Refused { refused, .. } = error else {
                panic!("{url}: {error}");
            };
            assert_eq!(refused.why, AddressKind::Loopback, "{url}");
        }
    }
    assert_eq!(server.connections(), 0);
    assert_eq!(
        refusal(&client, "https://metadata.test/").await.to_string(),
        "no connection to metadata.test: 169.254.169.254 is refused: cloud metadata address; \
         the operator opens it with --outbound-allow"
    );
}

#[tokio::test]
async fn what_is_opened_is_reached_and_one_connection_serves_many() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx: y\r\n\r\nok").await;
    let client = client(&["127.0.0.0/8"]);
    for host in EVERY_LOOPBACK.into_iter().chain(["local.test"]) {
        let answer = client.send(get(&server.url(host))).await.unwrap();
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, &b"ok"[..]));
        assert_eq!(answer.headers["x"], "y");
    }
    let before = server.connections();
    client.send(get(&server.url("local.test"))).await.unwrap();
    assert_eq!(server.connections(), before);
}

#[tokio::test]
async fn one_refused_address_refuses_the_name() {
    let error = refusal(&client(&[]), "https://mixed.test/").await;
    assert!(matches!(error, HttpError::Refused { .. }), "{error}");
    assert!(!error.is_retryable());
    // all are let through here, and one of them is public
    let error = refusal(&client(&["127.0.0.0/8"]), "http://mixed.test/").await;
    assert!(matches!(error, HttpError::PlainHttp { .. }), "{error}");
}

#[tokio::test]
async fn plain_http_never_goes_to_the_internet() {
    for opened in [&["127.0.0.0/8"][..], &["0.0.0.0/0", "::/0"]] {
        let client = client(opened);
        for host in ["public.test", PUBLIC, "[64:ff9b::8.8.8.8]"] {
            let error = refusal(&client, &format!("http://{host}/?secret=1")).await;
            assert!(
                matches!(error, HttpError::PlainHttp { .. }),
                "{host}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn the_request_is_what_was_asked_for_and_no_more() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let mut request = get(&server.url("local.test"));
    request.method = Method::POST;
    request.body = b"grant_type=x".to_vec();
    for (name, value) in [
        ("authorization", "Bearer 1"),
        ("host", "evil.test"),
        ("content-length", "1"),
        ("transfer-encoding", "chunked"),
    ] {
        request
            .headers
            .insert(name, HeaderValue::from_static(value));
    }
    assert_eq!(
        format!("{request:?}"),
        "HttpRequest { method: POST, host: Some(\"local.test\"), .. }"
    );
    client(&["127.0.0.0/8"]).send(request).await.unwrap();
    let heard = server.heard();
    let mut lines: Vec<&str> = heard.lines().collect();
    assert_eq!(lines.remove(0), "post /token?secret=1 http/1.1");
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "",
            "accept: */*",
            "authorization: bearer 1",
            "content-length: 12",
            "grant_type=x",
            &format!("host: local.test:{}", server.address.port()),
            concat!("user-agent: marquetry/", env!("CARGO_PKG_VERSION")),
        ]
    );
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let server = Server::answering(
        "HTTP/1.1 302 Found\r\nlocation: /other\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    let client = client(&["127.0.0.0/8"]);
    for _ in 0..2 {
        let answer = client.send(get(&server.url("local.test"))).await.unwrap();
        assert_eq!(answer.status.as_u16(), 302);
        assert_eq!(answer.headers["location"], "/other");
    }
    let heard = server.heard();
    assert_eq!(heard.matches("get /").count(), 2, "{heard}");
    assert!(!heard.contains("cookie"), "{heard}");
    assert!(!heard.contains("referer"), "{heard}");
}

#[tokio::test]
async fn only_the_named_hosts_get_it() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let client = client(&["127.0.0.0/8"]);
    let hosts = HostList::parse(["api.example.com", "*.example.net"]).unwrap();
    for host in ["local.test", "127.1"] {
        let mut request = get(&server.url(host));
        request.hosts = Some(hosts.clone());
        let error = client.send(request).await.unwrap_err();
        assert!(matches!(error, HttpError::Host { .. }), "{error}");
    }
    assert_eq!(server.connections(), 0);
    let hosts = HostList::parse(["LOCAL.test", "127.0.0.1"]).unwrap();
    for host in ["local.test", "local.test.", "127.1"] {
        let mut request = get(&server.url(host));
        request.hosts = Some(hosts.clone());
        // with a dot at the end the table of the test has it as well
        client.send(request).await.expect(host);
    }
}

#[tokio::test]
async fn an_answer_over_the_bound_is_cut_off() {
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345";
    let unknown = "HTTP/1.1 200 OK\r\n\r\n12345";
    let client = client(&["127.0.0.0/8"]);
    for answer in [announced, unknown] {
        let server = Server::answering(answer).await;
        let mut request = get(&server.url("local.test"));
        request.most_bytes = 5;
        assert_eq!(client.send(request).await.unwrap().body, b"12345");
        let mut request = get(&server.url("local.test"));
        request.most_bytes = 4;
        let error = client.send(request).await.unwrap_err();
        assert!(
            matches!(error, HttpError::TooLarge { most: 4, .. }),
            "{error}"
        );
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn silence_is_a_timeout_in_every_phase() {
    let client = client(&["127.0.0.0/8"]);
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n123"] {
        let server = Server::answering(answer).await;
        let mut request = get(&server.url("local.test"));
        request.timeout = Duration::from_millis(200);
        let error = client.send(request).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "local.test:{} did not answer within 200ms",
                server.address.port()
            )
        );
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn failures_of_the_other_side_are_told_apart() {
    let client = client(&["127.0.0.0/8"]);
    let server = Server::answering("SSH-2.0-OpenSSH_9.9\r\n").await;
    let error = refusal(&client, &server.url("local.test")).await;
    assert!(matches!(error, HttpError::Protocol { .. }), "{error}");
    let error = refusal(
        &client,
        &server.url("local.test").replace("http:", "https:"),
    )
    .await;
    assert!(matches!(error, HttpError::Tls { .. }), "{error}");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let error = refusal(&client, &format!("http://local.test:{port}/?secret")).await;
    assert_eq!(
        error.to_string(),
        format!(
            "no connection to local.test:{port}: connection refused; see its port, and whether \
             this server may reach it without a proxy"
        )
    );
    assert!(error.is_retryable());
    let error = refusal(&client, "https://unknown.test/?secret").await;
    assert_eq!(
        error.to_string(),
        "no connection to unknown.test: the name does not exist"
    );
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_named() {
    let client = client(&["127.0.0.0/8"]);
    for (url, expected) in [
        ("ftp://local.test/secret", UrlReason::Scheme),
        ("file:///secret", UrlReason::Scheme),
        ("https://secret@local.test/", UrlReason::UserInfo),
        ("https://:secret@local.test/", UrlReason::UserInfo),
        ("https://a!b.test/?secret", UrlReason::HostName),
    ] {
        let error = refusal(&client, url).await;
        let HttpError::Url(reason) = error else {
            panic!("{url}: {error}");
        };
        assert_eq!(reason, expected, "{url}");
    }
}
