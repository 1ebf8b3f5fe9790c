//! What the form of a manifest allows, with every bent spelling that manifests in use have.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use marquetry_manifest::{Settings, masked, parse, secret_names};
use serde_json::{Map, Value, json};

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// Sentences about `configs`, given a schema, what init runs printed and the metadata.
fn check_with(schema: &Value, printed: Value, metadata: Value, configs: Value) -> Vec<String> {
    let (printed, metadata) = (object(printed), object(metadata));
    let form = json!({"schema": schema});
    let metadata_schema = json!({"schema": {"properties": {
        "shades": {"type": "array", "default": ["grey", "white"]},
        "single": {"type": "array", "default": ["grey"]},
    }}});
    let settings = Settings::new(Some(&form), Some(&metadata_schema), &printed, &metadata);
    let faults = settings.check(&object(configs));
    faults.iter().map(ToString::to_string).collect()
}

fn check(schema: &Value, configs: Value) -> Vec<String> {
    check_with(schema, json!({}), json!({}), configs)
}

fn one(property: &Value) -> Value {
    json!({"properties": {"a": property}})
}

#[track_caller]
fn assert_table(table: &[(Value, Value, Value)]) {
    for (property, fitting, others) in table {
        let schema = one(property);
        for value in fitting.as_array().unwrap() {
            let found = check(&schema, json!({"a": value}));
            assert_eq!(found, Vec::<String>::new(), "{property} {value}");
        }
        for value in others.as_array().unwrap() {
            let found = check(&schema, json!({"a": value}));
            assert!(!found.is_empty(), "{property} {value}");
        }
    }
}

#[test]
fn types_and_their_keywords() {
    assert_table(&[
        (
            json!({"type": "boolean"}),
            json!([true, false, null]),
            json!(["true", 1, "yes"]),
        ),
        (
            json!({"type": "integer"}),
            json!([1, -1, 1.0]),
            json!([1.5, "1", true]),
        ),
        (
            json!({"type": "number"}),
            json!([1, 1.5]),
            json!(["1.5", false]),
        ),
        (
            json!({"type": "string"}),
            json!(["", "x"]),
            json!([1, true, [], {}]),
        ),
        (
            json!({"type": "integer", "min": -5, "max": 5}),
            json!([-5, 5]),
            json!([-6, 6]),
        ),
        (
            json!({"type": "number", "minimum": 0, "max": 1}),
            json!([0, 1]),
            json!([-0.1, 1.1]),
        ),
        (
            json!({"type": "number", "min": 1, "minimum": 3}),
            json!([3]),
            json!([2]),
        ),
        (
            json!({"type": "string", "format": "date"}),
            json!(["2026-07-01"]),
            json!(["1.7.2026"]),
        ),
        (
            json!({"type": "string", "format": "time"}),
            json!(["09:30"]),
            json!(["9 am"]),
        ),
        (
            json!({"type": "string", "format": "date-time"}),
            json!(["2026-07-01T09:30:00Z"]),
            json!(["2026-07-01"]),
        ),
        (
            json!({"type": "string", "minLength": 2, "pattern": "^a"}),
            json!(["ab"]),
            json!(["a", "bb"]),
        ),
        (
            json!({"type": "object", "properties": {"n": {"type": "integer", "max": 3}},
                "required": ["n"], "additionalProperties": false}),
            json!([{"n": 3}]),
            json!([{}, {"n": 4}, {"n": 1, "m": 1}]),
        ),
        (json!({"type": "strnig"}), json!([1, "a"]), json!([])),
        (json!({}), json!([1, "a", []]), json!([])),
    ]);
}

