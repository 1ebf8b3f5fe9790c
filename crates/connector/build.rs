//! Makes the list of the definitions that are shipped out of the folder that has them.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=connectors");
    let root = folder_of("CARGO_MANIFEST_DIR")?;
    let folder = root.join("connectors");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".json").map(str::to_owned));
    }
    names.sort();
    let mut list = String::from("&[\n");
    for name in names {
        // Relative to the crate, wherever that lies when it is compiled.
        writeln!(
            list,
            "    ({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/connectors/{name}.json\"))),"
        )
        .map_err(io::Error::other)?;
    }
    list.push(']');
    let out = folder_of("OUT_DIR")?;
    fs::write(out.join("built_in.rs"), list)
}

fn folder_of(variable: &str) -> io::Result<PathBuf> {
    let missing = || io::Error::other(format!("{variable} is not set by Cargo"));
    env::var_os(variable).map(PathBuf::from).ok_or_else(missing)
}
