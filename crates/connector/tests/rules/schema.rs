//! The published schema says what the reader does.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jsonschema::Validator;
use marquetry_connector::{
    Algorithm, AwsSigv4, BodyForm, Check, Choice, ClientAuth, Definition, DefinitionFault,
    Discovery, ErrorRule, EventId, Expect, Field, FieldKind, FieldOption, Grant, Handshake,
    HandshakeKind, Inject, InjectAt, JwtBearer, MutualTls, OAuth1, OAuth2, Refresh, Request,
    Revocation, Route, SCHEMA, Signature, Signing, SigningKind, Simple, Subscription, TokenAnswer,
    Webhook, WebhookLevel, read,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// Rules that one part of a definition has over another, or that a schema has no words for.
const BEYOND: [&str; 5] = [
    "uses {{",
    "stands there twice",
    "is no regular expression",
    "must be a host alone",
    "must have a host",
];

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn validator() -> Validator {
    jsonschema::validator_for(&schema()).unwrap()
}

fn read_json(json: &Value) -> Result<Definition, Vec<DefinitionFault>> {
    read(json.to_string().as_bytes())
}

#[test]
fn the_schema_itself_is_one() {
    jsonschema::meta::validate(&schema()).unwrap();
}

#[test]
fn every_shipped_definition_is_valid() {
    let validator = validator();
    for (file, text) in crate::support::files() {
        let json = serde_json::from_slice(&text).unwrap();
        let faults: Vec<String> = validator
            .iter_errors(&json)
            .map(|it| format!("{}: {it}", it.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{file}: {faults:?}");
    }
}

#[test]
fn everything_is_described() {
    fn walk(place: &str, value: &Value, missing: &mut Vec<String>) {
        for (name, part) in value.as_object().into_iter().flatten() {
            let place = format!("{place}/{name}");
            if ["properties", "$defs"].contains(&name.as_str()) {
                let entries = part.as_object().unwrap().iter();
                let silent = entries.filter(|(_, it)| it["description"].as_str().is_none());
                // Conditions repeat properties, and describe nothing.
                let condition = place.contains("/if/") || place.contains("/then/");
                missing.extend(
                    silent
                        .filter(|_| !condition)
                        .map(|(n, _)| format!("{place}/{n}")),
                );
            }
            walk(&place, part, missing);
        }
        for (n, part) in value.as_array().into_iter().flatten().enumerate() {
            walk(&format!("{place}/{n}"), part, missing);
        }
    }
    let mut missing = Vec::new();
    walk("", &schema(), &mut missing);
    assert!(missing.is_empty(), "{missing:?}");
}

/// The names in backticks after "expected" of serde's message about one that it does not know.
fn expected<T: DeserializeOwned>(value: Value) -> BTreeSet<String> {
    let Err(error) = serde_json::from_value::<T>(value) else {
        panic!("an unknown name is taken")
    };
    let message = error.to_string();
    let (_, after) = message.split_once("expected").unwrap();
    let names = after.split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

fn keys(value: &Value) -> BTreeSet<String> {
    let object = value.as_object().unwrap();
    object
        .keys()
        .filter(|it| *it != "kind" || value["kind"]["const"].is_null())
        .cloned()
        .collect()
}

fn same_properties<T: DeserializeOwned>(schema: &Value) {
    let ours = expected::<T>(json!({"no such": 0}));
    assert_eq!(
        keys(&schema["properties"]),
        ours,
        "{}",
        schema["description"]
    );
    assert_eq!(
        schema["additionalProperties"], false,
        "{}",
        schema["description"]
    );
}

#[test]
fn each_object_has_the_properties_of_its_type() {
    let schema = schema();
    let defs = &schema["$defs"];
    same_properties::<Definition>(&schema);
    same_properties::<Field>(&defs["field"]);
    same_properties::<FieldOption>(&defs["option"]);
    same_properties::<Inject>(&defs["inject"]);
    same_properties::<Request>(&defs["request"]);
    same_properties::<Check>(&defs["check"]);
    same_properties::<Expect>(&defs["expect"]);
    same_properties::<ErrorRule>(&defs["error_rule"]);
    same_properties::<TokenAnswer>(&defs["token_answer"]);
    same_properties::<Revocation>(&defs["revocation"]);
    same_properties::<Discovery>(&defs["discovery"]);
    same_properties::<Choice>(&defs["choice"]);
    same_properties::<OAuth2>(&defs["auth_oauth2"]);
    same_properties::<OAuth1>(&defs["auth_oauth1"]);
    same_properties::<JwtBearer>(&defs["auth_jwt_bearer"]);
    same_properties::<AwsSigv4>(&defs["auth_aws_sigv4"]);
    same_properties::<MutualTls>(&defs["auth_mutual_tls"]);
    for kind in ["api_key", "basic", "custom", "fields"] {
        same_properties::<Simple>(&defs[format!("auth_{kind}")]);
    }
    same_properties::<Signing>(&defs["signature"]);
    same_properties::<Handshake>(&defs["handshake"]);
    same_properties::<EventId>(&defs["event_id"]);
    same_properties::<Route>(&defs["route"]);
    same_properties::<Subscription>(&defs["subscription"]);
    same_properties::<Webhook>(&defs["webhook"]);
}

#[test]
fn each_word_is_one_of_its_type() {
    fn same<T: DeserializeOwned>(schema: &Value, at: &str) {
        let words = schema.pointer(at).unwrap()["enum"]
            .as_array()
            .unwrap()
            .iter();
        let words: BTreeSet<String> = words.map(|it| it.as_str().unwrap().to_owned()).collect();
        assert_eq!(words, expected::<T>(json!("no such")), "{at}");
    }
    let schema = schema();
    same::<FieldKind>(&schema, "/$defs/field/properties/type");
    same::<InjectAt>(&schema, "/$defs/inject/properties/in");
    same::<Grant>(&schema, "/$defs/auth_oauth2/properties/grant");
    same::<ClientAuth>(&schema, "/$defs/auth_oauth2/properties/client_auth");
    same::<BodyForm>(&schema, "/$defs/auth_oauth2/properties/body");
    same::<Refresh>(&schema, "/$defs/auth_oauth2/properties/refresh");
    same::<Signature>(&schema, "/$defs/auth_oauth1/properties/signature");
    same::<Algorithm>(&schema, "/$defs/auth_jwt_bearer/properties/algorithm");
    same::<WebhookLevel>(&schema, "/$defs/webhook/properties/level");
    same::<SigningKind>(&schema, "/$defs/signature/properties/kind");
    same::<HandshakeKind>(&schema, "/$defs/handshake/properties/kind");
}

#[test]
fn each_default_is_the_one_of_its_type() {
    fn same<T: DeserializeOwned + Serialize>(name: &str, least: Value) {
        let schema = schema();
        let given = keys(&least);
        let read: T = serde_json::from_value(least).unwrap();
        let written = serde_json::to_value(read).unwrap();
        let properties = schema["$defs"][name]["properties"].as_object().unwrap();
        for (property, rule) in properties.iter().filter(|(it, _)| !given.contains(*it)) {
            let rule = match rule.get("default") {
                None => rule["$ref"]
                    .as_str()
                    .and_then(|it| schema.pointer(&it[1..])?.get("default")),
                own => own,
            };
            let empty = [json!([]), json!({}), json!("")];
            match (written.get(property), rule) {
                (None, rule) => assert!(
                    rule.is_none_or(|it| empty.contains(it)),
                    "{name}.{property}"
                ),
                (ours, rule) => assert_eq!(ours, rule, "{name}.{property}"),
            }
        }
    }
    let request = json!({"url": "x"});
    same::<Field>("field", json!({"name": "a"}));
    same::<Inject>("inject", json!({"in": "basic", "value": "a"}));
    same::<Request>("request", request.clone());
    same::<Check>("check", request.clone());
    same::<Revocation>("revocation", request.clone());
    same::<Choice>(
        "choice",
        json!({"label": "a", "request": request, "title": "", "values": {}}),
    );
    same::<OAuth2>("auth_oauth2", json!({"token_url": "a"}));
    same::<OAuth1>(
        "auth_oauth1",
        json!({"consumer_key": "a", "consumer_secret": "a"}),
    );
    same::<JwtBearer>("auth_jwt_bearer", json!({"key": "a", "claims": {}}));
    same::<Signing>("signature", json!({}));
    same::<Webhook>("webhook", json!({}));
    same::<Subscription>("subscription", json!({"create": {"url": "a"}}));
}

/// All places of a value, as JSON Pointers.
fn places(at: &str, value: &Value, all: &mut Vec<String>) {
    all.push(at.to_owned());
    for (name, part) in value.as_object().into_iter().flatten() {
        let name = name.replace('~', "~0").replace('/', "~1");
        places(&format!("{at}/{name}"), part, all);
    }
    for (n, part) in value.as_array().into_iter().flatten().enumerate() {
        places(&format!("{at}/{n}"), part, all);
    }
}

/// The value with a change at a place, for each change there could be.
fn changed(whole: &Value, at: &str) -> Vec<Value> {
    let put = |part: Value| {
        let mut changed = whole.clone();
        *changed.pointer_mut(at).unwrap() = part;
        changed
    };
    let part = whole.pointer(at).unwrap();
    let others = [
        json!(null),
        json!(true),
        json!(7),
        json!(-1),
        json!(1.5),
        json!(70_000),
        json!("text"),
        json!(""),
        json!([]),
        json!(["text"]),
        json!({}),
        json!({"text": "text"}),
        json!([[]]),
    ];
    let mut all: Vec<Value> = others.map(put).into();
    if let Some(object) = part.as_object() {
        let with = |name: &str, value: Value| {
            let mut object: Map<String, Value> = object.clone();
            object.insert(name.to_owned(), value);
            put(object.into())
        };
        all.extend([
            with("no such", json!(7)),
            with("no_such", json!("/text")),
            with("no such", json!("/text")),
        ]);
        for name in object.keys() {
            let mut less = object.clone();
            less.shift_remove(name);
            all.push(put(less.into()));
        }
    }
    if let Some(list) = part.as_array() {
        all.push(put([list.clone(), vec![json!(null)]].concat().into()));
    }
    all
}

/// Whether both take it, or neither; the reader alone may refuse by a rule that a schema has no words for.
fn agree(validator: &Validator, changed: &Value, at: &str) {
    let valid = validator.is_valid(changed);
    match read_json(changed) {
        Ok(_) => assert!(valid, "the reader takes it at {at}: {changed}"),
        Err(faults) if valid => {
            let beyond = |it: &DefinitionFault| BEYOND.iter().any(|rule| it.message.contains(rule));
            assert!(faults.iter().all(beyond), "at {at}: {faults:?}");
        }
        Err(_) => {}
    }
}

#[test]
fn the_schema_and_the_reader_agree_about_every_change_of_a_full_definition() {
    let validator = validator();
    for (n, whole) in crate::support::full().into_iter().enumerate() {
        assert!(validator.is_valid(&whole), "{whole}");
        assert_eq!(read_json(&whole).map(drop), Ok(()), "{whole}");
        let mut all = Vec::new();
        places("", &whole, &mut all);
        // All but `auth` is the same in each.
        for at in all.iter().filter(|at| n == 0 || at.starts_with("/auth")) {
            for changed in changed(&whole, at) {
                agree(&validator, &changed, at);
            }
        }
    }
}

#[test]
fn the_schema_and_the_reader_agree_about_changes_of_each_shipped_definition() {
    let validator = validator();
    for (n, (_, text)) in crate::support::files().into_iter().enumerate() {
        let whole: Value = serde_json::from_slice(&text).unwrap();
        let mut all = Vec::new();
        places("", &whole, &mut all);
        // Not all of each, for there are many that are alike.
        for at in all.iter().skip(n % 6).step_by(6) {
            let mut changed = whole.clone();
            let part = changed.pointer_mut(at).unwrap();
            if let Some(object) = part.as_object_mut() {
                object.insert("no such".to_owned(), json!(7));
            } else {
                *part = json!(null);
            }
            agree(&validator, &changed, at);
        }
    }
}

/// Any JSON, not deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "(https://)?(\\{\\{)?[a-z_.|/:@?{}]{0,12}(\\}\\})?".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{1,8}", inner), 0..4)
                .prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_reader_takes_nothing_that_the_schema_refuses(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any_json()), 1..4),
    ) {
        static ALL: LazyLock<(Validator, Vec<Value>)> = LazyLock::new(|| {
            let shipped = crate::support::files().into_iter();
            let shipped = shipped.map(|(_, text)| serde_json::from_slice(&text).unwrap());
            (validator(), crate::support::full().into_iter().chain(shipped).collect())
        });
        let (validator, all) = &*ALL;
        let mut whole = which.get(all).clone();
        for (place, json) in changes {
            let mut at = Vec::new();
            places("", &whole, &mut at);
            let at = place.get(&at).clone();
            *whole.pointer_mut(&at).unwrap() = json;
        }
        if let Ok(definition) = read_json(&whole) {
            prop_assert!(validator.is_valid(&whole), "{whole}");
            let again = serde_json::to_value(&definition).unwrap();
            prop_assert!(validator.is_valid(&again), "{again}");
            prop_assert_eq!(read_json(&again), Ok(definition));
        }
    }
}
