//! Blobs in an S3-compatible bucket. Needs a server: `tests/moto.sh` starts one, and its URL goes
//! into `MARQUETRY_TEST_S3`.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot prepare itself has failed"
)]

mod contract;

use std::io::{Read, Write};
use std::net::TcpStream;

use marquetry_blobs::{Blobs, S3Settings};

/// The server's URL, or `None` with a word about it.
fn endpoint() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the way for ./test to hand in the server"
    )]
    let endpoint = std::env::var("MARQUETRY_TEST_S3").ok();
    if endpoint.is_none() {
        #[expect(clippy::print_stderr, reason = "a test that did not run must say so")]
        {
            eprintln!(
                "skipped: MARQUETRY_TEST_S3 is not set to the URL of an S3-compatible server"
            );
        }
    }
    endpoint
}

fn settings(endpoint: &str) -> S3Settings {
    S3Settings {
        endpoint: Some(endpoint.to_owned()),
        region: Some("us-east-1".to_owned()),
        access_key: Some("test".to_owned()),
        secret: Some("test".to_owned()),
        allow_http: true,
        ..S3Settings::default()
    }
}

/// Makes the bucket with a bare request: the library that is under test cannot.
fn make_bucket(endpoint: &str, bucket: &str) {
    let host = endpoint
        .strip_prefix("http://")
        .unwrap()
        .trim_end_matches('/');
    let mut connection = TcpStream::connect(host).unwrap();
    let request = format!(
        "PUT /{bucket} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/s3/aws4_request, \
         SignedHeaders=host, Signature=0\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A bucket name that no earlier run against the same server has used.
fn bucket(of: &str) -> String {
    let unique = tempfile::tempdir().unwrap();
    let unique = unique
        .path()
        .file_name()
        .unwrap()
        .to_string_lossy()
        .to_lowercase();
    format!("{of}{}", unique.replace('.', "-"))
}

#[tokio::test]
async fn a_bucket_keeps_the_contract() {
    let Some(endpoint) = endpoint() else { return };
    let bucket = bucket("contract");
    make_bucket(&endpoint, &bucket);
    let scratch = tempfile::tempdir().unwrap();
    let location = format!("s3://{bucket}/some/prefix");
    let blobs = Blobs::open(&location, &settings(&endpoint)).unwrap();
    contract::all(&blobs, scratch.path()).await;

    // Another prefix of the same bucket is another store.
    let other = Blobs::open(&format!("s3://{bucket}"), &settings(&endpoint)).unwrap();
    contract::all(&other, scratch.path()).await;
}

#[tokio::test]
async fn a_missing_bucket_fails_the_check() {
    let Some(endpoint) = endpoint() else { return };
    let location = format!("s3://{}", bucket("missing"));
    let blobs = Blobs::open(&location, &settings(&endpoint)).unwrap();
    let text = blobs.check().await.unwrap_err().to_string();
    assert_eq!(text, "blob store could not write a test object");
}
