//! The check of settings, and the defaults that runs get, against a naive reading of the rules: the
//! oracle knows what each property was meant to be and never looks at the schema that was made of it.

use std::collections::BTreeMap;

use marquetry_manifest::{Settings, Step, config_variable_name};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// What a property is meant to be.
#[derive(Debug, Clone)]
enum Meant {
    Boolean,
    Whole {
        least: Option<i64>,
        most: Option<i64>,
        short: bool,
    },
    Number {
        least: Option<i64>,
    },
    Text {
        longest: Option<usize>,
    },
    OneOf {
        options: Vec<Value>,
        titled: bool,
        typed: bool,
    },
    Several {
        options: Vec<Value>,
        below: bool,
    },
    Referred(Referred),
}

/// A selector whose options stand elsewhere.
#[derive(Debug, Clone)]
struct Referred {
    own_type: Option<&'static str>,
    other_type: bool,
    written: Vec<Value>,
    found: Option<Vec<Value>>,
    of_metadata: bool,
    spelling: usize,
}

#[derive(Debug, Clone)]
struct Property {
    meant: Meant,
    default: Option<Value>,
    required: bool,
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec!["a", "b", "c", "placeholder", ""]).prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        prop::sample::select(vec![0.5, 1.0, 2.0]).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => scalar(),
        1 => Just(Value::Null),
        3 => prop::collection::vec(scalar(), 0..3).prop_map(Value::from),
        1 => Just(json!({"a": 1})),
    ]
}

fn options() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(scalar(), 0..4)
}

fn referred() -> impl Strategy<Value = Meant> {
    let own_type = prop::option::of(prop::sample::select(vec!["string", "integer", "array"]));
    let found = prop::option::of(options());
    (
        own_type,
        any::<bool>(),
        options(),
        found,
        any::<bool>(),
        0_usize..3,
    )
        .prop_map(
            |(own_type, other_type, written, found, of_metadata, spelling)| {
                Meant::Referred(Referred {
                    own_type,
                    other_type,
                    written,
                    found,
                    of_metadata,
                    spelling,
                })
            },
        )
}

fn property() -> impl Strategy<Value = Property> {
    let bound = || prop::option::of(-2_i64..3);
    let meant = prop_oneof![
        Just(Meant::Boolean),
        (bound(), bound(), any::<bool>()).prop_map(|(least, most, short)| Meant::Whole {
            least,
            most,
            short
        }),
        bound().prop_map(|least| Meant::Number { least }),
        prop::option::of(0_usize..3).prop_map(|longest| Meant::Text { longest }),
        (options(), any::<bool>(), any::<bool>()).prop_map(|(options, titled, typed)| {
            Meant::OneOf {
                options,
                titled,
                typed,
            }
        }),
        (options(), any::<bool>()).prop_map(|(options, below)| Meant::Several { options, below }),
        referred(),
        referred(),
    ];
    let default = prop::option::weighted(0.4, value());
    (meant, default, any::<bool>()).prop_map(|(meant, default, required)| Property {
        meant,
        default,
        required,
    })
}

/// Everything that is made of the properties.
#[derive(Default)]
struct World {
    properties: Map<String, Value>,
    definitions: Map<String, Value>,
    printed: Map<String, Value>,
    metadata: Map<String, Value>,
    metadata_properties: Map<String, Value>,
}

fn titled(options: &[Value]) -> Value {
    let titled = options
        .iter()
        .map(|one| json!({"title": "x", "const": one}));
    titled.collect::<Vec<_>>().into()
}

