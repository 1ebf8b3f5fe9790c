//! Whatever a value is, an address leads where its author meant.

use marquetry_connector::{Template, TemplateError, Values};
use proptest::prelude::*;
use url::Url;

use crate::support::values;

fn fill(text: &str, pairs: &[(&str, &str)]) -> Result<String, TemplateError> {
    Template::literal(text).fill_url(&values(pairs))
}

#[test]
fn a_value_is_encoded_for_its_part() {
    let pairs = [
        ("key", "a b&c=+%2f#?"),
        ("shop", "a-b.c_1"),
        ("way", "../x"),
    ];
    let filled = |text| fill(text, &pairs).unwrap();
    assert_eq!(
        filled("https://{{shop}}.x.test/"),
        "https://a-b.c_1.x.test/"
    );
    assert_eq!(
        filled("https://x.test/{{key}}/y?k={{key}}&l=1"),
        "https://x.test/a%20b%26c%3D%2B%252f%23%3F/y?k=a%20b%26c%3D%2B%252f%23%3F&l=1"
    );
    assert_eq!(filled("https://x.test/{{way}}"), "https://x.test/..%2Fx");
    assert_eq!(filled("{{key}}.json"), "a%20b%26c%3D%2B%252f%23%3F.json");
}

#[test]
fn a_host_is_labels_alone() {
    for value in [
        "",
        ".",
        "..",
        "a.",
        ".a",
        "a..b",
        "evil.test/x",
        "evil.test\\x",
        "evil.test?",
        "evil.test#",
        "user@evil.test",
        "evil.test:8443",
        "%65vil",
        "a b",
        "é",
        "a\n",
        "*",
        "*.test",
        "[::1]",
    ] {
        for text in [
            "https://{{v}}/admin",
            "https://{{v}}.x.test/",
            "http://a.{{v}}",
            "https:///{{v}}/",
        ] {
            let filled = fill(text, &[("v", value)]);
            assert!(
                matches!(filled, Err(TemplateError::Unfit { .. })),
                "{text} {value:?} {filled:?}"
            );
        }
    }
}

#[test]
fn a_step_of_a_path_is_a_name() {
    for value in ["", ".", ".."] {
        for text in [
            "https://x.test/a/{{v}}",
            "https://x.test/{{v}}/b",
            "{{v}}/b",
            "a/{{v}}?b",
            "/{{v}}",
        ] {
            let filled = fill(text, &[("v", value)]);
            assert!(
                matches!(filled, Err(TemplateError::Unfit { .. })),
                "{text} {value:?} {filled:?}"
            );
        }
    }
    assert!(fill("https://x.test/.{{v}}", &[("v", ".")]).is_err());
    assert!(fill("https://x.test/{{v}}{{v}}", &[("v", ".")]).is_err());
    assert!(fill("https://x.test/%2e{{v}}", &[("v", ".")]).is_err());
    // Of the author's own there may be some, and values may have dots in a name.
    let good = [("v", "1.2..3")];
    assert_eq!(
        fill("../{{v}}//x?y={{v}}", &good).unwrap(),
        "../1.2..3//x?y=1.2..3"
    );
    assert_eq!(fill("/x?y={{v}}", &[("v", "")]).unwrap(), "/x?y=");
}

#[test]
fn a_value_at_the_start_may_be_a_whole_url() {
    let base = |text, value| fill(text, &[("v", value)]);
    assert_eq!(base("{{v}}", "https://x.test").unwrap(), "https://x.test");
    assert_eq!(base("{{v}}", "https://x.test/").unwrap(), "https://x.test");
    assert_eq!(
        base("{{v}}", " HTTPS://X.test/a/?b#c ").unwrap(),
        "https://x.test/a/?b"
    );
    assert_eq!(
        base("{{v}}/rest", "https://x.test:8443/a/?b=/#c").unwrap(),
        "https://x.test:8443/a/rest"
    );
    assert_eq!(
        base("{{v}}?y=1", "http://x.test/a?b").unwrap(),
        "http://x.test/a?y=1"
    );
    for text in ["{{v}}", "{{v}}/rest"] {
        for value in [
            "https://a:b@x.test",
            "https://a@x.test/",
            "https://",
            "https://a b/",
            "https://[x/",
        ] {
            assert!(base(text, value).is_err(), "{text} {value}");
        }
    }
    // Where more of a host would follow, and where it is none of the web, it is text.
    for (text, value, filled) in [
        (
            "{{v}}.x.test",
            "https://evil.test/",
            "https%3A%2F%2Fevil.test%2F.x.test",
        ),
        (
            "{{v}}://x.test",
            "https://evil.test/",
            "https%3A%2F%2Fevil.test%2F://x.test",
        ),
        ("{{v}}{{v}}", "https://a", "https%3A%2F%2Fahttps%3A%2F%2Fa"),
        (
            "{{v}}/rest",
            "javascript:alert(1)",
            "javascript%3Aalert%281%29/rest",
        ),
        ("{{v}}/rest", "//evil.test", "%2F%2Fevil.test/rest"),
        (
            "{{v}}/rest",
            "https:\\\\evil.test",
            "https%3A%5C%5Cevil.test/rest",
        ),
        (
            "/{{v}}/rest",
            "https://evil.test",
            "/https%3A%2F%2Fevil.test/rest",
        ),
    ] {
        assert_eq!(base(text, value).unwrap(), filled, "{text} {value}");
    }
}

