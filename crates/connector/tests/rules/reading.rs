//! Definitions come over the API: whatever comes, what is wrong is told with its place.

use marquetry_connector::read;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Place and message of the first fault.
fn fault(text: &[u8]) -> (String, String) {
    let faults = read(text).err().unwrap();
    (faults[0].place.join("."), faults[0].message.clone())
}

fn with(at: &str, value: Value) -> Vec<u8> {
    let mut whole = crate::support::full()[0].clone();
    *whole.pointer_mut(at).unwrap() = value;
    whole.to_string().into_bytes()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_fault_is_told_with_its_place() {
    for (at, value, place) in [
        ("/name", json!("Not A Name"), "name"),
        ("/title", json!(" "), "title"),
        ("/fields/1/type", json!("choice"), "fields.1.type"),
        ("/fields/1/options", json!([]), "fields.1.options"),
        ("/fields/1/name", json!("base"), "fields.1.name"),
        ("/fields/0", json!([]), "fields.0"),
        ("/fields/0/pattern", json!("("), "fields.0.pattern"),
        ("/fields/0/pattern", json!("a)|(?:b"), "fields.0.pattern"),
        (
            "/fields/0/pattern",
            json!("\\w{1000}{100}"),
            "fields.0.pattern",
        ),
        (
            "/fields/0/pattern",
            json!("a".repeat(501)),
            "fields.0.pattern",
        ),
        ("/fields", json!(vec![json!({"name": "a"}); 65]), "fields"),
        ("/auth", json!([]), "auth"),
        ("/auth", json!({}), "auth.kind"),
        ("/auth/kind", json!("magic"), "auth.kind"),
        ("/auth/kind", json!(7), "auth.kind"),
        ("/auth/pkce", json!("yes"), "auth.pkce"),
        ("/auth/grant", json!({"password": null}), "auth.grant"),
        ("/auth/lifetime_s", json!(-1), "auth.lifetime_s"),
        ("/auth/token", json!([]), "auth.token"),
        (
            "/auth/token/values/team_id",
            json!("team.id"),
            "auth.token.values.team_id",
        ),
        (
            "/auth/token/values/team_id",
            json!("/a/refresh_token"),
            "auth.token.values.team_id",
        ),
        ("/auth/choice/title", json!("name"), "auth.choice.title"),
        (
            "/auth/discover/0/values",
            json!({"A": "/a"}),
            "auth.discover.0.values.A",
        ),
        (
            "/auth/discover/0/request/url",
            json!("https://a@x.test"),
            "auth.discover.0.request.url",
        ),
        ("/auth/token_url", json!("x.test/token"), "auth.token_url"),
        (
            "/auth/token_url",
            json!("{{host}}.x.test/token"),
            "auth.token_url",
        ),
        (
            "/auth/token_url",
            json!("https:///{{host}}/token"),
            "auth.token_url",
        ),
        (
            "/auth/token_url",
            json!("https://{{key}}@x.test/"),
            "auth.token_url",
        ),
        (
            "/auth/token_url",
            json!("https://x.test/\n"),
            "auth.token_url",
        ),
        ("/auth/authorize_url", json!(null), "auth.authorize_url"),
        (
            "/auth/revoke/headers",
            json!({"a b": "x"}),
            "auth.revoke.headers",
        ),
        (
            "/auth/token_headers",
            json!({"a b": "x"}),
            "auth.token_headers",
        ),
        ("/auth/inject/0/name", json!(""), "auth.inject.0.name"),
        ("/base_url", json!("ftp://x.test"), "base_url"),
        ("/base_url", json!("https://{{no}}"), "base_url"),
        ("/hosts/0", json!("https://x.test"), "hosts.0"),
        ("/hosts/0", json!("x.test:99999"), "hosts.0"),
        ("/hosts/0", json!("*"), "hosts.0"),
        ("/hosts/1", json!("{{host}}/x"), "hosts.1"),
        ("/check/method", json!("GET X"), "check.method"),
        ("/check/url", json!("{{key"), "check.url"),
        ("/check/expect", json!([]), "check.expect"),
        (
            "/check/expect/status/0",
            json!(70_000),
            "check.expect.status.0",
        ),
        (
            "/webhook/signature/encoding",
            json!("base32"),
            "webhook.signature.encoding",
        ),
        (
            "/webhook/subscription/values/hook_id",
            json!("id"),
            "webhook.subscription.values.hook_id",
        ),
        ("/secrets", json!({"x": "{{refresh_token}}"}), "secrets.x"),
        (
            "/secrets",
            json!({"refresh_token": "x"}),
            "secrets.refresh_token",
        ),
        ("/secrets", json!({"X": "x"}), "secrets.X"),
        ("/setup", json!(null), "setup"),
    ] {
        let text = with(at, value.clone());
        assert!(read(&text).is_err(), "{at} {value}");
        assert_eq!(fault(&text).0, place, "{at} {value}: {:?}", fault(&text));
    }
    let unknown = with("/webhook/route", json!({"value": "host", "no such": 1}));
    assert!(
        fault(&unknown).0.starts_with("webhook.route"),
        "{:?}",
        fault(&unknown)
    );
    assert_eq!(
        fault(br#"{"name": "x", "title": "X"}"#).1,
        "missing field `auth`"
    );
}

#[test]
fn all_faults_are_told_at_once() {
    let text = br#"{"name": "X", "title": "", "auth": {"kind": "fields"}, "base_url": "{{a}}", "hosts": ["/"]}"#;
    assert_eq!(read(text).err().unwrap().len(), 4);
}

#[test]
fn names_stand_once() {
    let (place, message) = fault(br#"{"name": "x", "title": "X", "name": "y"}"#);
    assert_eq!(
        (
            place.as_str(),
            message.contains("\"name\" stands there twice")
        ),
        ("", true)
    );
    let (place, message) = fault(br#"{"fields": [{"name": "a"}, {"help": "1", "help": "2"}]}"#);
    assert_eq!(
        (place.as_str(), message.contains("\"help\"")),
        ("fields.1", true),
        "{message}"
    );
}

#[test]
fn hostile_texts_are_refused() {
    for text in [
        &b""[..],
        b"null",
        b"[]",
        b"7",
        b"\"x\"",
        b"{",
        b"{}",
        b"{}}",
        b"\xff",
        b"{\"name\": \"\xff\"}",
    ] {
        assert!(read(text).is_err(), "{}", String::from_utf8_lossy(text));
    }
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = open.repeat(20_000) + "1" + &close.repeat(20_000);
        assert!(fault(deep.as_bytes()).1.contains("recursion"), "{open}");
    }
    let huge = format!("{{\"name\": \"{}\"}}", "x".repeat(256 << 10));
    assert!(fault(huge.as_bytes()).1.contains("256 KiB"));
    let wide = format!("[{}1]", "1,".repeat(100_000));
    assert!(read(wide.as_bytes()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_too_wrong(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..8_usize), 1..6),
    ) {
        let mut text = which.get(&crate::support::full()).to_string().into_bytes();
        for (place, byte, cut) in changes {
            let at = place.index(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, [byte]);
        }
        if let Err(faults) = read(&text) {
            prop_assert!(!faults.is_empty());
        }
    }

    #[test]
    fn no_bytes_are_too_wrong(text in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&text).is_err());
    }
}
