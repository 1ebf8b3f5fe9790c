use serde_json::json;

use super::*;

fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut checker = Checker::new(Standard { root: schema });
    let mut faults = Faults::default();
    checker.check(schema, value, &mut faults);
    if checker.is_exhausted() {
        return vec!["exhausted".to_owned()];
    }
    faults.into_list().iter().map(ToString::to_string).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_fits_and_what_does_not() {
    let table = [
        (
            json!({"type": "integer"}),
            json!([1, 1.0, -3]),
            json!([1.5, "1", true, null]),
        ),
        (
            json!({"type": ["string", "null"]}),
            json!(["", null]),
            json!([1, []]),
        ),
        (
            json!({"minimum": 1, "maximum": 3}),
            json!([1, 3, "x"]),
            json!([0, 3.5]),
        ),
        (json!({"exclusiveMinimum": 1}), json!([2]), json!([1])),
        (
            json!({"minimum": 1, "exclusiveMinimum": true}),
            json!([2]),
            json!([1]),
        ),
        (json!({"min": 5, "max": 1}), json!([3]), json!([])),
        (
            json!({"multipleOf": 0.1}),
            json!([0.3, 1, 0]),
            json!([0.25]),
        ),
        (
            json!({"minLength": 2, "maxLength": 3}),
            json!(["äö", 1]),
            json!(["a", "abcd"]),
        ),
        (
            json!({"pattern": "^(?=.*\\d)[a-z\\d]+$"}),
            json!(["a1", 7]),
            json!(["a", ""]),
        ),
        (
            json!({"pattern": "(unclosed"}),
            json!(["anything"]),
            json!([]),
        ),
        (json!({"format": "date"}), json!(["never"]), json!([])),
        (
            json!({"enum": [1, "a", null]}),
            json!([1.0, "a", null]),
            json!(["1", false]),
        ),
        (
            json!({"const": {"a": 1}}),
            json!([{"a": 1.0}]),
            json!([{}, {"a": 1, "b": 2}]),
        ),
        (
            json!({"items": {"type": "string"}}),
            json!([[], ["a"], 1]),
            json!([[1]]),
        ),
        (
            json!({"prefixItems": [{"type": "string"}], "items": false}),
            json!([[], ["a"]]),
            json!([["a", 1], [1]]),
        ),
        (
            json!({"items": [{"type": "string"}], "additionalItems": {"type": "integer"}}),
            json!([["a", 1]]),
            json!([["a", "b"]]),
        ),
        (
            json!({"uniqueItems": true}),
            json!([[1, "1"]]),
            json!([[1, 1.0]]),
        ),
        (
            json!({"minItems": 1, "maxItems": 2}),
            json!([[1]]),
            json!([[], [1, 2, 3]]),
        ),
        (
            json!({"contains": {"const": 1}, "maxContains": 1}),
            json!([[1, 2]]),
            json!([[2], [1, 1]]),
        ),
        (
            json!({"properties": {"a": {"type": "string"}}, "additionalProperties": false,
                "patternProperties": {"^x": {"type": "integer"}}}),
            json!([{}, {"a": "b", "x1": 1}]),
            json!([{"a": 1}, {"b": 1}, {"x1": "a"}]),
        ),
        (
            json!({"required": ["a"]}),
            json!([{"a": null}, 1]),
            json!([{}]),
        ),
        (
            json!({"propertyNames": {"maxLength": 1}}),
            json!([{"a": 1}]),
            json!([{"ab": 1}]),
        ),
        (
            json!({"minProperties": 1, "maxProperties": 1}),
            json!([{"a": 1}]),
            json!([{}]),
        ),
        (
            json!({"dependentRequired": {"a": ["b"]}}),
            json!([{"b": 1}]),
            json!([{"a": 1}]),
        ),
        (
            json!({"dependencies": {"a": {"required": ["b"]}}}),
            json!([{"a": 1, "b": 1}]),
            json!([{"a": 1}]),
        ),
        (
            json!({"anyOf": [{"type": "string"}, {"minimum": 3}]}),
            json!(["a", 3]),
            json!([1]),
        ),
        (
            json!({"oneOf": [{"minimum": 3}, {"maximum": 5}]}),
            json!([1, 7]),
            json!([4]),
        ),
        (
            json!({"allOf": [{"minimum": 3}, {"maximum": 5}]}),
            json!([4]),
            json!([1, 7]),
        ),
        (json!({"not": {"type": "string"}}), json!([1]), json!(["a"])),
        (
            json!({"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"minimum": 1}}),
            json!(["a", 1]),
            json!(["", 0]),
        ),
        (
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}),
            json!(["a"]),
            json!([1]),
        ),
        (
            json!({"$ref": "https://example.com/x"}),
            json!([1]),
            json!([]),
        ),
        (
            json!({"minimum": "a", "required": 1, "properties": [], "type": 7}),
            json!([1, {}]),
            json!([]),
        ),
        (json!(false), json!([]), json!([1, null])),
        (json!(true), json!([1]), json!([])),
        (
            json!({"properties": {"next": {"$ref": "#"}, "value": {"type": "integer"}}}),
            json!([{"next": {"next": {"value": 1}}}]),
            json!([{"next": {"next": {"value": "a"}}}]),
        ),
    ];
    for (schema, fitting, others) in table {
        for value in fitting.as_array().unwrap() {
            assert_eq!(
                faults(&schema, value),
                Vec::<String>::new(),
                "{schema} {value}"
            );
        }
        for value in others.as_array().unwrap() {
            assert!(!faults(&schema, value).is_empty(), "{schema} {value}");
        }
    }
}

