//! The manifest's shape as a JSON Schema, for editors.
//!
//! Made of the parser's own lists and bounds. It says no more than the parser does: what the parser
//! only warns about is allowed here, and what only the parser can tell (names that refer to
//! nothing, bytes instead of characters) is left to it.

use serde_json::{Map, Value, json};

use crate::base::{LONGEST_VERSION, VERSION_MARKS, spellings};
use crate::manifest::Egress;
use crate::read::{
    COMMAND_LIMIT, ELEMENTS, KEYS, LONGEST_SECONDS, METADATA_KEYS, NARROWING_KEYS, NARROWING_LATER,
    PROPERTY_TYPES, SCHEMA_KEYS, SCOPED_ELEMENTS, VERSIONS,
};

/// The JSON Schema (draft 7, which editors understand best) of a `PANDIUM.yaml`. Every manifest that
/// [`crate::parse`] takes is valid by it.
pub fn manifest_schema() -> Value {
    let required = ["version", "base", "build", "run"];
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "PANDIUM.yaml",
        "description": "What an integration is: its language, its commands, the settings of its tenants.",
        "type": "object",
        "required": required,
        "properties": described(KEYS, key),
        "definitions": {"element": element()},
    })
}

fn described(keys: &[&str], describe: impl Fn(&str) -> Value) -> Map<String, Value> {
    keys.iter()
        .map(|key| ((*key).to_owned(), describe(key)))
        .collect()
}

fn key(name: &str) -> Value {
    match name {
        "version" => json!({
            "description": "The version of the manifest's format.",
            "type": SCALAR, "pattern": "\\S", "examples": VERSIONS,
        }),
        "base" => base(),
        "build" => command(
            "The shell command that installs what the code needs; `true` when there is nothing to build.",
        ),
        "run" => {
            command("The shell command that starts the integration, in the manifest's folder.")
        }
        "configs" => json!({
            "description": "The settings of a tenant and the form that shows them.",
            "type": ["object", "null"],
            "properties": described(SCHEMA_KEYS, configs),
        }),
        "connectors" => json!({
            "description": "A list of the names of the connectors that the code uses; for information, so anything else is only ignored.",
            "examples": [["slack"]],
        }),
        "metadata_schema" => json!({
            "description": "What a run may print to be kept about its tenant.",
            "type": ["object", "null"],
            "required": ["schema"],
            "properties": described(METADATA_KEYS, metadata),
        }),
        "marquetry" => json!({
            "description": "Bounds that are narrower than those of the integration.",
            "type": ["object", "null"],
            "properties": narrowing_keys(),
        }),
        _ => Value::Bool(true),
    }
}

/// What has no effect yet is refused by the parser, too.
fn narrowing_keys() -> Map<String, Value> {
    let mut all = described(NARROWING_KEYS, narrowing);
    let later = NARROWING_LATER.iter();
    all.extend(later.map(|key| ((*key).to_owned(), Value::Bool(false))));
    all
}

/// Words are read from any of them: `1.0` and `true` need no quotes.
const SCALAR: [&str; 3] = ["string", "number", "boolean"];

fn command(description: &str) -> Value {
    json!({
        "description": description,
        "type": SCALAR, "pattern": "\\S", "maxLength": COMMAND_LIMIT,
    })
}

fn base() -> Value {
    let words: Vec<String> = spellings().map(any_case).collect();
    let pattern = format!(
        "^\\s*({})\\s*(:\\s*[A-Za-z0-9{VERSION_MARKS}]{{1,{LONGEST_VERSION}}}\\s*)?$",
        words.join("|")
    );
    json!({
        "description": "The language that builds and runs the code, with a version if it matters: `node:20`.",
        "type": "string", "pattern": pattern, "examples": spellings().collect::<Vec<_>>(),
    })
}

/// A pattern for a word in any letter case: the flag for that is not known to all editors.
fn any_case(word: &str) -> String {
    let letter = |c: char| match c {
        '.' => "\\.".to_owned(),
        c => format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase()),
    };
    word.chars().map(letter).collect()
}

fn configs(name: &str) -> Value {
    match name {
        "schema" => json!({
            "description": "A JSON Schema of the settings; each becomes `PAN_CFG_<NAME>` in a run.",
            "type": ["object", "null"],
            "properties": {
                "properties": {
                    "type": ["object", "null"], "additionalProperties": property(),
                },
                "definitions": {
                    "description": "Lists of options, to which `$ref` refers; an init run may fill them.",
                    "type": ["object", "null"], "additionalProperties": {"type": "object"},
                },
                "required": {"type": ["array", "null"], "items": {"type": SCALAR}},
            },
        }),
        _ => json!({
            "description": "The form: how and in which order the settings are shown.",
            "anyOf": [{"type": "null"}, {"$ref": "#/definitions/element"}],
        }),
    }
}

fn metadata(name: &str) -> Value {
    match name {
        "schema" => json!({"description": "A JSON Schema.", "type": "object"}),
        _ => json!({"description": "A form; kept, not read."}),
    }
}

fn property() -> Value {
    json!({
        "type": "object",
        "properties": {
            "type": {"type": ["string", "array", "null"], "examples": PROPERTY_TYPES},
            "enum": {"type": ["array", "null"]},
            "oneOf": {"type": ["array", "null"]},
            "$ref": {
                "description": "The list of options: `#/definitions/…` or `#/metadata/…`.",
                "type": ["string", "null"],
            },
        },
    })
}

fn element() -> Value {
    json!({
        "type": "object",
        "properties": {
            "type": {"type": ["string", "null"], "examples": ELEMENTS},
            "elements": {
                "type": ["array", "null"], "items": {"$ref": "#/definitions/element"},
            },
        },
        "if": {"required": ["type"], "properties": {"type": {"enum": SCOPED_ELEMENTS}}},
        "then": {"properties": {"scope": {
            "description": "The setting that is shown: `#/properties/name`.",
            "type": ["string", "null"],
        }}},
    })
}

fn narrowing(name: &str) -> Value {
    match name {
        "timeout_seconds" => json!({
            "description": "A shorter time limit of a run, in seconds.",
            "type": ["integer", "string"],
            "minimum": 1, "maximum": LONGEST_SECONDS, "pattern": "^\\+?[0-9]+$",
        }),
        _ => {
            let words = Egress::ALL.map(Egress::as_str);
            json!({
                "description": "What a run may connect to.",
                "type": "string", "examples": words,
                "pattern": format!("^({})$", words.map(any_case).join("|")),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_described() {
        let schema = manifest_schema();
        for (keys, at) in [
            (KEYS, "/properties"),
            (SCHEMA_KEYS, "/properties/configs/properties"),
            (METADATA_KEYS, "/properties/metadata_schema/properties"),
            (NARROWING_KEYS, "/properties/marquetry/properties"),
        ] {
            for key in keys {
                let text = &schema.pointer(at).unwrap()[key]["description"];
                assert!(text.is_string(), "{at}/{key}");
            }
        }
    }
}