fn put(world: &mut World, name: &str, property: &Property) {
    let mut schema = match &property.meant {
        Meant::Boolean => json!({"type": "boolean"}),
        Meant::Whole { least, most, short } => {
            let names = if *short {
                ["min", "max"]
            } else {
                ["minimum", "maximum"]
            };
            let mut schema = json!({"type": "integer"});
            for (name, bound) in names.into_iter().zip([least, most]) {
                if let Some(bound) = bound {
                    schema[name] = json!(bound);
                }
            }
            schema
        }
        Meant::Number { least: Some(least) } => json!({"type": "number", "min": least}),
        Meant::Number { least: None } => json!({"type": "number"}),
        Meant::Text {
            longest: Some(longest),
        } => json!({"type": "string", "maxLength": longest}),
        Meant::Text { longest: None } => json!({"type": "string"}),
        Meant::OneOf {
            options,
            titled: true,
            typed,
        } if !options.is_empty() => {
            let mut schema = json!({"oneOf": titled(options)});
            if *typed {
                schema["type"] = json!("string");
            }
            schema
        }
        Meant::OneOf { options, .. } => json!({"type": "string", "enum": options}),
        Meant::Several {
            options,
            below: true,
        } => {
            json!({"type": "array", "items": {"type": "string", "enum": options}})
        }
        Meant::Several {
            options,
            below: false,
        } => json!({"type": "array", "enum": options}),
        Meant::Referred(referred) => put_referred(world, name, referred),
    };
    if let Some(default) = &property.default {
        schema["default"] = default.clone();
    }
    world.properties.insert(name.to_owned(), schema);
}

fn put_referred(world: &mut World, name: &str, referred: &Referred) -> Value {
    let start = ["#/", "", "/"][referred.spelling];
    let place = if referred.of_metadata {
        "metadata"
    } else {
        "definitions"
    };
    let mut schema = json!({"$ref": format!("{start}{place}/{name}")});
    if let Some(own) = referred.own_type {
        schema["type"] = json!(own);
    }
    let name = name.to_owned();
    if referred.of_metadata {
        let described = json!({"type": "array", "default": referred.written});
        world.metadata_properties.insert(name.clone(), described);
        world
            .metadata
            .extend(referred.found.clone().map(|found| (name, found.into())));
    } else {
        let mut definition = json!({"enum": referred.written});
        if referred.other_type {
            definition["type"] = json!("number");
        }
        world.definitions.insert(name.clone(), definition);
        let found = referred.found.as_deref().map(titled);
        world.printed.extend(found.map(|found| (name, found)));
    }
    schema
}

fn same(one: &Value, other: &Value) -> bool {
    one == other || (one.is_number() && one.as_f64() == other.as_f64())
}

fn is_among(value: &Value, options: &[Value]) -> bool {
    options.iter().any(|option| same(option, value))
}

fn all_among(value: &Value, options: &[Value]) -> bool {
    value
        .as_array()
        .is_some_and(|items| items.iter().all(|item| is_among(item, options)))
}

/// The options that hold now; none while only a placeholder is there.
fn known(referred: &Referred) -> Option<&[Value]> {
    if let Some(found) = &referred.found {
        return Some(found);
    }
    let says_so = |value: &Value| value == "placeholder";
    let is_placeholder = referred.written.len() < 2 || referred.written.iter().all(says_so);
    (!is_placeholder).then_some(&*referred.written)
}

fn fits(meant: &Meant, value: &Value) -> bool {
    match meant {
        Meant::Boolean => value.is_boolean(),
        Meant::Whole { least, most, .. } => value.as_f64().is_some_and(|number| {
            #[expect(clippy::cast_precision_loss, reason = "the bounds are small")]
            let holds = least.is_none_or(|least| number >= least as f64)
                && most.is_none_or(|most| number <= most as f64);
            number % 1.0 == 0.0 && holds
        }),
        Meant::Number { least } => value.as_f64().is_some_and(|number| {
            #[expect(clippy::cast_precision_loss, reason = "the bounds are small")]
            least.is_none_or(|least| number >= least as f64)
        }),
        Meant::Text { longest } => value
            .as_str()
            .is_some_and(|text| longest.is_none_or(|longest| text.len() <= longest)),
        Meant::OneOf { options, .. } => is_among(value, options),
        Meant::Several { options, .. } => all_among(value, options),
        Meant::Referred(referred) => match (known(referred), referred.own_type) {
            (Some(options), Some("array")) => all_among(value, options),
            (Some(options), _) => is_among(value, options),
            (None, Some("array")) => value.is_array(),
            (None, Some("string")) => value.is_string(),
            (None, Some(_)) => value.as_f64().is_some_and(|number| number % 1.0 == 0.0),
            (None, None) => true,
        },
    }
}

