//! What token endpoints answer, most of it off the standard.

use marquetry_connector::{TokenAnswer, TokenError, TokenFault, Tokens, read_answer, read_refusal};
use proptest::prelude::*;
use serde_json::{Value, json};

const JSON: Option<&str> = Some("application/json; charset=utf-8");
const FORM: Option<&str> = Some("Application/X-WWW-Form-Urlencoded");

fn rules(json: Value) -> TokenAnswer {
    serde_json::from_value(json).unwrap()
}

fn plain(content_type: Option<&str>, body: &[u8]) -> Result<Tokens, TokenFault> {
    read_answer(&TokenAnswer::default(), content_type, body)
}

fn lifetime(expires_in: &str) -> Option<i64> {
    let body = format!(r#"{{"access_token": "t", "expires_in": {expires_in}}}"#);
    plain(JSON, body.as_bytes()).unwrap().lifetime_s
}

#[test]
fn a_lifetime_is_a_number_in_any_form() {
    for (text, seconds) in [
        ("3600", Some(3600)),
        ("\"3600\"", Some(3600)),
        ("\" 3600 \"", Some(3600)),
        ("3599.9", Some(3599)),
        ("\"3599.9\"", Some(3599)),
        ("3.6e3", Some(3600)),
        ("0", Some(0)),
        ("-1", None),
        ("\"-1\"", None),
        ("1e300", None),
        ("1.5e300", None),
        ("99999999999999999999999999", None),
        ("9223372036854775807", None),
        ("\"soon\"", None),
        ("\"NaN\"", None),
        ("\"inf\"", None),
        ("\"\"", None),
        ("null", None),
        ("true", None),
        ("[3600]", None),
        ("{}", None),
    ] {
        assert_eq!(lifetime(text), seconds, "{text}");
    }
    assert_eq!(
        plain(JSON, br#"{"access_token": "t"}"#).unwrap().lifetime_s,
        None
    );
}

#[test]
fn an_answer_may_be_a_form() {
    let body = b"access_token=a%2Bb&expires_in=60&scope=x+y&scope=z";
    for content_type in [
        FORM,
        Some("text/plain;charset=UTF-8"),
        Some("application/x-www-form-urlencoded"),
    ] {
        let tokens = plain(content_type, body).unwrap();
        assert_eq!(tokens.values["access_token"], "a+b");
        assert_eq!(
            (tokens.values["scope"].as_str(), tokens.lifetime_s),
            ("z", Some(60))
        );
    }
    assert!(plain(JSON, body).is_err());
    assert!(plain(None, body).is_err());
    // JSON is taken for what it is, whatever it is called, with a byte order mark or without.
    for body in [
        "{\"access_token\": \"t\"}",
        "\u{feff}{\"access_token\": \"t\"}",
    ] {
        for content_type in [FORM, None, Some("text/html")] {
            assert_eq!(
                plain(content_type, body.as_bytes()).unwrap().values["access_token"],
                "t"
            );
        }
    }
}

#[test]
fn values_come_from_where_the_definition_says() {
    let rules = rules(json!({"values": {
        "access_token": "/data/tokens/0/value", "refresh_token": "/data/refreshToken", "team_id": "/team/id",
        "flag": "/flag", "none": "/no/such", "list": "/data/tokens"
    }}));
    let body = json!({
        "data": {"tokens": [{"value": "t"}], "refreshToken": "r"}, "team": {"id": 7}, "flag": true,
        "Scope": "a b", "not a name": "x", "null": null
    });
    let tokens = read_answer(&rules, JSON, body.to_string().as_bytes()).unwrap();
    let values: Vec<(&str, &str)> = tokens
        .values
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        values,
        [
            ("access_token", "t"),
            ("flag", "true"),
            ("refresh_token", "r"),
            ("scope", "a b"),
            ("team_id", "7")
        ]
    );
}

#[test]
fn some_say_with_status_200_that_it_failed() {
    let slack = rules(json!({"error": {"at": "/ok", "equals": false, "message": "/error"}}));
    let fails = |rules: &TokenAnswer, body: Value| {
        let fault = read_answer(rules, JSON, body.to_string().as_bytes())
            .err()
            .unwrap();
        (fault.error, fault.message)
    };
    assert_eq!(
        fails(&slack, json!({"ok": false, "error": "invalid_code"})),
        (TokenError::Grant, "invalid_code".to_owned())
    );
    assert_eq!(
        fails(&slack, json!({"ok": false, "access_token": "t"})),
        (TokenError::Other, "failed".to_owned())
    );
    assert_eq!(
        fails(&slack, json!({"ok": false, "error": "ratelimited"})).0,
        TokenError::Later
    );
    assert!(read_answer(&slack, JSON, br#"{"ok": true, "access_token": "t"}"#).is_ok());
    let github =
        json!({"error": "bad_verification_code", "error_description": "The code\nis old."});
    assert_eq!(
        fails(&TokenAnswer::default(), github),
        (
            TokenError::Grant,
            "bad_verification_code: The code is old.".to_owned()
        )
    );
    let form = plain(FORM, b"error=incorrect_client_credentials")
        .err()
        .unwrap();
    assert_eq!(form.error, TokenError::Client);
    let any = rules(json!({"error": {"at": "/error"}}));
    assert!(read_answer(&any, JSON, br#"{"error": null, "access_token": "t"}"#).is_ok());
    assert!(read_answer(&any, JSON, br#"{"error": "x", "access_token": "t"}"#).is_err());
}

#[test]
fn what_has_no_token_is_a_fault() {
    let html = b"<!DOCTYPE html><html><body>access_token=1</body></html>";
    for (content_type, body) in [
        (Some("text/html"), &html[..]),
        (Some("text/plain"), html),
        (JSON, b""),
        (FORM, b""),
        (JSON, b"[]"),
        (JSON, br#"[{"access_token": "t"}]"#),
        (JSON, b"\"access_token\""),
        (JSON, b"null"),
        (JSON, b"{}"),
        (JSON, br#"{"access_token": ""}"#),
        (JSON, br#"{"access_token": null}"#),
        (JSON, br#"{"access_token": {"a": "b"}}"#),
        (JSON, br#"{"access_token": "t""#),
        (JSON, b"{\"access_token\": \"\xff\"}"),
    ] {
        let fault = plain(content_type, body).err().unwrap();
        assert_eq!(
            fault.error,
            TokenError::Other,
            "{}",
            String::from_utf8_lossy(body)
        );
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(plain(JSON, deep.as_bytes()).is_err());
}

#[test]
fn a_giant_answer_keeps_what_is_needed() {
    let mut body = json!({});
    for n in 0..10_000 {
        body[format!("field{n}")] = json!("x");
    }
    body["note"] = json!("x".repeat(1 << 20));
    body["access_token"] = json!("t");
    body["refresh_token"] = json!("r");
    body["expires_in"] = json!(60);
    let tokens = plain(JSON, body.to_string().as_bytes()).unwrap();
    assert_eq!(
        (tokens.values["refresh_token"].as_str(), tokens.lifetime_s),
        ("r", Some(60))
    );
    assert!(tokens.values.len() <= 64, "{}", tokens.values.len());
    assert!(tokens.values.values().all(|value| value.len() <= 64 << 10));
    let body = json!({"access_token": "t".repeat(1 << 20)});
    assert!(plain(JSON, body.to_string().as_bytes()).is_err());
}

#[test]
fn a_refusal_is_told_by_its_word_then_by_its_status() {
    for (status, body, error) in [
        (400, r#"{"error": "invalid_grant"}"#, TokenError::Grant),
        (401, r#"{"error": "invalid_client"}"#, TokenError::Client),
        (
            400,
            r#"{"error": "authorization_pending"}"#,
            TokenError::Pending,
        ),
        (400, r#"{"error": "slow_down"}"#, TokenError::SlowDown),
        (400, r#"{"error": "invalid_scope"}"#, TokenError::Other),
        (
            400,
            r#"{"error": "temporarily_unavailable"}"#,
            TokenError::Later,
        ),
        (400, "", TokenError::Grant),
        (401, "<html>", TokenError::Grant),
        (403, "{}", TokenError::Grant),
        (404, "{}", TokenError::Other),
        (302, "", TokenError::Other),
        (408, "", TokenError::Later),
        (425, "", TokenError::Later),
        (429, r#"{"error": "invalid_grant"}"#, TokenError::Later),
        (500, r#"{"error": "invalid_grant"}"#, TokenError::Later),
        (503, "", TokenError::Later),
        (
            400,
            r#"{"error": {"message": "Bad code", "code": 100}}"#,
            TokenError::Grant,
        ),
    ] {
        let fault = read_refusal(status, JSON, body.as_bytes());
        assert_eq!(fault.error, error, "{status} {body}");
    }
    let fault = read_refusal(400, JSON, br#"{"error": {"message": "Bad code"}}"#);
    assert_eq!(fault.message, "the token endpoint answered 400: Bad code");
    let fault = read_refusal(400, FORM, b"error=invalid_grant&error_description=Old+code");
    assert_eq!(fault.message, "invalid_grant: Old code");
    let long = json!({"error": "x\u{7}".repeat(5000), "error_description": "y"}).to_string();
    let fault = read_refusal(400, JSON, long.as_bytes());
    assert_eq!(fault.message.chars().count(), 300);
    assert!(!fault.message.contains(char::is_control));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_answer_is_too_wrong(
        status in 100_u16..600,
        kind in prop::sample::select(&[JSON, FORM, None][..]),
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            "[\\[\\]{}\":,a-z0-9&=%e.+-]{0,64}".prop_map(String::into_bytes),
        ],
    ) {
        let _ = read_refusal(status, kind, &body);
        if let Ok(tokens) = plain(kind, &body) {
            prop_assert!(!tokens.values["access_token"].is_empty());
        }
    }
}
