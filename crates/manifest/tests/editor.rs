//! The schema for editors against the parser.

use std::path::{Path, PathBuf};

use marquetry_manifest::{manifest_schema, parse};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pandium.schema.json")
}

#[test]
fn the_kept_one_is_the_one_that_is_made() {
    let made = format!("{:#}\n", manifest_schema());
    if std::env::var_os("MARQUETRY_BLESS").is_some() {
        std::fs::write(document(), &made).unwrap();
    }
    let kept = std::fs::read_to_string(document()).unwrap();
    assert!(
        kept == made,
        "docs/pandium.schema.json is old; make it with MARQUETRY_BLESS=1"
    );
}

#[test]
fn it_is_a_schema_itself() {
    jsonschema::draft7::meta::validate(&manifest_schema()).unwrap();
}

#[test]
fn it_refuses_what_the_parser_refuses_for_its_shape() {
    let schema = jsonschema::validator_for(&manifest_schema()).unwrap();
    let whole = json!({"version": "1.0", "base": "node:20", "build": "true", "run": "node ."});
    assert!(schema.is_valid(&whole));
    for (at, wrong) in [
        ("/version", json!(" ")),
        ("/version", json!([1])),
        ("/base", json!("cobol")),
        ("/base", json!("node:")),
        ("/base", json!("node:20 && rm")),
        ("/build", json!(null)),
        ("/run", json!("")),
        ("/connectors", json!("slack")),
        ("/configs", json!([])),
        ("/configs", json!({"schema": "x"})),
        ("/configs", json!({"schema": {"properties": {"a": 1}}})),
        (
            "/configs",
            json!({"schema": {"properties": {"a": {"enum": 1}}}}),
        ),
        ("/configs", json!({"uischema": {"elements": []}})),
        (
            "/configs",
            json!({"uischema": {"type": "Group", "elements": [{}]}}),
        ),
        ("/metadata_schema", json!({})),
        ("/marquetry", json!({"timeout_seconds": 0})),
        ("/marquetry", json!({"egress": "all"})),
    ] {
        let mut changed = whole.clone();
        changed[&at[1..]] = wrong;
        let parsed = parse("PANDIUM.yaml", changed.to_string().as_bytes());
        assert!(parsed.is_err(), "{changed}");
        assert!(!schema.is_valid(&changed), "{changed}");
    }
    for key in ["version", "base", "build", "run"] {
        let mut changed = whole.clone();
        changed.as_object_mut().unwrap().remove(key);
        assert!(!schema.is_valid(&changed), "{key}");
    }
}

/// Any small value, often one that means something somewhere.
fn value() -> impl Strategy<Value = Value> {
    let words = [
        "node:20",
        "Go",
        ".NET:8",
        "cobol",
        "true",
        "1.0",
        "0.4",
        "",
        " ",
        "string",
        "Control",
        "Group",
        "#/definitions/a",
        "#/properties/a",
        "public",
        "HOST",
        "300",
        "+7",
        "slack",
    ];
    let leaf = prop_oneof![
        4 => prop::sample::select(words.to_vec()).prop_map(Value::from),
        1 => (-1_i64..90_000).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let keys = [
        "schema",
        "uischema",
        "properties",
        "definitions",
        "required",
        "type",
        "enum",
        "oneOf",
        "$ref",
        "scope",
        "elements",
        "timeout_seconds",
        "egress",
        "a",
        "other",
    ];
    leaf.prop_recursive(6, 24, 4, move |inner| {
        let key = prop::sample::select(keys.to_vec()).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A manifest of which some keys are whole and some are anything.
fn manifest() -> impl Strategy<Value = Value> {
    let keys = [
        "version",
        "base",
        "build",
        "run",
        "configs",
        "connectors",
        "metadata_schema",
        "marquetry",
    ];
    let changes = prop::collection::btree_map(prop::sample::select(keys.to_vec()), value(), 0..3);
    changes.prop_map(|changes| {
        let mut whole = Map::new();
        for (key, good) in [
            ("version", json!("1.0")),
            ("base", json!("node:20")),
            ("build", json!("true")),
            ("run", json!("node .")),
        ] {
            whole.insert(key.to_owned(), good);
        }
        for (key, value) in changes {
            whole.insert(key.to_owned(), value);
        }
        Value::Object(whole)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    // What the parser takes is valid, so an editor never underlines what works. The other way round
    // the only differences are those that no schema says: none of them can be made here.
    #[test]
    fn parser_and_schema_agree(manifest in manifest()) {
        let schema = jsonschema::validator_for(&manifest_schema()).unwrap();
        let parsed = parse("PANDIUM.yaml", manifest.to_string().as_bytes());
        let valid = schema.is_valid(&manifest);
        prop_assert_eq!(parsed.is_ok(), valid, "{}: {:?}", manifest, parsed);
    }
}
