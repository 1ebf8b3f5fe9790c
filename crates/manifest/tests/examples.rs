//! The example integrations are what a newcomer copies first: their manifests must be faultless.

use std::path::{Path, PathBuf};

use marquetry_manifest::{Language, Manifest, Settings, parse};
use serde_json::{Map, json};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
}

fn manifest(name: &str) -> Manifest {
    let text = std::fs::read(folder(name).join("PANDIUM.yaml")).expect("the manifest is there");
    let parsed = parse("PANDIUM.yaml", &text).expect("the manifest has no problem");
    assert_eq!(parsed.warnings, [], "{name}");
    parsed.manifest
}

#[test]
fn the_node_counter_is_for_node_20() {
    let manifest = manifest("node-counter");
    assert_eq!(manifest.base.language, Language::Node);
    assert_eq!(manifest.base.version.as_deref(), Some("20"));
    assert_eq!(manifest.run, "node src/main.mjs");
}

#[test]
fn the_python_counter_is_for_python_3_11() {
    let manifest = manifest("python-counter");
    assert_eq!(manifest.base.language, Language::Python);
    assert_eq!(manifest.base.version.as_deref(), Some("3.11"));
    assert_eq!(manifest.run, "python3 -m counter");
}

#[test]
fn both_have_one_form_with_every_kind_of_setting() {
    let node = manifest("node-counter");
    assert_eq!(node.configs, manifest("python-counter").configs);
    let schema = node.configs_schema().expect("a schema");
    assert_eq!(
        schema["properties"]["flavour"]["$ref"],
        json!("#/definitions/flavours")
    );
    let configs = json!({"flavour": "hazelnut", "step": 3});
    let none = Map::new();
    let settings = Settings::new(node.configs.as_ref(), None, &none, &none);
    let found = settings.environment(configs.as_object().expect("an object"));
    let pairs: Vec<(&str, &str)> = found
        .variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        pairs,
        [
            ("PAN_CFG_FLAVOUR", "hazelnut"),
            ("PAN_CFG_GREETING", "Hello"),
            ("PAN_CFG_LOUD", "false"),
            ("PAN_CFG_STEP", "3"),
        ]
    );
}

/// Commands start in the manifest's folder, so the files they name must be there.
#[test]
fn commands_name_files_that_exist() {
    for name in ["node-counter", "python-counter"] {
        let manifest = manifest(name);
        let commands = format!("{} {}", manifest.build, manifest.run);
        let files: Vec<&str> = commands
            .split_whitespace()
            .filter(|word| word.contains(".mjs") || word.contains(".py"))
            .collect();
        assert!(!files.is_empty(), "{name}");
        for file in files {
            assert!(folder(name).join(file).is_file(), "{name}: {file}");
        }
        assert!(folder(name).join("README.md").is_file(), "{name}");
    }
}