#[test]
fn options_decide() {
    let multi = json!({"type": "array", "items": {"type": "string", "enum": ["x", "y"]}, "uniqueItems": true});
    assert_table(&[
        (
            json!({"type": "string", "enum": ["x", "y"]}),
            json!(["x"]),
            json!(["z", "", 1]),
        ),
        (
            json!({"type": "string", "oneOf": [{"const": 1, "title": "One"}, {"const": 2}]}),
            json!([1, 2.0]),
            json!(["1", 3, "One"]),
        ),
        (
            json!({"ref": "#/definitions/x", "enum": ["x"]}),
            json!(["x"]),
            json!(["y"]),
        ),
        (
            multi,
            json!([[], ["x"], ["y", "x"]]),
            json!(["x", ["z"], ["x", "x"]]),
        ),
        (
            json!({"type": "array", "enum": ["x", "y"]}),
            json!([[], ["x", "y"]]),
            json!(["x", ["z"]]),
        ),
        (
            json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}),
            json!(["anything", 5]),
            json!([1.5, true]),
        ),
    ]);
}

/// The slips of the original's tutorial, before and after the first init run.
#[test]
fn a_placeholder_asks_for_nothing_until_options_come() {
    let schema = json!({
        "properties": {
            "type": {"type": "string", "$ref": "#/definitions/types"},
            "user": {"type": "string", "$ref": "definitions/users"},
            "free": {"$ref": "#/definitions/users"},
            "many": {"type": "array", "$ref": "#/definitions/types"},
            "items": {"type": "array", "items": {"$ref": "#/definitions/types"}},
        },
        "required": ["type", "user", "many", "items"],
        "definitions": {
            "types": {"enum": ["placeholder"]},
            "users": {"type": "number", "oneOf": [{"title": "Placeholder", "const": "placeholder"}]},
        },
    });
    let none = Vec::<String>::new();
    assert_eq!(check(&schema, json!({})), none);
    let early = json!({"type": "rock", "user": "U1", "free": 7, "many": ["a"], "items": ["b"]});
    assert_eq!(check(&schema, early), none);
    let wrong = check(&schema, json!({"type": 7, "many": "a"}));
    assert_eq!(
        wrong,
        [
            "type: Input should be a valid string",
            "many: Input should be a valid list"
        ]
    );

    let printed = json!({"types": ["rock", "fire"], "users": [{"const": "U1", "title": "ann"}]});
    let after = |configs| check_with(&schema, printed.clone(), json!({}), configs);
    let right = json!({"type": "rock", "user": "U1", "many": ["fire"], "items": []});
    assert_eq!(after(right), none);
    let found =
        after(json!({"type": "placeholder", "user": "ann", "many": "rock", "items": ["x"]}));
    assert_eq!(
        found,
        [
            "type: Input should be 'rock' or 'fire'",
            "user: Input should be 'U1'",
            "many: Input should be a valid list",
            "items[0]: Input should be 'rock' or 'fire'",
        ]
    );
    assert_eq!(after(json!({})).len(), 4, "now they are required");
    let emptied = check_with(
        &schema,
        json!({"types": []}),
        json!({}),
        json!({"type": "rock"}),
    );
    assert_eq!(
        emptied,
        ["type: Input should be one of the options, and there are none"]
    );
}

#[test]
fn written_definitions_with_a_choice_hold() {
    let schema = json!({
        "properties": {"a": {"$ref": "#/definitions/list"}, "b": {"$ref": "#/definitions/box"},
            "c": {"$ref": "#/definitions/gone"}, "d": {"$ref": "#/definitions/round"}},
        "definitions": {
            "list": {"enum": ["x", "y"]},
            "box": {"type": "object", "properties": {"n": {"type": "integer"}}},
            "round": {"$ref": "#/definitions/round"},
        },
    });
    let none = Vec::<String>::new();
    assert_eq!(
        check(&schema, json!({"a": "x", "b": {"n": 1}, "c": "anything"})),
        none
    );
    let wrong = check(&schema, json!({"a": "z", "b": {"n": "1"}}));
    assert_eq!(
        wrong,
        [
            "a: Input should be 'x' or 'y'",
            "b.n: Input should be a valid integer"
        ]
    );
    let printed = json!({"box": [1], "list": ["z"], "gone": ["here"]});
    let right = json!({"a": "z", "b": {"n": 1}, "c": "here"});
    assert_eq!(check_with(&schema, printed, json!({}), right), none);
    let given_up = check(&schema, json!({"a": "z", "d": 1, "e": 1}));
    assert_eq!(
        given_up,
        [
            "a: Input should be 'x' or 'y'",
            "d: the form is too complex to check this value; simplify its schema"
        ]
    );
    let all = json!({"not": {"$ref": "#"}, "properties": {"a": {"type": "string"}}});
    assert_eq!(
        check(&all, json!({"a": 1})),
        [
            "a: Input should be a valid string",
            "the form is too complex to check these values; simplify its schema"
        ]
    );
}

