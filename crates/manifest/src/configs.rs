//! The `PAN_CFG_*` variables that a tenant's settings become.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use crate::Settings;
use crate::settings::Defaults;

/// The settings of a tenant as variables for its run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigEnvironment {
    /// Names and values, in the order of the names, each name once.
    pub variables: Vec<(String, String)>,
    /// Properties that got no variable because another one took the name.
    pub collisions: Vec<Collision>,
}

/// Two properties whose names become the same variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "settings `{kept}` and `{dropped}` both become {variable}; `{dropped}` is left out, rename one of them"
)]
pub struct Collision {
    /// The variable.
    pub variable: String,
    /// The property whose value it has.
    pub kept: String,
    /// The property that is left out.
    pub dropped: String,
}

/// The variable that carries the property `name`: `PAN_CFG_` and the name in upper case, with
/// every character other than ASCII letters, digits and `_` replaced by `_`.
pub fn config_variable_name(name: &str) -> String {
    let mut variable = String::from("PAN_CFG_");
    variable.extend(name.chars().map(|c| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    }));
    variable
}

impl Settings<'_> {
    /// The variables for a run: the tenant's `configs`, and the defaults of the form for properties
    /// the tenant has not set.
    ///
    /// - Words: text as it is, booleans `true` or `false`, numbers in plain decimal, lists and
    ///   objects as compact JSON. NUL becomes U+FFFD, since no environment holds it.
    /// - `null` means not set; a property neither set nor with a default has no variable.
    /// - A default may stand in the property or in the definition it refers to. One that is not
    ///   among the options that a run has found is none.
    /// - Settings that the form does not know are passed too.
    /// - When two properties become one name, a set one goes before a default, then the first in
    ///   byte order; the other is reported.
    pub fn environment(&self, configs: &Map<String, Value>) -> ConfigEnvironment {
        variables(set(configs).into_iter().chain(self.defaults(configs)))
    }

    /// The defaults of the properties the tenant has not set, in byte order.
    fn defaults(&self, configs: &Map<String, Value>) -> BTreeMap<&str, &Value> {
        let mut defaults = Defaults::new(*self);
        let properties = self.properties().into_iter().flatten();
        properties
            .filter(|(property, _)| configs.get(*property).is_none_or(Value::is_null))
            .filter_map(|(property, described)| Some((property.as_str(), defaults.of(described)?)))
            .collect()
    }
}

fn variables<'a>(given: impl Iterator<Item = (&'a str, &'a Value)>) -> ConfigEnvironment {
    let mut environment = ConfigEnvironment::default();
    let mut taken: BTreeMap<String, (&str, &Value)> = BTreeMap::new();
    for (property, value) in given {
        let variable = config_variable_name(property);
        match taken.get(&variable) {
            Some(&(kept, _)) => environment.collisions.push(Collision {
                variable,
                kept: kept.to_owned(),
                dropped: property.to_owned(),
            }),
            None => {
                taken.insert(variable, (property, value));
            }
        }
    }
    environment.variables = taken
        .into_iter()
        .map(|(variable, (_, value))| (variable, word(value)))
        .collect();
    environment
}

/// The properties the tenant has set, in byte order.
fn set(configs: &Map<String, Value>) -> BTreeMap<&str, &Value> {
    configs
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(property, value)| (property.as_str(), value))
        .collect()
}

fn word(value: &Value) -> String {
    let word = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => decimal(number),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    if word.contains('\0') {
        word.replace('\0', "\u{fffd}")
    } else {
        word
    }
}

