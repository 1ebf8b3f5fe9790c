//! The published test suite of AWS, and the examples in the documentation of S3.

use http::Method;

use super::*;

const SUITE: Credentials<'_> = Credentials {
    access_key_id: "AKIDEXAMPLE",
    secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    session_token: None,
};

const S3: Credentials<'_> = Credentials {
    access_key_id: "AKIAIOSFODNN7EXAMPLE",
    secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    session_token: None,
};

struct Case<'a> {
    method: Method,
    url: &'a str,
    headers: &'a [(&'static str, &'a str)],
    body: &'a [u8],
    service: &'a str,
    now: &'a str,
}

fn signed(credentials: &Credentials<'_>, case: &Case<'_>) -> HeaderMap {
    let mut own = HeaderMap::new();
    for (name, value) in case.headers {
        own.append(*name, value.parse().unwrap());
    }
    let request = Request {
        method: &case.method,
        url: &case.url.parse().unwrap(),
        headers: &own,
        body: case.body,
        region: "us-east-1",
        service: case.service,
        now: case.now.parse().unwrap(),
    };
    headers(credentials, &request).unwrap()
}

fn authorization(added: &HeaderMap) -> &str {
    added[AUTHORIZATION].to_str().unwrap()
}

fn suite(method: Method, url: &str, headers: &[(&'static str, &str)], body: &[u8]) -> HeaderMap {
    let case = Case {
        method,
        url,
        headers,
        body,
        service: "service",
        now: "2015-08-30T12:36:00Z",
    };
    signed(&SUITE, &case)
}

#[test]
fn get_vanilla() {
    let added = suite(Method::GET, "https://example.amazonaws.com/", &[], b"");
    assert_eq!(
        authorization(&added),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders=host;x-amz-date, \
         Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    );
    assert_eq!(added["x-amz-date"], "20150830T123600Z");
    assert_eq!(added.len(), 2);
}

#[test]
fn get_vanilla_query_order_key_case() {
    let url = "https://example.amazonaws.com/?Param2=value2&Param1=value1";
    let added = suite(Method::GET, url, &[], b"");
    assert!(
        authorization(&added).ends_with(
            "Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
        )
    );
}

#[test]
fn post_x_www_form_urlencoded() {
    let url = "https://example.amazonaws.com/";
    let form = [("content-type", "application/x-www-form-urlencoded")];
    // the length is never signed, whoever sets it
    let with_length = [form[0], ("content-length", "13")];
    for headers in [&form[..], &with_length] {
        let added = suite(Method::POST, url, headers, b"Param1=value1");
        assert!(authorization(&added).ends_with(
            "SignedHeaders=content-type;host;x-amz-date, \
             Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        ));
    }
}

/// `get-header-value-trim` and `get-header-value-multiline` of the suite differ in spaces only.
#[test]
fn get_header_value_trim() {
    let headers = [("my-header1", " value1 "), ("my-header2", "\"a   b   c\"")];
    let added = suite(Method::GET, "https://example.amazonaws.com/", &headers, b"");
    assert!(
        authorization(&added).ends_with(
            "Signature=acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"
        )
    );
}

#[test]
fn the_objects_of_s3() {
    let get = Case {
        method: Method::GET,
        url: "https://examplebucket.s3.amazonaws.com/test.txt",
        headers: &[("range", "bytes=0-9")],
        body: b"",
        service: "s3",
        now: "2013-05-24T00:00:00Z",
    };
    let added = signed(&S3, &get);
    assert!(authorization(&added).ends_with(
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
         Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    ));
    assert_eq!(
        added["x-amz-content-sha256"],
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    let put = Case {
        method: Method::PUT,
        url: "https://examplebucket.s3.amazonaws.com/test$file.text",
        headers: &[
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ],
        body: b"Welcome to Amazon S3.",
        ..get
    };
    assert!(
        authorization(&signed(&S3, &put)).ends_with(
            "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        )
    );
}

#[test]
fn a_temporary_key_brings_its_token() {
    let credentials = Credentials {
        session_token: Some("token"),
        ..SUITE
    };
    let case = Case {
        method: Method::GET,
        url: "https://sts.amazonaws.com:8443/",
        // a header of the caller's that is replaced
        headers: &[("x-amz-date", "20000101T000000Z")],
        body: b"",
        service: "sts",
        now: "2015-08-30T12:36:00Z",
    };
    let added = signed(&credentials, &case);
    assert_eq!(added["x-amz-security-token"], "token");
    assert!(added["x-amz-security-token"].is_sensitive());
    assert!(authorization(&added).contains("SignedHeaders=host;x-amz-date;x-amz-security-token,"));
    assert_eq!(added["x-amz-date"], "20150830T123600Z");
}