/// What an init run may print, and somebody choose from it.
#[test]
fn many_of_many_options_are_no_burden() {
    let list = |count: usize| (0..count).map(|n| json!({"const": n, "title": "t"}));
    let printed = json!({"users": list(10_000).collect::<Vec<_>>()});
    let schema = json!({
        "properties": {
            "many": {"type": "array", "$ref": "#/definitions/users"},
            "items": {"type": "array", "items": {"$ref": "#/definitions/users"}},
            "own": {"type": "array", "items": {"oneOf": list(5_000).collect::<Vec<_>>()}},
        },
        "definitions": {"users": {"enum": ["placeholder"]}},
    });
    let chosen: Vec<usize> = (0..5_000).collect();
    let mut configs = json!({"many": chosen, "items": chosen, "own": chosen});
    let checked =
        |configs: &Value| check_with(&schema, printed.clone(), json!({}), configs.clone());
    assert_eq!(checked(&configs), Vec::<String>::new());
    configs["many"][4_999] = json!(10_000);
    configs["own"][4_999] = json!(5_000);
    let expected = |count: usize| {
        format!(
            "Input should be 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 or one of {} more",
            count - 10
        )
    };
    assert_eq!(
        checked(&configs),
        [
            format!("many[4999]: {}", expected(10_000)),
            format!("own[4999]: {}", expected(5_000)),
        ]
    );
}

/// Each setting has its own share, and all together have an end.
#[test]
fn one_costly_setting_does_not_hide_the_others() {
    let doubling = |n: usize| {
        let next = json!({"$ref": format!("#/definitions/d{}", n + 1)});
        json!({"allOf": [next, next]})
    };
    let mut definitions: Map<String, Value> =
        (0..30).map(|n| (format!("d{n}"), doubling(n))).collect();
    definitions.insert("d30".to_owned(), json!({}));
    definitions.insert("round".to_owned(), json!({"$ref": "#/definitions/round"}));
    let mut properties = object(json!({
        "a1": {"$ref": "#/definitions/d0"}, "a2": {"$ref": "#/definitions/d0"},
        "z": {"items": {"type": "string"}},
    }));
    let mut texts = vec![json!("text"); 100];
    texts.push(json!(7));
    let wrong = "z[100]: Input should be a valid string";
    let round = |n: usize| (format!("r{n:02}"), json!({"$ref": "#/definitions/round"}));
    properties.extend((0..50).map(round));
    let schema = json!({"properties": properties, "definitions": definitions});
    let given_up = |name: &str| {
        format!("{name}: the form is too complex to check this value; simplify its schema")
    };
    let mut configs = json!({"a1": 1, "z": texts});
    let mut expected = vec![given_up("a1")];
    for n in 0..50 {
        configs[format!("r{n:02}")] = json!(n);
        expected.push(given_up(&format!("r{n:02}")));
    }
    expected.push(wrong.to_owned());
    let sorted = |configs: &Value| {
        let mut found = check(&schema, configs.clone());
        found.sort();
        found
    };
    assert_eq!(sorted(&configs), expected);
    let mut configs = json!({"a1": 1, "a2": 1, "z": texts});
    let all = ["a1", "a2", "z"].map(given_up);
    assert_eq!(sorted(&configs), all, "all together have an end");
    configs = json!({"z": texts, "a1": 1, "a2": 1});
    assert_eq!(sorted(&configs)[2], wrong);
}

