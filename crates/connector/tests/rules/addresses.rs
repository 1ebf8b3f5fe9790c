//! Where a call goes.

use marquetry_connector::{CallUrlError, Definition, Template, call_url, host_entries, may_go};
use serde_json::json;

use crate::support::{values, with};

fn to(definition: &Definition, target: &str) -> Result<String, CallUrlError> {
    let values = values(&[("site", "a"), ("id", "https://evil.test/x")]);
    call_url(definition, &Template::literal(target), &values).map(String::from)
}

fn based(base: &str) -> Definition {
    let fields = json!([{"name": "site"}, {"name": "id"}]);
    with(&json!({"base_url": base, "fields": fields}))
}

#[test]
fn a_relative_address_is_below_the_base() {
    for (base, target, url) in [
        ("https://x.test", "v1", "https://x.test/v1"),
        ("https://x.test/api", "v1", "https://x.test/api/v1"),
        ("https://x.test/api/", "/v1", "https://x.test/api/v1"),
        (
            "https://x.test/api/",
            "//evil.test/v1",
            "https://x.test/api/evil.test/v1",
        ),
        ("https://x.test/api/", "", "https://x.test/api/"),
        ("https://x.test/api", "", "https://x.test/api"),
        ("https://x.test/api", "?a=b", "https://x.test/api?a=b"),
        (
            "https://x.test/api?key=1#f",
            "v1?a=b",
            "https://x.test/api/v1?a=b",
        ),
        (
            "https://x.test",
            "@evil.test/",
            "https://x.test/@evil.test/",
        ),
        ("https://x.test", ":8443/", "https://x.test/:8443/"),
        (
            "https://x.test",
            "\\\\evil.test",
            "https://x.test///evil.test",
        ),
        ("https://x.test", "v1/x:find", "https://x.test/v1/x:find"),
        (
            "https://x.test",
            "v1?u=ftp://y",
            "https://x.test/v1?u=ftp://y",
        ),
        (
            "https://x.test",
            "https:evil.test",
            "https://x.test/https:evil.test",
        ),
        ("https://{{site}}.x.test/", "{{site}}", "https://a.x.test/a"),
        (
            "https://x.test",
            "/{{id}}",
            "https://x.test/https%3A%2F%2Fevil.test%2Fx",
        ),
    ] {
        assert_eq!(to(&based(base), target).unwrap(), url, "{base} {target}");
    }
}

#[test]
fn an_absolute_address_is_one_of_the_web() {
    let x = based("https://x.test");
    assert_eq!(
        to(&x, "https://y.test/{{site}}").unwrap(),
        "https://y.test/a"
    );
    assert_eq!(to(&x, "HTTPS://Y.test").unwrap(), "https://y.test/");
    for target in [
        "ftp://x.test",
        "file:///etc/passwd",
        "https://",
        "https://a:b@x.test/",
        "http://a@x.test",
    ] {
        assert!(
            matches!(to(&x, target), Err(CallUrlError::Form(_))),
            "{target}"
        );
    }
    assert_eq!(to(&with(&json!({})), "v1"), Err(CallUrlError::NoBase));
    assert!(matches!(
        to(&x, "{{nothing}}"),
        Err(CallUrlError::Template(_))
    ));
}

#[test]
fn entries_are_the_hosts_and_the_base() {
    let fields = json!([{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}]);
    let definition = with(&json!({
        "fields": fields,
        "base_url": "{{a}}/api",
        "hosts": ["API.test", "*.x.test:8443", "{{b}}.x.test", "{{c}}", "{{d}}", "[::1]:80"],
    }));
    let entries = |a, b, c, d| {
        host_entries(
            &definition,
            &values(&[("a", a), ("b", b), ("c", c), ("d", d)]),
        )
        .join(" ")
    };
    assert_eq!(
        entries(
            "https://base.test:9000/x",
            "b",
            "c.test",
            "https://d.test/?x"
        ),
        "*.x.test:8443 [::1]:80 api.test b.x.test base.test:9000 c.test d.test"
    );
    assert_eq!(
        entries("http://base.test", "b", "c", "http://[::2]/"),
        "*.x.test:8443 [::1]:80 [::2]:80 api.test b.x.test base.test:80 c"
    );
    // What is no host gives none, rather than another.
    for hostile in [
        "https://evil.test/?",
        "*",
        "*.test",
        "evil.test/",
        "evil.test:1",
        "",
        "https://u@e.test",
    ] {
        let entries = entries(hostile, hostile, hostile, hostile);
        let left = entries.replace("*.x.test:8443 [::1]:80 api.test", "");
        assert!(
            ["", " evil.test"].contains(&left.as_str()),
            "{hostile}: {entries}"
        );
    }
}

#[test]
fn a_value_cannot_open_another_host() {
    let definition = with(&json!({
        "fields": [{"name": "site"}],
        "base_url": "https://{{site}}.x.test/",
        "hosts": ["{{site}}.y.test"],
    }));
    for site in [
        "https://evil.test/?",
        "evil.test/",
        "*",
        "evil.test#",
        "evil.test\\",
        "",
    ] {
        let entries = host_entries(&definition, &values(&[("site", site)]));
        for url in [
            "https://evil.test/",
            "https://a.y.test/",
            "https://.y.test/",
        ] {
            let Ok(url) = url::Url::parse(url) else {
                continue;
            };
            assert!(!may_go(&entries, &url), "{site} {url} {entries:?}");
        }
    }
}
