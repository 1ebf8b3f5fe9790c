//! Which defaults of a form count, once a run has found options.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use marquetry_manifest::Settings;
use serde_json::{Map, Value, json};

/// The defaults that runs get of these properties, and those that the form shows, where they differ.
fn seen(properties: &Value, definitions: &Value, printed: &Value) -> (Vec<String>, Value) {
    let form = json!({"schema": {"properties": properties, "definitions": definitions}});
    let (printed, none) = (printed.as_object().unwrap().clone(), Map::new());
    let settings = Settings::new(Some(&form), None, &printed, &none);
    let given = settings.environment(&none).variables.into_iter();
    let given = given.map(|(name, value)| format!("{}={value}", &name["PAN_CFG_".len()..]));
    let filled = settings.filled().unwrap();
    (given.collect(), filled["schema"].clone())
}

#[test]
fn what_the_options_lack_is_no_default() {
    let properties = json!({
        "a": {"$ref": "#/definitions/l"},
        "b": {"$ref": "definitions/l", "default": "placeholder"},
        "c": {"$ref": "#/definitions/l", "default": "y"},
        "d": {"$ref": "#/definitions/far", "default": "placeholder"},
        "e": {"type": "array", "$ref": "#/definitions/l", "default": ["x", "placeholder"]},
        "f": {"type": "array", "$ref": "#/definitions/l", "default": ["x", "y"]},
        "g": {"type": "array", "items": {"$ref": "#/definitions/l"}, "default": ["placeholder"]},
        "h": {"type": "object", "properties": {"in": {"$ref": "#/definitions/l", "default": "z"}},
            "default": {"in": "placeholder", "other": 1}},
        "i": {"$ref": "#/definitions/number", "default": 1.0},
        "j": {"$ref": "#/definitions/unknown", "default": "placeholder"},
        "k": {"$ref": "#/definitions/round", "default": "placeholder"},
        "l": {"$ref": "#/definitions/many"},
    });
    let definitions = json!({
        "l": {"enum": ["placeholder"], "default": "placeholder"},
        "far": {"$ref": "#/definitions/l"},
        "number": {"enum": [0]},
        "unknown": {"enum": ["placeholder"]},
        "round": {"$ref": "#/definitions/round"},
        "many": {"type": "array", "items": {"type": "string"}, "default": ["placeholder"]},
    });
    let titled = json!([{"const": "x", "title": "placeholder"}, "y"]);
    let printed = json!({"l": titled, "number": [1], "many": ["x"]});
    let (given, shown) = seen(&properties, &definitions, &printed);
    let expected = [
        "C=y",
        "F=[\"x\",\"y\"]",
        "I=1",
        "J=placeholder",
        "K=placeholder",
    ];
    assert_eq!(given, expected);
    let all = shown["properties"].as_object().unwrap().iter();
    let with_default = all.filter(|(_, described)| described.get("default").is_some());
    let names: Vec<&String> = with_default.map(|(name, _)| name).collect();
    assert_eq!(names, ["c", "f", "i", "j", "k"]);
    assert_eq!(
        shown["properties"]["h"]["properties"]["in"].get("default"),
        None
    );
    assert_eq!(shown["definitions"]["l"].get("default"), None);
    assert_eq!(shown["definitions"]["many"].get("default"), None);

    let (given, shown) = seen(&properties, &definitions, &json!({}));
    assert_eq!(given.len(), 12, "{given:?}");
    assert_eq!(shown["properties"], properties, "nothing is known yet");
}

#[test]
fn one_of_the_property_gives_way_to_one_of_the_definition() {
    let properties = json!({"a": {"$ref": "#/definitions/l", "default": "gone"}});
    let definitions = json!({"l": {"enum": ["gone", "x"], "default": "x"}});
    let (given, shown) = seen(&properties, &definitions, &json!({"l": ["x", "y"]}));
    assert_eq!(given, ["A=x"]);
    assert_eq!(
        shown["definitions"]["l"],
        json!({"default": "x", "enum": ["x", "y"]})
    );
}

#[test]
fn options_that_stand_in_for_metadata_are_not_for_who_has_some() {
    let form = json!({"schema": {"properties": {
        "own": {"$ref": "#/metadata/shades", "enum": ["a", "b"], "default": "a"},
        "none": {"$ref": "#/metadata/shades", "default": "a"},
    }}});
    let shades = json!({"shades": {"type": "array", "default": ["grey", "white"]}});
    let schema = json!({"schema": {"properties": shades}});
    let none = Map::new();
    let settings = Settings::new(Some(&form), Some(&schema), &none, &none);
    let given = settings.environment(&none).variables;
    assert_eq!(given, [("PAN_CFG_OWN".to_owned(), "a".to_owned())]);
    let filled = settings.filled().unwrap();
    let shown = &filled["schema"]["properties"];
    assert_eq!(shown["own"], form["schema"]["properties"]["own"]);
    assert_eq!(
        shown["none"],
        json!({"$ref": "#/metadata/shades", "enum": ["grey", "white"]})
    );
}

#[test]
fn settings_may_have_the_names_of_keywords() {
    let named = json!({
        "default": {"type": "string", "default": "d"},
        "items": {"$ref": "#/definitions/l", "default": "placeholder"},
        "properties": {"type": "object", "default": {"default": "d"}},
        "$ref": {"type": "string"},
    });
    let properties = json!({"group": {"type": "object", "properties": named}});
    let definitions = json!({"default": {"enum": ["x"]}, "l": {"enum": ["placeholder"]}});
    let (_, shown) = seen(&properties, &definitions, &json!({"l": ["x"]}));
    let mut expected = properties;
    let items = &mut expected["group"]["properties"]["items"];
    *items = json!({"$ref": "#/definitions/l"});
    assert_eq!(shown["properties"], expected);
}

/// The manifest is text of a stranger: many long defaults of one long list.
#[test]
fn many_long_defaults_stay_cheap() {
    let options: Vec<String> = (0..50_000).map(|n| format!("option {n}")).collect();
    let default = json!(options[..5_000]);
    let properties: Map<String, Value> = (0..40)
        .map(|n| {
            let items = json!({"$ref": "#/definitions/l"});
            let one = json!({"type": "array", "items": items, "default": default});
            (format!("p{n}"), one)
        })
        .collect();
    let begun = std::time::Instant::now();
    let (given, _) = seen(&json!(properties), &json!({}), &json!({"l": options}));
    assert_eq!(given.len(), 40);
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

#[test]
fn definitions_that_refer_to_each_other_end() {
    let definitions: Map<String, Value> = (0..8)
        .map(|n| {
            let next = format!("#/definitions/d{}", n + 1);
            let items = json!({"$ref": "#/definitions/d0"});
            (format!("d{n}"), json!({"$ref": next, "items": items}))
        })
        .collect();
    let mut default = json!([]);
    for _ in 0..50 {
        default = json!([default]);
    }
    let properties = json!({"a": {"$ref": "#/definitions/d0", "default": default}});
    let (given, _) = seen(&properties, &json!(definitions), &json!({"l": ["x"]}));
    assert_eq!(given.len(), 1);
}
