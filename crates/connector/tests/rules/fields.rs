//! Values that people enter.

use std::time::Instant;

use marquetry_connector::{Field, check_values, defaults};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::values;

fn field(parts: &Value) -> Field {
    let mut whole = json!({"name": "f"});
    for (name, part) in parts.as_object().unwrap() {
        whole[name] = part.clone();
    }
    serde_json::from_value(whole).unwrap()
}

/// Why the value is none of the field, or nothing.
fn judge(field: &Field, value: &str) -> String {
    let faults = check_values(std::slice::from_ref(field), &values(&[("f", value)]), false);
    faults.into_iter().map(|it| it.message).collect()
}

#[test]
fn each_kind_has_its_form() {
    let long = "x".repeat((96 << 10) + 1);
    let label = "a".repeat(64);
    for (kind, good, wrong) in [
        (
            "text",
            vec!["a", " ", "é", "{{a}}"],
            vec!["a\nb", "a\0", "a\tb", "\u{7f}", &long],
        ),
        (
            "multiline",
            vec!["a\r\n\tb", "-----BEGIN"],
            vec!["a\0", "\u{1b}[0m", &long],
        ),
        (
            "url",
            vec![
                "https://x.test",
                "http://x.test:1/a?b#c",
                "HTTPS://x.test",
                "https://127.0.0.1/",
            ],
            vec![
                "x.test",
                "ftp://x.test",
                "https:x.test",
                "https:/x.test",
                "https://",
                "https://a b",
                "//x.test",
                "https://a:b@x.test",
                "https://a@x.test",
                "javascript:alert(1)",
                "https://x.test\n",
            ],
        ),
        (
            "host",
            vec!["x", "a-b.c_d.test", "127.0.0.1", "XN--A.test"],
            vec![
                "x.",
                ".x",
                "a..b",
                "https://x",
                "x/y",
                "x:1",
                "a b",
                "é",
                "*.x",
                "a@b",
                "[::1]",
                "..",
                &label,
            ],
        ),
        (
            "number",
            vec!["0", "007", "99999999999999999999"],
            vec!["-1", "1.5", "1e3", " 1", "١", "x"],
        ),
        (
            "json",
            vec!["{}", "[1]", "\"a\"", "{\n\"a\": 1\n}"],
            vec!["{", "{}x", "a", "{\"a\": \0}"],
        ),
    ] {
        let field = field(&json!({"type": kind}));
        for value in good {
            assert_eq!(judge(&field, value), "", "{kind} {value:?}");
        }
        for value in wrong {
            assert_ne!(judge(&field, value), "", "{kind} {value:?}");
        }
    }
    let deep = "[".repeat(50_000) + &"]".repeat(40_000);
    assert_ne!(judge(&field(&json!({"type": "json"})), &deep), "");
    let options = json!([{"value": "a", "label": "A"}, {"value": "b", "label": "B"}]);
    let select = field(&json!({"type": "select", "options": options}));
    assert_eq!(judge(&select, "a"), "");
    assert_eq!(judge(&select, "A"), "must be one of a, b");
}

#[test]
fn a_pattern_is_of_the_whole_value() {
    let digits = field(&json!({"pattern": "[0-9]+|x", "placeholder": "12"}));
    assert_eq!(
        (judge(&digits, "12"), judge(&digits, "x")),
        (String::new(), String::new())
    );
    for value in ["12a", "a12", "xx", "12 "] {
        assert_eq!(
            judge(&digits, value),
            "does not look right; an example is 12"
        );
    }
    let lines = field(&json!({"type": "multiline", "pattern": "a"}));
    assert_ne!(judge(&lines, "a\nb"), "");
    assert_ne!(judge(&lines, "a\n"), "");
    let slow = field(&json!({"pattern": "(?=a)(a+)+\\1b"}));
    let start = Instant::now();
    assert_ne!(judge(&slow, &"a".repeat(5000)), "");
    assert!(start.elapsed().as_secs() < 10);
}

#[test]
fn what_must_be_there_is_asked_for() {
    let fields = [
        field(&json!({"name": "a", "required": true})),
        field(&json!({"name": "b", "required": true, "default": "x"})),
        field(&json!({"name": "c"})),
    ];
    let names = |pairs: &[(&str, &str)], whole| -> Vec<String> {
        check_values(&fields, &values(pairs), whole)
            .into_iter()
            .map(|it| it.name)
            .collect()
    };
    assert_eq!(names(&[], true), ["a"]);
    assert_eq!(names(&[("a", "")], true), ["a"]);
    assert!(names(&[], false).is_empty());
    assert!(names(&[("a", "1"), ("c", "")], true).is_empty());
    assert_eq!(names(&[("a", "1"), ("d", "1")], true), ["d"]);
    assert_eq!(names(&[(&"x".repeat(500), "1")], false)[0].len(), 60);
    assert_eq!(defaults(&fields), values(&[("b", "x")]));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_is_too_wrong(
        kind in prop::sample::select(&["text", "multiline", "url", "host", "number", "json"][..]),
        value in ".{0,40}",
    ) {
        let fault = judge(&field(&json!({"type": kind})), &value);
        if fault.is_empty() && kind != "multiline" && kind != "json" {
            prop_assert!(!value.contains(char::is_control));
        }
    }
}