/// The default, unless a selector has options in place of those of the form, and not this one.
fn counting(property: &Property) -> Option<&Value> {
    let default = property.default.as_ref().filter(|value| !value.is_null())?;
    let Meant::Referred(referred) = &property.meant else {
        return Some(default);
    };
    let stands_in = referred.of_metadata.then_some(&referred.written);
    let counts = match referred.found.as_ref().or(stands_in) {
        Some(options) if referred.own_type == Some("array") => all_among(default, options),
        Some(options) => is_among(default, options),
        None => true,
    };
    counts.then_some(default)
}

fn can_be_asked_for(meant: &Meant) -> bool {
    match meant {
        Meant::OneOf { options, .. } | Meant::Several { options, .. } => !options.is_empty(),
        Meant::Referred(referred) => known(referred).is_some_and(|options| !options.is_empty()),
        Meant::Boolean | Meant::Whole { .. } | Meant::Number { .. } | Meant::Text { .. } => true,
    }
}

/// The names of the settings that are wrong.
fn oracle(properties: &BTreeMap<String, Property>, configs: &Map<String, Value>) -> Vec<String> {
    let is_wrong = |name: &str, property: &Property| match configs.get(name) {
        None | Some(Value::Null) => {
            property.required && counting(property).is_none() && can_be_asked_for(&property.meant)
        }
        Some(value) => !fits(&property.meant, value),
    };
    let wrong = properties
        .iter()
        .filter(|(name, property)| is_wrong(name, property));
    wrong.map(|(name, _)| name.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_check_agrees_with_a_naive_reading(
        properties in prop::collection::btree_map("[p-s]", property(), 0..4),
        configs in prop::collection::btree_map("[p-t]", value(), 0..5),
    ) {
        let configs: Map<String, Value> = configs.into_iter().collect();
        let mut world = World::default();
        for (name, property) in &properties {
            put(&mut world, name, property);
        }
        let required: Vec<&String> =
            properties.iter().filter(|(_, one)| one.required).map(|(name, _)| name).collect();
        let form = json!({"schema": {
            "required": required,
            "properties": world.properties,
            "definitions": world.definitions,
        }});
        let metadata_schema = json!({"schema": {"properties": world.metadata_properties}});
        let settings =
            Settings::new(Some(&form), Some(&metadata_schema), &world.printed, &world.metadata);
        let mut found: Vec<String> = Vec::new();
        for fault in settings.check(&configs) {
            let Some(Step::Key(name)) = fault.path.first() else { panic!("{fault}") };
            found.push(name.clone());
        }
        found.sort();
        found.dedup();
        prop_assert_eq!(found, oracle(&properties, &configs), "{} {:?}", form, configs);
        let filled = settings.filled().unwrap();
        let mut given = Vec::new();
        for (name, property) in &properties {
            let shown = filled["schema"]["properties"][name].get("default");
            let shown = shown.filter(|default| !default.is_null());
            prop_assert_eq!(shown, counting(property), "{} in {}", name, filled);
            if configs.get(name).is_none_or(Value::is_null) {
                given.extend(counting(property).map(|_| name.clone()));
            }
        }
        given.extend(configs.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.clone()));
        let variables = settings.environment(&configs).variables;
        given.sort();
        let given: Vec<String> = given.iter().map(|name| config_variable_name(name)).collect();
        prop_assert_eq!(variables.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), given);
    }
}
