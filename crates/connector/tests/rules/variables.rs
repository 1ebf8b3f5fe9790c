//! The names under which code finds what a connection gives.

use marquetry_connector::{Definition, is_secret, secret_variables, variable_names};
use serde_json::{Value, json};

use crate::support::{definition, values, with};

fn named(name: &str, auth: &Value, provisioning: &[&str], fields: &[&str]) -> Definition {
    let all = |names: &[&str]| -> Value { names.iter().map(|it| json!({"name": it})).collect() };
    definition(&json!({
        "name": name, "title": "X", "auth": auth, "provisioning": all(provisioning), "fields": all(fields),
    }))
}

fn oauth2() -> Value {
    json!({
        "kind": "oauth2", "authorize_url": "https://x.test/a", "token_url": "https://x.test/t",
        "token": {"values": {"tenant_url": "/tenant/url"}},
    })
}

fn names(definition: &Definition, pairs: &[(&str, &str)]) -> Vec<String> {
    let given = secret_variables(definition, &values(pairs)).into_iter();
    given.map(|(name, _)| name).collect()
}

#[test]
fn names_are_those_that_existing_code_reads() {
    let key = json!({"kind": "api_key"});
    let one = |name: &str, value: &str| {
        let definition = named(name, &key, &[], &[value]);
        names(&definition, &[(value, "v")]).join(" ")
    };
    assert_eq!(one("apollo.io", "api_key"), "PAN_SEC_APOLLO_IO_API_KEY");
    assert_eq!(one("gladly", "user_name"), "PAN_SEC_GLADLY_USER_NAME");
    assert_eq!(one("aws", "access_key_id"), "PAN_SEC_AWS_ACCESS_KEY_ID");
    assert_eq!(
        one("aws", "secret_access_key"),
        "PAN_SEC_AWS_SECRET_ACCESS_KEY"
    );
    assert_eq!(
        one("hubspot-basic", "api_key"),
        "PAN_SEC_HUBSPOT-BASIC_API_KEY PAN_SEC_HUBSPOT_BASIC_API_KEY"
    );
    assert_eq!(
        one("apollo-io", "api_key"),
        "PAN_SEC_APOLLO-IO_API_KEY PAN_SEC_APOLLO_IO_API_KEY"
    );
    // A hyphen beside a dot has no older form, and each run of others is one `_`.
    assert_eq!(one("a-b.c", "api_key"), "PAN_SEC_A_B_C_API_KEY");
    assert_eq!(one("a.-_b", "api_key"), "PAN_SEC_A_B_API_KEY");
    let slack = named("slack-oauth", &oauth2(), &[], &[]);
    assert!(variable_names(&slack).contains(&"PAN_SEC_SLACK_OAUTH_ACCESS_TOKEN".to_owned()));
}

#[test]
fn an_answer_s_own_fields_are_given() {
    let xero = named(
        "xero",
        &oauth2(),
        &["client_id", "client_secret", "webhook_key"],
        &[],
    );
    let expected = variable_names(&xero);
    for name in [
        "ACCESS_TOKEN",
        "SCOPE",
        "EXPIRES_IN",
        "CLIENT_ID",
        "CLIENT_SECRET",
        "TENANT_URL",
        "WEBHOOK_KEY",
    ] {
        assert!(
            expected.contains(&format!("PAN_SEC_XERO_{name}")),
            "{name} of {expected:?}"
        );
    }
    let entra = named("microsoft-entra", &oauth2(), &[], &["tenant_id"]);
    let answer = [
        ("token_type", "Bearer"),
        ("expires_at", "1"),
        ("expires_in", "60"),
        ("ext_expires_in", "60"),
        ("access_token", "t"),
        ("tenant_id", "i"),
        ("refresh_token", "r"),
        ("id_token", "i"),
        ("scope", ""),
    ];
    let ours: Vec<String> = names(&entra, &answer);
    let ours: Vec<&str> = ours
        .iter()
        .filter_map(|it| it.strip_prefix("PAN_SEC_MICROSOFT_ENTRA_"))
        .collect();
    assert_eq!(
        ours,
        [
            "ACCESS_TOKEN",
            "EXPIRES_AT",
            "EXPIRES_IN",
            "EXT_EXPIRES_IN",
            "TENANT_ID",
            "TOKEN_TYPE"
        ]
    );
}

#[test]
fn a_refresh_token_is_never_given() {
    let all = [
        ("access_token", "t"),
        ("refresh_token", "r"),
        ("id_token", "i"),
        ("refreshtoken", "r"),
        ("idtoken", "i"),
        ("refresh__token", "r"),
    ];
    let x = named("x", &oauth2(), &[], &[]);
    assert_eq!(names(&x, &all), ["PAN_SEC_X_ACCESS_TOKEN"]);
    let names = variable_names(&x);
    assert!(
        !names
            .iter()
            .any(|it| it.contains("REFRESH") || it.contains("ID_TOKEN")),
        "{names:?}"
    );
    // Nor by a definition that was not judged, as one that an older version stored.
    let mut stored = x.clone();
    let smuggle =
        json!({"mine": "{{refresh_token}}", "refresh_token": "r", "both": "{{access_token}}"});
    stored.secrets = serde_json::from_value(smuggle).unwrap();
    let given: Vec<String> = secret_variables(&stored, &values(&all))
        .into_iter()
        .map(|(it, _)| it)
        .collect();
    assert_eq!(given, ["PAN_SEC_X_ACCESS_TOKEN", "PAN_SEC_X_BOTH"]);
    assert!(!variable_names(&stored).contains(&"PAN_SEC_X_MINE".to_owned()));
}

#[test]
fn values_are_given_as_they_can_arrive() {
    let definition = with(&json!({
        "fields": [{"name": "a"}, {"name": "a_b"}, {"name": "a__b"}, {"name": "c"}],
        "secrets": {"made": "{{a}}:{{c}}", "missing": "{{a_b}}"},
        "hidden": ["c"],
    }));
    let given = secret_variables(
        &definition,
        &values(&[("a", "x\0y\nz"), ("a__b", "1"), ("c", "2")]),
    );
    let given: Vec<(&str, &str)> = given
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    assert_eq!(
        given,
        [
            ("PAN_SEC_X_A", "xy\nz"),
            ("PAN_SEC_X_A_B", "1"),
            ("PAN_SEC_X_MADE", "xy\nz:2")
        ]
    );
    assert_eq!(
        variable_names(&definition),
        [
            "PAN_SEC_X_A",
            "PAN_SEC_X_A_B",
            "PAN_SEC_X_MADE",
            "PAN_SEC_X_MISSING"
        ]
    );
}

#[test]
fn what_nobody_may_see_is_told_by_fields_and_names() {
    let mut x = named("x", &oauth2(), &[], &["plain_key"]);
    x.fields[0].secret = false;
    // Two that name each other, which a reader cannot refuse: both are values of the answer too.
    let loops = json!({"one": "{{two}}", "two": "{{one}}", "url": "https://{{plain_key}}", "auth": "x {{access_token}}"});
    x.secrets = serde_json::from_value(loops).unwrap();
    for (name, secret) in [
        ("plain_key", false),
        ("access_token", true),
        ("client_secret", true),
        ("token_type", false),
        ("refresh_token_expires_in", false),
        ("expires_at", false),
        ("scope", false),
        ("one", false),
        ("two", false),
        ("url", false),
        ("auth", true),
    ] {
        assert_eq!(is_secret(&x, name), secret, "{name}");
    }
}
