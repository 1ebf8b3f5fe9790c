//! The operator's definitions of connectors: a folder of files, each judged like those that come over the API.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use marquetry_app::connectors::Files;
use marquetry_connector::read;

use super::values::{Wrong, path};

/// Reads the definitions of a folder; other files than `*.json` are left alone.
pub(super) fn read_folder(text: &str) -> Result<Files, Wrong> {
    let path = path(text)?;
    let unreadable = |error: std::io::Error| {
        (
            format!("`{text}` cannot be read ({error})"),
            "name a folder that this server may read".to_owned(),
        )
    };
    let mut all = Files::new();
    let mut faults = Vec::new();
    for entry in fs::read_dir(&path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|it| it == "json") {
            read_file(&file, &mut all, &mut faults);
        }
    }
    if faults.is_empty() {
        return Ok(all);
    }
    faults.sort();
    Err((
        format!(
            "`{text}` has definitions that are wrong: {}",
            faults.join("; ")
        ),
        "mend these files; docs/connectors.md tells how a definition is written".to_owned(),
    ))
}

fn read_file(file: &Path, all: &mut Files, faults: &mut Vec<String>) {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) => return faults.push(format!("{name}.json cannot be read ({error})")),
    };
    match read(&text) {
        Ok(definition) if definition.name == name => {
            all.insert(definition.name.clone(), Arc::new(definition));
        }
        Ok(definition) => faults.push(format!(
            "{name}.json defines {}; give the file that name",
            definition.name
        )),
        Err(found) => faults.extend(found.iter().map(|fault| {
            let place = fault.place.join(".");
            format!("{name}.json: {place}: {}", fault.message)
        })),
    }
}
