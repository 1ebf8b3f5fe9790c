//! The declared dependencies of the workspace's crates, as cargo tells them.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

/// When a dependency is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By the crate itself or by its build script.
    Normal,
    /// Only by tests, examples and benchmarks.
    Test,
}

/// A dependency as a manifest declares it.
#[derive(Debug)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// A crate of the workspace.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) manifest_path: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// Asks cargo. Nothing is resolved, so neither the network nor a lock file is needed.
#[expect(
    clippy::disallowed_methods,
    reason = "a developer's tool may ask cargo for its crates"
)]
pub(super) fn packages(root: &Path) -> anyhow::Result<Vec<Package>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root)
        .output()
        .context("cargo could not be started")?;
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    parse(&serde_json::from_slice(&output.stdout).context("cargo metadata is not json")?)
}

/// Reads the part of the metadata that the check needs.
pub(super) fn parse(metadata: &Value) -> anyhow::Result<Vec<Package>> {
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata has no packages")?;
    packages.iter().map(package).collect()
}

fn package(value: &Value) -> anyhow::Result<Package> {
    let dependencies = value["dependencies"]
        .as_array()
        .context("a package has no dependencies")?;
    Ok(Package {
        name: text(value, "name")?,
        manifest_path: text(value, "manifest_path")?,
        dependencies: dependencies
            .iter()
            .map(dependency)
            .collect::<anyhow::Result<_>>()?,
    })
}

fn dependency(value: &Value) -> anyhow::Result<Dependency> {
    let kind = if value["kind"] == "dev" {
        Kind::Test
    } else {
        Kind::Normal
    };
    Ok(Dependency {
        name: text(value, "name")?,
        kind,
    })
}

fn text(value: &Value, key: &str) -> anyhow::Result<String> {
    let text = value[key]
        .as_str()
        .with_context(|| format!("cargo metadata has no {key}"))?;
    Ok(text.to_owned())
}
