//! The shipped definitions, each by the same rules as an operator's.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use marquetry_connector::{built_in, built_in_names, read};

fn files() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("connectors");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let read = entries.map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, fs::read(entry.path()).unwrap())
    });
    read.collect()
}

#[test]
fn each_is_read_and_has_its_file_name() {
    let mut faults = Vec::new();
    for (file, text) in files() {
        match read(&text) {
            Ok(definition) if format!("{}.json", definition.name) != file => {
                faults.push(format!("{file}: has the name {}", definition.name));
            }
            Ok(definition) => {
                if definition.sources.is_empty() {
                    faults.push(format!("{file}: names no source"));
                }
                if definition.description.is_none() || definition.categories.is_empty() {
                    faults.push(format!("{file}: has no description or no category"));
                }
                let fields = definition.provisioning.iter().chain(&definition.fields);
                for field in fields.filter(|field| field.label.is_empty()) {
                    faults.push(format!("{file}: {} has no label", field.name));
                }
                let json = serde_json::to_vec(&definition).unwrap();
                if read(&json).as_ref() != Ok(&definition) {
                    faults.push(format!("{file}: does not survive being written"));
                }
            }
            Err(found) => {
                let found = found.iter();
                faults.extend(
                    found.map(|it| format!("{file}: {}: {}", it.place.join("."), it.message)),
                );
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn all_files_are_compiled_in() {
    let files: BTreeSet<String> = files().into_iter().map(|(name, _)| name).collect();
    let shipped: BTreeSet<String> = built_in_names()
        .map(|name| format!("{name}.json"))
        .collect();
    assert_eq!(files, shipped);
    assert!(built_in("generic").is_some());
    assert!(built_in("no-such").is_none());
}
