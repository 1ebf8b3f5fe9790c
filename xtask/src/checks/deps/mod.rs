//! The crates depend on each other as `ARCHITECTURE.md` says, and what is reserved to one crate
//! stays there.

mod metadata;
mod table;

use anyhow::Context;

use self::metadata::{Dependency, Kind, Package};
use self::table::{MAY_USE_ALL, OWN_LINTS, RESERVED, ROWS, TEST_KIT};
use crate::findings::Findings;
use crate::repository::Repository;

/// Compares the manifests with the table.
pub(crate) fn run(repository: &Repository) -> anyhow::Result<Findings> {
    let packages = metadata::packages(repository.root())?;
    let mut findings = judge(&packages);
    for package in &packages {
        let manifest = std::fs::read_to_string(&package.manifest_path)
            .with_context(|| format!("{} cannot be read", package.manifest_path))?;
        if package.name != OWN_LINTS && !inherits_lints(&manifest) {
            findings.fail(format!(
                "{} does not take the workspace's lints, which forbid unsafe code: \
                 add [lints] workspace = true",
                package.name
            ));
        }
    }
    Ok(findings)
}

fn judge(packages: &[Package]) -> Findings {
    let count: usize = packages
        .iter()
        .map(|package| package.dependencies.len())
        .sum();
    let mut findings = Findings::new(format!("{} crates, {count} dependencies", packages.len()));
    for package in packages {
        let row = ROWS.iter().find(|row| row.name == package.name);
        if row.is_none() && !MAY_USE_ALL.contains(&package.name.as_str()) {
            findings.fail(format!(
                "{} is not in the table: add it to xtask/src/checks/deps/table.rs and to \
                 ARCHITECTURE.md",
                package.name
            ));
        }
        for dependency in &package.dependencies {
            if packages.iter().any(|other| other.name == dependency.name) {
                if !may_use(package, row.map(|row| row.may_use), dependency) {
                    findings.fail(format!("{} must not use {}", package.name, dependency.name));
                }
            } else if let Some(reason) = reserved_elsewhere(package, dependency) {
                findings.fail(format!(
                    "{} must not use {}: {reason}",
                    package.name, dependency.name
                ));
            }
        }
    }
    findings
}

/// Whether the table allows a dependency between two crates of the workspace.
fn may_use(package: &Package, row: Option<&[&str]>, dependency: &Dependency) -> bool {
    if dependency.name == TEST_KIT {
        return dependency.kind == Kind::Test;
    }
    let for_all = MAY_USE_ALL.contains(&package.name.as_str()) && dependency.name != "xtask";
    for_all || row.is_some_and(|names| names.contains(&dependency.name.as_str()))
}

/// The reason why a foreign crate is not for this package, if so.
fn reserved_elsewhere(package: &Package, dependency: &Dependency) -> Option<&'static str> {
    let rule = RESERVED.iter().find(|rule| rule.name == dependency.name)?;
    let allowed = rule.only.contains(&package.name.as_str())
        || (rule.free_in_tests && dependency.kind == Kind::Test);
    (!allowed).then_some(rule.reason)
}

/// Whether the manifest has the table `[lints]` with `workspace = true`.
fn inherits_lints(manifest: &str) -> bool {
    let lines = manifest.lines().map(str::trim);
    let table = lines.skip_while(|line| *line != "[lints]").skip(1);
    table
        .take_while(|line| !line.starts_with('['))
        .any(|line| line == "workspace = true")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{inherits_lints, judge, metadata};

    /// The failures for one crate with one dependency, in a workspace that has both.
    fn failures(name: &str, dependency: &str, kind: Option<&str>) -> Vec<String> {
        let package = |name: &str, dependencies: serde_json::Value| json!({ "name": name, "manifest_path": "Cargo.toml", "dependencies": dependencies });
        let mut packages = vec![package(name, json!([{ "name": dependency, "kind": kind }]))];
        if dependency.starts_with("marquetry") || dependency == "xtask" {
            packages.push(package(dependency, json!([])));
        }
        judge(&metadata::parse(&json!({ "packages": packages })).unwrap()).failures
    }

    #[test]
    fn an_arrow_of_the_table_is_fine() {
        assert_eq!(failures("marquetry-app", "marquetry-store", None), [""; 0]);
        assert_eq!(failures("marquetry", "marquetry-sandbox", None), [""; 0]);
        assert_eq!(
            failures("marquetry-engine", "marquetry-outbound", None),
            [""; 0]
        );
    }

    #[test]
    fn any_other_arrow_is_refused() {
        let refused = ["marquetry-web must not use marquetry-store"];
        assert_eq!(failures("marquetry-web", "marquetry-store", None), refused);
        assert_eq!(
            failures("marquetry-web", "marquetry-store", Some("dev")),
            refused
        );
        assert_eq!(
            failures("marquetry-web", "marquetry-store", Some("build")),
            refused
        );
        assert_eq!(
            failures("marquetry-model", "marquetry-wire", None),
            ["marquetry-model must not use marquetry-wire"]
        );
        assert_eq!(
            failures("marquetry", "xtask", None),
            ["marquetry must not use xtask"]
        );
    }

    #[test]
    fn the_test_kit_is_for_tests() {
        assert_eq!(
            failures("marquetry-web", "marquetry-testkit", Some("dev")),
            [""; 0]
        );
        assert_eq!(
            failures("marquetry", "marquetry-testkit", None),
            ["marquetry must not use marquetry-testkit"]
        );
    }

    #[test]
    fn a_crate_outside_the_table_is_refused() {
        assert_eq!(
            failures("marquetry-extra", "serde", None),
            [
                "marquetry-extra is not in the table: add it to xtask/src/checks/deps/table.rs and \
              to ARCHITECTURE.md"
            ]
        );
    }

    #[test]
    fn reserved_crates_stay_where_they_belong() {
        assert_eq!(failures("marquetry-store", "rusqlite", None), [""; 0]);
        assert_eq!(
            failures("marquetry-testkit", "tokio-postgres", None),
            [""; 0]
        );
        assert_eq!(
            failures("marquetry-app", "rusqlite", Some("dev")),
            ["marquetry-app must not use rusqlite: only the store knows that there are databases"]
        );
        assert_eq!(
            failures("marquetry-engine", "libc", None),
            ["marquetry-engine must not use libc: only the sandbox talks to the kernel by itself"]
        );
        assert_eq!(failures("marquetry-store", "anyhow", Some("dev")), [""; 0]);
        assert_eq!(failures("marquetry-store", "anyhow", None).len(), 1);
    }

    #[test]
    fn lints_are_inherited_only_by_the_lints_table() {
        assert!(inherits_lints(
            "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"
        ));
        assert!(!inherits_lints("[package]\nversion.workspace = true\n"));
        assert!(!inherits_lints(
            "[lints]\n\n[dependencies.a]\nworkspace = true\n"
        ));
    }
}