#[test]
fn all_faults_come_with_their_places() {
    let schema = json!({
        "properties": {
            "shops": {"items": {"properties": {"name": {"type": "string"}}, "required": ["id"]}},
            "count": {"maximum": 3},
        },
    });
    let value = json!({"shops": [{"id": 1}, {"name": 5}], "count": 4});
    assert_eq!(
        faults(&schema, &value),
        [
            "shops[1].id: Field required",
            "shops[1].name: Input should be a valid string",
            "count: Input should be less than or equal to 3",
        ]
    );
}

#[test]
fn constants_beside_each_other_are_looked_up() {
    let all = |word: &str| {
        let list: Vec<Value> = (0..100)
            .map(|n| json!({"const": format!("id-{n}"), "title": n, "type": "string"}))
            .collect();
        json!({"items": {word: list}})
    };
    let known: Value = (0..12_000)
        .map(|n| json!(format!("id-{}", n % 100)))
        .collect();
    let mut wrong = known.clone();
    wrong[11_999] = json!("id-100");
    for schema in [
        json!({"items": {"enum": (0..100).map(|n| format!("id-{n}")).collect::<Vec<_>>()}}),
        all("oneOf"),
        all("anyOf"),
    ] {
        assert_eq!(faults(&schema, &known), Vec::<String>::new());
        let found = faults(&schema, &wrong);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("[11999]: "), "{found:?}");
    }
    let twice = json!({"oneOf": [{"const": 1}, {"const": 1.0}, {"const": 2, "type": "string"}]});
    assert_eq!(
        faults(&twice, &json!(1)),
        ["fits more than one of the alternatives"]
    );
    assert_eq!(faults(&twice, &json!(2)), ["fits none of the alternatives"]);
    let long = json!({"enum": [{"a": [1.5, "x"]}, null]});
    assert_eq!(
        faults(&long, &json!({"a": [1.5, "x"]})),
        Vec::<String>::new()
    );
    assert!(!faults(&long, &json!("x".repeat(1 << 20))).is_empty());
}

#[test]
fn the_last_step_may_be_used() {
    let schema = json!({"items": {"type": "integer"}});
    let value = |items: u64| Value::from(vec![1; usize::try_from(items).unwrap()]);
    assert_eq!(faults(&schema, &value(FUEL - 1)), Vec::<String>::new());
    assert_eq!(faults(&schema, &value(FUEL)), ["exhausted"]);
}

/// Each of these would take for ever, or all of a stack.
#[test]
fn costly_schemas_are_given_up() {
    let exhausted = ["exhausted"];
    let circle = json!({"$ref": "#"});
    assert_eq!(faults(&circle, &json!(1)), exhausted);
    let wide = json!({"items": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}});
    let mut deep = json!([]);
    for _ in 0..60 {
        deep = json!([deep]);
    }
    assert_eq!(faults(&wide, &deep), exhausted);
    let mut definitions = serde_json::Map::new();
    for level in 0..40 {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        definitions.insert(format!("d{level}"), json!({"anyOf": [next, next]}));
    }
    definitions.insert("d40".to_owned(), json!(false));
    let doubling = json!({"$ref": "#/$defs/d0", "$defs": definitions});
    assert_eq!(faults(&doubling, &json!(1)), exhausted);
}

#[test]
fn a_hostile_expression_is_given_up() {
    let schema = json!({"items": {"pattern": "^(a|aa|(?=b)b)+$(?<!x)\\1"}});
    let text = "a".repeat(40) + "!";
    let value: Value = (0..2000).map(|_| Value::from(text.as_str())).collect();
    assert!(!faults(&schema, &value).is_empty());
}
