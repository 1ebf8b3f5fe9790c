//! Metadata against standard JSON Schema: the check agrees with another implementation.

use marquetry_manifest::metadata_faults;
use proptest::prelude::*;
use serde_json::{Value, json};

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..4).prop_map(Value::from),
        prop::sample::select(vec![0.5, 1.0, -2.0]).prop_map(Value::from),
        "[ab]{0,3}".prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            object(inner),
        ]
    })
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[abc]", inner, 0..3)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

const TYPES: &[&str] = &[
    "null", "boolean", "integer", "number", "string", "array", "object",
];

/// One keyword that stands alone.
fn keyword() -> impl Strategy<Value = (&'static str, Value)> {
    let words = prop::collection::vec("[abc]", 0..3);
    let bound = || (-2_i64..4).prop_map(Value::from);
    let length = || (0_i64..3).prop_map(Value::from);
    prop_oneof![
        prop::sample::select(TYPES).prop_map(|word| ("type", word.into())),
        prop::sample::subsequence(TYPES, 1..3).prop_map(|words| ("type", words.into())),
        prop::collection::vec(scalar(), 1..4).prop_map(|list| ("enum", list.into())),
        value().prop_map(|value| ("const", value)),
        bound().prop_map(|bound| ("minimum", bound)),
        bound().prop_map(|bound| ("maximum", bound)),
        bound().prop_map(|bound| ("exclusiveMinimum", bound)),
        bound().prop_map(|bound| ("exclusiveMaximum", bound)),
        prop::sample::select(vec![json!(2), json!(0.5), json!(1.5)])
            .prop_map(|n| ("multipleOf", n)),
        length().prop_map(|bound| ("minLength", bound)),
        length().prop_map(|bound| ("maxLength", bound)),
        prop::sample::select(vec!["^a", "b$", "^(?!b)", "aa|bb"])
            .prop_map(|p| ("pattern", p.into())),
        length().prop_map(|bound| ("minItems", bound)),
        length().prop_map(|bound| ("maxItems", bound)),
        Just(("uniqueItems", true.into())),
        length().prop_map(|bound| ("minProperties", bound)),
        length().prop_map(|bound| ("maxProperties", bound)),
        words.prop_map(|mut names| {
            names.sort();
            names.dedup();
            ("required", names.into())
        }),
        Just(("additionalProperties", false.into())),
        Just(("$ref", "#/$defs/a".into())),
        Just(("dependentRequired", json!({"a": ["b"]}))),
        Just(("format", "date".into())),
    ]
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop::collection::vec(keyword(), 0..4).prop_map(of_keywords);
    leaf.prop_recursive(3, 24, 4, |inner| {
        let list = || prop::collection::vec(inner.clone(), 1..3).prop_map(Value::from);
        let named = || object(inner.clone());
        let applied = prop_oneof![
            named().prop_map(|fields| ("properties", fields)),
            inner.clone().prop_map(|schema| ("items", schema)),
            inner
                .clone()
                .prop_map(|schema| ("additionalProperties", schema)),
            inner
                .clone()
                .prop_map(|schema| ("patternProperties", json!({"^[ab]": schema}))),
            inner.clone().prop_map(|schema| ("propertyNames", schema)),
            inner.clone().prop_map(|schema| ("contains", schema)),
            inner
                .clone()
                .prop_map(|schema| ("dependentSchemas", json!({"a": schema}))),
            list().prop_map(|all| ("prefixItems", all)),
            list().prop_map(|all| ("allOf", all)),
            list().prop_map(|all| ("anyOf", all)),
            list().prop_map(|all| ("oneOf", all)),
            inner.clone().prop_map(|schema| ("not", schema)),
            inner.clone().prop_map(|schema| ("if", schema)),
            inner.clone().prop_map(|schema| ("then", schema)),
            inner.clone().prop_map(|schema| ("else", schema)),
        ];
        let all = prop::collection::vec(prop_oneof![applied, keyword()], 1..4);
        all.prop_map(of_keywords)
    })
}

fn of_keywords(all: Vec<(&str, Value)>) -> Value {
    let named = all
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    Value::Object(named.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn the_check_agrees_with_another_implementation(
        mut schema in schema(),
        definition in prop::collection::vec(keyword(), 0..3).prop_map(of_keywords),
        value in object(value()),
    ) {
        // A definition that refers to itself says nothing on either side.
        let mut definition = definition;
        definition.as_object_mut().unwrap().remove("$ref");
        schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        schema["$defs"] = json!({"a": definition});
        let other = jsonschema::draft202012::new(&schema).unwrap();
        let faults = metadata_faults(Some(&json!({"schema": schema})), &value);
        prop_assert_eq!(faults.is_empty(), other.is_valid(&value), "{} {} {:?}", schema, value, faults);
    }
}

#[test]
fn metadata_is_an_object() {
    assert_eq!(metadata_faults(None, &json!({"a": 1})), []);
    assert_eq!(metadata_faults(None, &json!([]))[0].kind, "dict_type");
    let strict = json!({"schema": {"type": "array"}});
    assert_eq!(metadata_faults(Some(&strict), &json!({})).len(), 1);
    let circle = json!({"schema": {"$ref": "#"}});
    let given_up = metadata_faults(Some(&circle), &json!({}));
    assert_eq!(
        given_up[0].to_string(),
        "the metadata schema is too complex to check this; simplify it"
    );
}