#[test]
fn options_of_metadata() {
    let schema = json!({"properties": {
        "shade": {"$ref": "#/metadata/shades"},
        "odd": {"type": "string", "$ref": "metadata/single"},
        "many": {"type": "array", "items": {"$ref": "#/metadata/shades"}},
    }});
    let none = Vec::<String>::new();
    let first = json!({"shade": "grey", "odd": "anything", "many": ["white"]});
    assert_eq!(
        check(&schema, first),
        none,
        "a default with one option is a placeholder"
    );
    assert_eq!(
        check(&schema, json!({"shade": "pink"})),
        ["shade: Input should be 'grey' or 'white'"]
    );
    let metadata = json!({"shades": [{"const": 1, "title": "light"}, "dark"], "single": "no list"});
    let now = |configs| check_with(&schema, json!({}), metadata.clone(), configs);
    assert_eq!(now(json!({"shade": 1, "many": ["dark", 1]})), none);
    assert_eq!(
        now(json!({"shade": "grey"})),
        ["shade: Input should be 1 or 'dark'"]
    );
}

#[test]
fn the_form_as_a_whole() {
    let schema = json!({
        "properties": {"a": {"type": "string", "default": "x"}, "b": {}, "c": {"$ref": "#/definitions/d"}},
        "required": ["a", "b", "c", "gone"],
        "definitions": {"d": {"type": "string", "default": "y"}},
        "if": {"properties": {"b": {"const": 1}}, "required": ["b"]},
        "then": {"required": ["e"]},
    });
    let missing = |names: &[&str]| -> Vec<String> {
        names
            .iter()
            .map(|name| format!("{name}: Field required"))
            .collect()
    };
    assert_eq!(check(&schema, json!({"b": null})), missing(&["b", "gone"]));
    assert_eq!(check(&schema, json!({"b": 1, "gone": 0})), missing(&["e"]));
    assert_eq!(
        check(&schema, json!({"b": 2, "gone": 0, "unknown": [1]})),
        missing(&[])
    );
    let closed = json!({"properties": {"a": {}}, "additionalProperties": false});
    assert_eq!(
        check(&closed, json!({"a": 1, "b": 2})),
        ["b: Extra inputs are not permitted"]
    );
    for schema in [
        json!(null),
        json!([]),
        json!({"properties": [], "required": "a"}),
    ] {
        assert!(check(&schema, json!({"a": 1})).is_empty(), "{schema}");
    }
    let (none, given) = (Map::new(), object(json!({"a": 1})));
    let settings = Settings::new(None, None, &none, &none);
    assert!(settings.check(&given).is_empty());
    assert_eq!(settings.filled(), None);
}

