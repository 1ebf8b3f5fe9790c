//! Certificates on both sides, against servers of the TLS library's own.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use http::Method;
use marquetry_outbound::http::IdentityError;
use marquetry_outbound::{
    AddressPolicy, HttpClient, HttpError, HttpRequest, Identity, PemError, Resolver,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

const AUTHORITY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/certificates/authority.pem"
);
const SERVER: &str = include_str!("certificates/server.pem");
const SERVER_KEY: &str = include_str!("certificates/server-key.pem");
const CLIENT: &str = include_str!("certificates/client.pem");
const CLIENT_KEY: &str = include_str!("certificates/client-key.pem");

/// Runs the test again in a child that trusts the test's authority, as an operator has it trusted.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the test starts itself again, and nothing foreign, and passes its output on"
)]
fn trusting(test: &str, body: impl Future<Output = ()>) {
    if std::env::var_os("SSL_CERT_FILE").is_some_and(|file| file == *AUTHORITY) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(body);
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("SSL_CERT_FILE", AUTHORITY)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{test} failed in its child");
    assert!(said.contains("1 passed"), "{test} is not the test's name");
}

/// A server on loopback that greets every request; with `mutual` it asks for a certificate.
fn serve(mutual: bool) -> u16 {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = if mutual {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(AUTHORITY).unwrap())
            .unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let chain = vec![CertificateDer::from_pem_slice(SERVER.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY.as_bytes()).unwrap();
    let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let stream = StreamOwned::new(connection, stream.unwrap());
            thread::spawn(move || greet(stream));
        }
    });
    port
}

/// Errors are the client's to see.
fn greet(stream: StreamOwned<ServerConnection, std::net::TcpStream>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while matches!(stream.read_line(&mut line), Ok(1..)) {
        if line == "\r\n" {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
            let _ = stream.get_mut().write_all(answer);
            let _ = stream.get_mut().flush();
        }
        line.clear();
    }
}

fn client() -> HttpClient {
    let loopback = vec!["127.0.0.1".parse().unwrap()];
    let names = HashMap::from([
        ("service.test".to_owned(), loopback.clone()),
        ("other.test".to_owned(), loopback),
    ]);
    let policy = AddressPolicy::opening(vec!["127.0.0.0/8".parse().unwrap()]);
    HttpClient::new(policy, Arc::new(Resolver::table(names))).unwrap()
}

fn get(scheme: &str, host: &str, port: u16, identity: Option<&Identity>) -> HttpRequest {
    let url = format!("{scheme}://{host}:{port}/?secret=1");
    let mut request = HttpRequest::new(Method::GET, url.parse().unwrap());
    request.identity = identity.cloned();
    request
}

#[test]
fn the_authority_of_ssl_cert_file_is_trusted() {
    trusting("the_authority_of_ssl_cert_file_is_trusted", async {
        let (client, port) = (client(), serve(false));
        for host in ["service.test", "127.0.0.1"] {
            let answer = client.send(get("https", host, port, None)).await.unwrap();
            assert_eq!(answer.body, b"hello");
        }
        let error = client.send(get("https", "other.test", port, None)).await;
        let text = error.unwrap_err().to_string();
        assert!(
            text.starts_with(&format!(
                "no TLS with other.test:{port}: invalid peer certificate: "
            )),
            "{text}"
        );
        assert!(text.ends_with("; whoever runs it has to renew or correct its certificate"));
    });
}

#[tokio::test]
async fn an_unknown_authority_is_not() {
    let port = serve(false);
    let error = client()
        .send(get("https", "service.test", port, None))
        .await;
    let error = error.unwrap_err();
    assert!(!error.is_retryable());
    assert_eq!(
        error.to_string(),
        format!(
            "no TLS with service.test:{port}: invalid peer certificate: UnknownIssuer; if its \
             authority is your own, add it to the certificates of this server's system or name \
             its file in SSL_CERT_FILE"
        )
    );
}

#[test]
fn a_client_certificate_is_shown_and_not_shared() {
    trusting("a_client_certificate_is_shown_and_not_shared", async {
        let (client, port) = (client(), serve(true));
        let identity = Identity::from_pem(CLIENT, CLIENT_KEY).unwrap();
        for _ in 0..2 {
            let request = get("https", "service.test", port, Some(&identity));
            assert_eq!(client.send(request).await.unwrap().body, b"hello");
            let request = get("https", "service.test", port, None);
            let error = client.send(request).await.unwrap_err();
            assert!(
                matches!(error, HttpError::Tls { .. } | HttpError::Protocol { .. }),
                "{error}"
            );
        }
        let request = get("http", "service.test", port, Some(&identity));
        let error = client.send(request).await.unwrap_err();
        assert!(
            matches!(error, HttpError::Identity(IdentityError::PlainHttp)),
            "{error}"
        );
    });
}

#[test]
fn what_is_no_identity_is_named() {
    let wrong = |certificate, key| Identity::from_pem(certificate, key).unwrap_err();
    assert_eq!(
        wrong(CLIENT_KEY, CLIENT_KEY),
        IdentityError::Certificate(PemError::NoCertificate)
    );
    assert_eq!(wrong(CLIENT, CLIENT), IdentityError::Key(PemError::NoKey));
    assert!(matches!(
        wrong(CLIENT, SERVER_KEY),
        IdentityError::Mismatch(_)
    ));
    let both = format!("{CLIENT}{CLIENT_KEY}");
    let identity = Identity::from_pem(&both, &both).unwrap();
    assert_eq!(format!("{identity:?}"), "Identity { .. }");
}