/// A number without exponent: shells and most number parsers of the languages take no other.
fn decimal(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => {
            // Adding zero turns -0 into 0.
            (float + 0.0).to_string()
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn environment(schema: &Value, configs: &Value) -> ConfigEnvironment {
        let (form, none) = (json!({"schema": schema}), Map::new());
        let settings = Settings::new(Some(&form), None, &none, &none);
        settings.environment(configs.as_object().unwrap())
    }

    fn given(schema: &Value, configs: &Value) -> Vec<(String, String)> {
        environment(schema, configs).variables
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn names_are_upper_case_with_underscores() {
        assert_eq!(config_variable_name("bool_input"), "PAN_CFG_BOOL_INPUT");
        assert_eq!(config_variable_name("shop.url-2"), "PAN_CFG_SHOP_URL_2");
        assert_eq!(config_variable_name("größe=\0"), "PAN_CFG_GR__E__");
    }

    #[test]
    fn values_are_words() {
        let configs = json!({
            "text": "Zürich, 5 %", "empty": "", "yes": true, "no": false, "whole": -42,
            "big": 18_446_744_073_709_551_615_u64, "part": 0.25, "round": 3.0, "huge": 1e21,
            "tiny": 1e-7, "zero": -0.0, "list": ["a", 1], "object": {"z": 1, "a": {"b": null}},
            "date": "2026-07-01",
        });
        assert_eq!(
            given(&json!({}), &configs),
            pairs(&[
                ("PAN_CFG_BIG", "18446744073709551615"),
                ("PAN_CFG_DATE", "2026-07-01"),
                ("PAN_CFG_EMPTY", ""),
                ("PAN_CFG_HUGE", "1000000000000000000000"),
                ("PAN_CFG_LIST", r#"["a",1]"#),
                ("PAN_CFG_NO", "false"),
                ("PAN_CFG_OBJECT", r#"{"z":1,"a":{"b":null}}"#),
                ("PAN_CFG_PART", "0.25"),
                ("PAN_CFG_ROUND", "3"),
                ("PAN_CFG_TEXT", "Zürich, 5 %"),
                ("PAN_CFG_TINY", "0.0000001"),
                ("PAN_CFG_WHOLE", "-42"),
                ("PAN_CFG_YES", "true"),
                ("PAN_CFG_ZERO", "0"),
            ])
        );
    }

    #[test]
    fn nul_is_replaced() {
        let found = given(&json!({}), &json!({"a": "x\0y"}));
        assert_eq!(found, pairs(&[("PAN_CFG_A", "x\u{fffd}y")]));
    }

    #[test]
    fn defaults_fill_what_is_not_set() {
        let schema = json!({"properties": {
            "set": {"type": "string", "default": "no"},
            "nulled": {"type": "integer", "default": 7},
            "missing": {"type": "boolean", "default": false},
            "bare": {"type": "string"},
            "null_default": {"type": "string", "default": null},
        }});
        let configs = json!({"set": "yes", "nulled": null, "gone": null});
        assert_eq!(
            given(&schema, &configs),
            pairs(&[
                ("PAN_CFG_MISSING", "false"),
                ("PAN_CFG_NULLED", "7"),
                ("PAN_CFG_SET", "yes"),
            ])
        );
    }

    #[test]
    fn a_default_may_stand_in_the_definition() {
        let schema = json!({
            "properties": {
                "plain": {"$ref": "#/definitions/shades"},
                "loose": {"$ref": "definitions/shades"},
                "own": {"$ref": "#/definitions/shades", "default": "white"},
                "far": {"$ref": "#/definitions/far"},
                "escaped": {"$ref": "#/definitions/a~1b"},
                "metadata": {"$ref": "#/metadata/shades"},
                "nowhere": {"$ref": "#/definitions/none"},
                "round": {"$ref": "#/definitions/round"},
            },
            "definitions": {
                "shades": {"enum": ["grey"], "default": "grey"},
                "far": {"$ref": "#/definitions/shades"},
                "a/b": {"default": 1},
                "round": {"$ref": "#/definitions/round"},
            },
        });
        assert_eq!(
            given(&schema, &json!({})),
            pairs(&[
                ("PAN_CFG_ESCAPED", "1"),
                ("PAN_CFG_FAR", "grey"),
                ("PAN_CFG_LOOSE", "grey"),
                ("PAN_CFG_OWN", "white"),
                ("PAN_CFG_PLAIN", "grey"),
            ])
        );
    }

    #[test]
    fn without_a_schema_the_settings_are_passed() {
        let configs = json!({"b": 1, "a": "x"});
        let none = Map::new();
        let settings = Settings::new(None, None, &none, &none);
        let found = settings.environment(configs.as_object().unwrap());
        assert_eq!(
            found.variables,
            pairs(&[("PAN_CFG_A", "x"), ("PAN_CFG_B", "1")])
        );
    }

    #[test]
    fn any_shape_of_schema_is_survived() {
        for schema in [
            json!(null),
            json!([1]),
            json!({"properties": []}),
            json!({"properties": {"a": 1}}),
        ] {
            assert!(given(&schema, &json!({})).is_empty(), "{schema}");
        }
    }

    #[test]
    fn collisions_are_settled_by_rule_and_reported() {
        let schema = json!({"properties": {"A-x": {"default": "default"}}});
        let found = environment(&schema, &json!({"a_x": "second", "a-x": "first"}));
        assert_eq!(found.variables, pairs(&[("PAN_CFG_A_X", "first")]));
        let dropped: Vec<&str> = found
            .collisions
            .iter()
            .map(|one| one.dropped.as_str())
            .collect();
        assert_eq!(dropped, ["a_x", "A-x"]);
        assert_eq!(
            found.collisions[0].to_string(),
            "settings `a-x` and `a_x` both become PAN_CFG_A_X; `a_x` is left out, rename one of them"
        );
    }

    #[test]
    fn the_order_of_the_input_does_not_matter() {
        let schema = json!({});
        let one = environment(&schema, &json!({"b": 1, "a": 2, "A": 3}));
        let other = environment(&schema, &json!({"A": 3, "a": 2, "b": 1}));
        assert_eq!(one, other);
    }
}
