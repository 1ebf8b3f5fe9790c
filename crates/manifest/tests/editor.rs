//! The schema for editors against the parser.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use marquetry_manifest::{manifest_schema, parse};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

static SCHEMA: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&manifest_schema()).expect("it is a schema"));

/// The smallest manifest.
fn whole() -> Value {
    json!({"version": "1.0", "base": "node:20", "build": "true", "run": "node ."})
}

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
    let schema = &*SCHEMA;
    let whole = whole();
    assert!(schema.is_valid(&whole));
    for (at, wrong) in [
        ("/version", json!(" ")),
        ("/version", json!([1])),
        ("/base", json!("cobol")),
        ("/base", json!("node:")),
        ("/base", json!("node:20 && rm")),
        ("/build", json!(null)),
        ("/run", json!("")),
        ("/configs", json!([])),
        ("/configs", json!({"schema": "x"})),
        ("/configs", json!({"schema": {"properties": {"a": 1}}})),
        (
            "/configs",
            json!({"schema": {"properties": {"a": {"enum": 1}}}}),
        ),
        (
            "/configs",
            json!({"uischema": {"type": "Group", "elements": [1]}}),
        ),
        ("/metadata_schema", json!({})),
        ("/marquetry", json!({"timeout_seconds": 0})),
        ("/marquetry", json!({"egress": "all"})),
        ("/marquetry", json!({"secrets": []})),
    ] {
        let mut changed = whole.clone();
        changed[&at[1..]] = wrong;
        let parsed = parse("PANDIUM.yaml", changed.to_string().as_bytes());
        assert!(parsed.is_err(), "{changed}");
        assert!(!schema.is_valid(&changed), "{changed}");
    }
    let mut without_type = whole.clone();
    without_type["configs"] = json!({"uischema": {"elements": [{"scope": 0}]}});
    let parsed = parse("PANDIUM.yaml", without_type.to_string().as_bytes());
    assert!(
        parsed.is_ok() && schema.is_valid(&without_type),
        "it shows nothing"
    );
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

/// A tenant's settings and form of about the right shape: free documents seldom get so deep.
fn form() -> impl Strategy<Value = Value> {
    let property = prop::collection::btree_map(
        prop::sample::select(vec!["type", "enum", "oneOf", "$ref", "other"]),
        value(),
        0..4,
    );
    let named = prop::collection::btree_map("[ab]", property, 0..3).boxed();
    let word = prop::sample::select(vec!["Control", "MultiSelectControl", "Group", "Other"]);
    let element = (word, prop::option::of(value()), prop::option::of(value()));
    let element = element.prop_map(|(word, scope, elements)| {
        let mut element = json!({"type": word});
        for (key, value) in [("scope", scope), ("elements", elements)] {
            if let Some(value) = value {
                element[key] = value;
            }
        }
        element
    });
    let elements = prop::collection::vec(element, 0..3);
    (named.clone(), named, value(), elements).prop_map(
        |(properties, definitions, required, elements)| {
            json!({
                "schema": {
                    "properties": properties,
                    "definitions": definitions,
                    "required": required,
                },
                "uischema": {"type": "VerticalLayout", "elements": elements},
            })
        },
    )
}

fn agree(manifest: &Value) -> Result<(), TestCaseError> {
    let parsed = parse("PANDIUM.yaml", manifest.to_string().as_bytes());
    let valid = SCHEMA.is_valid(manifest);
    prop_assert_eq!(parsed.is_ok(), valid, "{}: {:?}", manifest, parsed);
    Ok(())
}

/// What the parser refuses and no schema does: whole numbers of another form, the range of a number
/// in quotes, bytes instead of characters, and blanks that patterns see otherwise.
#[test]
fn what_only_the_parser_refuses() {
    let two_bytes = "\u{e9}".repeat(60_000);
    for (key, value) in [
        ("marquetry", json!({"timeout_seconds": 300.0})),
        ("marquetry", json!({"timeout_seconds": "0"})),
        ("marquetry", json!({"timeout_seconds": "86401"})),
        ("run", json!(two_bytes)),
        ("run", json!("\u{85}")),
        ("base", json!("node:\u{feff}1")),
    ] {
        let mut manifest = whole();
        manifest[key] = value;
        let parsed = parse("PANDIUM.yaml", manifest.to_string().as_bytes());
        assert!(parsed.is_err() && SCHEMA.is_valid(&manifest), "{key}");
    }
}

/// What the parser takes and the schema refuses: patterns count the byte order mark as a blank.
#[test]
fn what_only_the_schema_refuses() {
    for key in ["version", "build", "run"] {
        let mut manifest = whole();
        manifest[key] = json!("\u{feff}");
        let parsed = parse("PANDIUM.yaml", manifest.to_string().as_bytes());
        assert!(parsed.is_ok() && !SCHEMA.is_valid(&manifest), "{key}");
    }
}

#[test]
fn a_version_of_a_base_ends_where_the_parser_ends_it() {
    for length in 60..70 {
        let mut manifest = whole();
        manifest["base"] = json!(format!("node:{}", "1".repeat(length)));
        agree(&manifest).unwrap();
    }
}

/// The text of an example, read as a part of a larger manifest: so it becomes JSON as it stands.
#[test]
fn the_examples_are_valid() {
    for name in ["node-counter", "python-counter"] {
        let file = format!("../../examples/{name}/PANDIUM.yaml");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let mut text =
            "version: 1.0\nbase: go\nbuild: x\nrun: x\nmetadata_schema:\n  schema:\n    example:\n"
                .to_owned();
        for line in std::fs::read_to_string(file).unwrap().lines() {
            writeln!(text, "      {line}").unwrap();
        }
        let around = parse("PANDIUM.yaml", text.as_bytes()).unwrap().manifest;
        let example = &around.metadata_schema.unwrap()["schema"]["example"];
        assert!(example["base"].is_string(), "{name}");
        assert!(SCHEMA.is_valid(example), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    // What the parser takes is valid, so an editor does not underline what works, and the other way
    // round. The differences that remain have their tests above; none of them is made here.
    #[test]
    fn parser_and_schema_agree(manifest in manifest()) {
        agree(&manifest)?;
    }

    #[test]
    fn parser_and_schema_agree_about_forms(form in form()) {
        let mut manifest = whole();
        manifest["configs"] = form;
        agree(&manifest)?;
    }
}