#[test]
fn the_form_is_filled() {
    let form = json!({
        "schema": {
            "properties": {
                "user": {"type": "string", "$ref": "definitions/users"},
                "shade": {"type": "array", "$ref": "#/metadata/shades"},
                "new": {"$ref": "#/definitions/new"},
                "plain": {"type": "string"},
            },
            "definitions": {
                "users": {"type": "number", "default": 1, "oneOf": [{"const": 1, "title": "-"}]},
                "tags": {"type": "array", "items": {"type": "string", "enum": ["placeholder"]}},
                "kept": {"enum": ["a", "b"]},
                "box": {"properties": {}},
            },
        },
        "uischema": {"type": "VerticalLayout", "elements": []},
    });
    let printed = object(json!({
        "users": ["U1", {"const": "U2", "title": "bob"}, ["odd"], {"title": "no value"}],
        "tags": ["a", "b"], "box": [1], "new": [1, 2], "stray": ["x"],
    }));
    let metadata = object(json!({"shades": ["light"]}));
    let filled = Settings::new(Some(&form), None, &printed, &metadata)
        .filled()
        .unwrap();
    let schema = &filled["schema"];
    assert_eq!(
        schema["definitions"],
        json!({
            "users": {"oneOf": [{"const": "U1", "title": "U1"}, {"const": "U2", "title": "bob"}]},
            "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
            "kept": {"enum": ["a", "b"]},
            "box": {"properties": {}},
            "new": {"enum": [1, 2]},
        })
    );
    assert_eq!(
        schema["properties"]["shade"],
        json!({"type": "array", "$ref": "#/metadata/shades", "items": {"enum": ["light"]}})
    );
    assert_eq!(schema["metadata"], json!({"shades": {"enum": ["light"]}}));
    assert_eq!(
        schema["properties"]["user"],
        form["schema"]["properties"]["user"]
    );
    assert_eq!(filled["uischema"], form["uischema"]);
    let nothing = Map::new();
    let same = Settings::new(Some(&form), None, &nothing, &nothing).filled();
    assert_eq!(same, Some(form.clone()));
}

#[test]
fn secrets_are_found_and_masked() {
    let form = json!({"schema": {
        "properties": {
            "a": {"type": "string", "format": "password"},
            "b": {"type": "string", "writeOnly": true},
            "c": {"$ref": "#/definitions/key"},
            "d": {"type": "object", "properties": {"inner": {"format": "password"}}},
            "e": {"type": "string", "writeOnly": false},
        },
        "definitions": {"key": {"type": "string", "format": "password"}},
    }});
    let names = secret_names(Some(&form));
    assert_eq!(names.iter().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    let mut configs = object(json!({"a": "x", "d": {"inner": 1}, "e": "shown"}));
    masked(&mut configs, &names);
    assert_eq!(
        Value::Object(configs),
        json!({"a": "********", "d": "********", "e": "shown"})
    );
    assert!(secret_names(None).is_empty());
}

#[test]
fn many_references_to_many_options_stay_cheap() {
    let options: Vec<String> = (0..30_000).map(|n| format!("option {n}")).collect();
    let properties: Map<String, Value> = (0..5_000)
        .map(|n| (format!("p{n}"), json!({"$ref": "#/metadata/list"})))
        .collect();
    let form = json!({"schema": {"properties": properties}});
    let printed = Map::new();
    let metadata = object(json!({"list": options}));
    let settings = Settings::new(Some(&form), None, &printed, &metadata);
    let filled = settings.filled().unwrap().to_string();
    assert!(filled.len() < 4 << 20, "{} bytes", filled.len());
    let configs: Map<String, Value> = (0..5_000)
        .map(|n| (format!("p{n}"), json!("no option")))
        .collect();
    assert_eq!(settings.check(&configs).len(), 100, "as many as are named");
    let configs: Map<String, Value> = (0..5_000)
        .map(|n| (format!("p{n}"), json!(format!("option {n}"))))
        .collect();
    assert_eq!(settings.check(&configs), []);
}

#[test]
fn patterns_that_cannot_be_used_are_warned_of() {
    let manifest = "version: 1.0\nbase: node:20\nbuild: 'true'\nrun: node .\nconfigs:\n  schema:\n    properties:\n      a: {type: string, pattern: '(open'}\nmetadata_schema:\n  schema:\n    patternProperties: {'[z-a]': {}}\n";
    let parsed = parse("PANDIUM.yaml", manifest.as_bytes()).unwrap();
    let warnings: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "PANDIUM.yaml:5:1: configs.schema: the pattern `(open` cannot be used and is ignored",
            "PANDIUM.yaml:9:1: metadata_schema.schema: the pattern `[z-a]` cannot be used and is ignored",
        ]
    );
}
