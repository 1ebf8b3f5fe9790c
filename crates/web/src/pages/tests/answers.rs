//! What stands around the pages.

use http::StatusCode;

use super::samples::all;
use crate::pages::{ASSETS, asset, page};

fn policy(framed_by: &[&str]) -> String {
    let answer = page(StatusCode::OK, String::new(), framed_by);
    let policy = &answer.headers()["content-security-policy"];
    policy.to_str().unwrap().to_owned()
}

#[test]
fn a_page_is_not_kept_not_guessed_not_framed_and_sends_no_referrer() {
    let answer = page(StatusCode::GONE, "text".to_owned(), &[]);
    let mut lines = vec![answer.status().to_string()];
    for (name, value) in answer.headers() {
        lines.push(format!("{name}: {}", value.to_str().unwrap()));
    }
    lines.sort();
    insta::assert_snapshot!(lines.join("\n"), @"
    410 Gone
    cache-control: no-store
    content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'
    content-type: text/html; charset=utf-8
    referrer-policy: no-referrer
    x-content-type-options: nosniff
    ");
}

#[test]
fn only_origins_may_frame_a_page() {
    let end = |framed_by: &[&str]| {
        let policy = policy(framed_by);
        policy.split("frame-ancestors ").nth(1).unwrap().to_owned()
    };
    let (one, two) = ("https://app.example.com", "http://localhost:8080");
    assert_eq!(end(&[one, two]), format!("{one} {two}"));
    for bad in [
        "*",
        "https:",
        "https://",
        "https://*.example.com",
        "https://a; script-src *",
        "https://a,b",
        "'self'",
        "https://a\r\nx: y",
    ] {
        assert_eq!(end(&[bad]), "'none'", "{bad}");
        assert_eq!(end(&[bad, one]), one, "{bad}");
    }
}

#[test]
fn what_the_pages_ask_for_is_there() {
    for (page, text) in all() {
        let asked: Vec<&str> = text.split(ASSETS).skip(1).collect();
        assert_eq!(asked.len(), 2, "{page}");
        for rest in asked {
            let name = rest[1..].split('"').next().unwrap();
            assert!(asset(name).is_some(), "{page}: {name}");
        }
    }
    assert!(asset("../Cargo.toml").is_none());
    let (kind, style) = asset("connect.css").unwrap();
    assert_eq!(kind, "text/css; charset=utf-8");
    let style = std::str::from_utf8(style).unwrap();
    assert!(style.lines().count() < 200);
    // The policy would refuse what it loads from elsewhere.
    assert!(!style.contains("url(") && !style.contains("@import"));
}