#[test]
fn filters_and_insides_keep_to_the_same_rules() {
    let pairs = [
        ("a", "1234_SB1"),
        ("j", r#"{"h": "evil.test/", "d": "..", "n": 7, "l": [1]}"#),
    ];
    let filled = fill("https://{{a|lower|hyphen}}.x.test/{{j.n}}", &pairs).unwrap();
    assert_eq!(filled, "https://1234-sb1.x.test/7");
    for text in [
        "https://{{j.h}}/",
        "https://x.test/{{j.d}}/",
        "https://x.test/{{j.l}}/",
    ] {
        assert!(fill(text, &pairs).is_err(), "{text}");
    }
}

/// Templates, each with places in other parts.
const TEMPLATES: [&str; 12] = [
    "https://{{a}}.x.test/",
    "https://x-{{a}}.x.test:8443/p/{{b}}",
    "https://{{a}}/p",
    "https://a.{{a}}.{{b}}/p?q={{a}}",
    "http://x.test/{{a}}{{b}}/end",
    "https://x.test/s/.{{a}}/{{b}}.json",
    "https://x.test/?q={{a}}&r={{b}}",
    "https://x.test/p?{{a}}={{b}}",
    "https://x.test/p#{{a}}",
    "https://x.test/%2e{{a}}/%2E%2e{{b}}/x",
    "https://x.test/p\\{{a}}/x",
    "https:///{{a}}/x",
];

/// Values that somebody would try.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[./\\\\@:?#%&=a \t\n\u{e9}\u{ff0e}\u{2215}\u{3002}*2eEfF+-]{0,8}",
        "\\PC{0,12}",
        ".{0,6}",
        prop::sample::select(
            &[
                "..",
                "%2e%2e",
                "..%2f..",
                "https://evil.test/",
                "@evil.test",
                ".evil.test/",
                "//evil.test",
                "evil.test",
                "\\evil.test",
                "xn--a",
                "0x7f.1",
                "",
            ][..]
        )
        .prop_map(str::to_owned),
    ]
}

/// All of an address that a value must not change. The host is told by its labels that are none of a value.
fn shape(url: &Url) -> (String, Option<u16>, String, usize, Vec<String>, bool, bool) {
    let steps: Vec<&str> = url.path().split('/').collect();
    let query = url.query().unwrap_or_default();
    (
        url.scheme().to_owned(),
        url.port(),
        url.username().to_owned() + url.password().unwrap_or_default(),
        steps.len(),
        steps.iter().map(|it| it.is_empty().to_string()).collect(),
        url.fragment().is_some(),
        query.contains('&'),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_value_changes_nothing_of_an_address_but_its_own_part(
        text in prop::sample::select(&TEMPLATES[..]), a in value(), b in value(),
    ) {
        let Ok(filled) = fill(text, &[("a", &a), ("b", &b)]) else { return Ok(()) };
        let meant = Url::parse(&fill(text, &[("a", "v"), ("b", "w")]).unwrap()).unwrap();
        // A name that no host may have, as `xn--a`, leads nowhere.
        let Ok(url) = Url::parse(&filled) else { return Ok(()) };
        prop_assert_eq!(shape(&url), shape(&meant), "{}", filled);
        let host = text.split(['/', '?']).nth(2).unwrap_or_default();
        if host.contains("{{") {
            let is_end = |end: &str| url.host_str().unwrap().ends_with(end);
            prop_assert!(!host.contains("x.test") || is_end(".x.test"), "{}", filled);
        } else if !host.is_empty() {
            prop_assert_eq!(url.host_str(), Some("x.test"));
        }
        prop_assert_eq!(url.query_pairs().count(), meant.query_pairs().count(), "{}", filled);
    }

    #[test]
    fn a_value_in_a_query_arrives_as_it_was(a in "\\PC{0,20}") {
        let filled = fill("https://x.test/?q={{a}}&r=1", &[("a", &a)]).unwrap();
        let url = Url::parse(&filled).unwrap();
        let pairs: Values = url.query_pairs().into_owned().collect();
        prop_assert_eq!(pairs, values(&[("q", &a), ("r", "1")]));
    }

    #[test]
    fn no_text_is_too_wrong(text in "[{}|a-c. /:?#-]{0,20}", value in value()) {
        let template = Template::literal(&text);
        let values = values(&[("a", &value)]);
        let _ = (template.names(), template.fill(&values), template.fill_url(&values));
    }
}
