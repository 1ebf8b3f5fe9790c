//! Which languages can integrations be written in here?

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use marquetry_engine::toolchain::{
    Program, SYSTEM_PATH, TOOLCHAINS, Toolchain, program_folders, version_in,
};
use serde::Serialize;
use tokio::task::JoinSet;

use super::Check;
use crate::config::{SandboxMode, ServerConfig};
use crate::printer::{Printer, Table};
use crate::programs;

const NAME: &str = "toolchains";
/// Some start a virtual machine to tell their version.
const LIMIT: Duration = Duration::from_secs(10);

/// A language, and what of it is there.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// Its name in a manifest's `base`.
    pub language: &'static str,
    /// Whether builds and runs of it work at all.
    pub ready: bool,
    /// Its programs, the one that it cannot do without first.
    pub programs: Vec<Found>,
}

/// A program, there or not.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    /// Its name.
    pub program: &'static str,
    /// Whether the language needs it; others are usual.
    pub needed: bool,
    /// Where builds and runs find it, the one they would take without further wishes first.
    pub paths: Vec<PathBuf>,
    /// The versions of these, as far as they were asked and said it.
    pub versions: Vec<String>,
    /// Where it lies on the `PATH` of whoever asks, if builds and runs do not see it there.
    pub unseen: Option<PathBuf>,
    /// How to get it.
    pub install: &'static str,
}

/// Looks for all of them.
pub(crate) async fn look(config: &ServerConfig) -> Vec<Row> {
    let mut asked = JoinSet::new();
    for (place, row) in TOOLCHAINS.iter().enumerate() {
        let folders = folders(config, row);
        for (number, program) in std::iter::once(&row.needs).chain(row.usual).enumerate() {
            let folders = folders.clone();
            asked.spawn(async move { (place, number, find(program, &folders, number == 0).await) });
        }
    }
    let mut found = asked.join_all().await;
    found.sort_by_key(|(place, number, _)| (*place, *number));
    let mut languages: Vec<Row> = TOOLCHAINS.iter().map(empty).collect();
    for (place, _, program) in found {
        languages[place].programs.push(program);
    }
    for language in &mut languages {
        let mut needed = language.programs.iter().filter(|program| program.needed);
        language.ready = needed.all(|program| !program.paths.is_empty());
    }
    languages
}

fn empty(row: &Toolchain) -> Row {
    Row {
        language: row.language.as_str(),
        ready: false,
        programs: Vec::new(),
    }
}

/// Where builds and runs look: the operator's folders, then the system's, which in a root of their
/// own do not depend on anybody's `PATH`.
fn folders(config: &ServerConfig, row: &Toolchain) -> Vec<PathBuf> {
    let mut all = program_folders(&config.toolchain_path, row);
    if config.sandbox == SandboxMode::Off {
        all.extend(own_path());
    } else {
        all.extend(SYSTEM_PATH.map(PathBuf::from));
    }
    all
}

fn own_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect()
}

async fn find(program: &'static Program, folders: &[PathBuf], needed: bool) -> Found {
    let mut real = Vec::new();
    let mut paths = Vec::new();
    for path in folders.iter().map(|folder| folder.join(program.name)) {
        // `/bin` is `/usr/bin` on most systems.
        let Ok(resolved) = path.canonicalize() else {
            continue;
        };
        if resolved.is_file() && !real.contains(&resolved) {
            real.push(resolved);
            paths.push(path);
        }
    }
    // Others than the first count for the language itself only: a manifest chooses among those.
    paths.truncate(if needed { usize::MAX } else { 1 });
    let mut versions = Vec::new();
    for path in paths.iter().filter(|_| !program.ask.is_empty()) {
        versions.extend(version(path, program).await);
    }
    let mut elsewhere = own_path()
        .into_iter()
        .map(|folder| folder.join(program.name));
    let unseen = elsewhere.find(|path| path.is_file());
    Found {
        program: program.name,
        needed,
        unseen: unseen.filter(|_| paths.is_empty()),
        paths,
        versions,
        install: program.install,
    }
}

async fn version(path: &Path, program: &Program) -> Option<String> {
    let arguments: Vec<&OsStr> = program.ask.iter().map(OsStr::new).collect();
    let name = path.display().to_string();
    let said = programs::ask(&name, &arguments, None, &[], LIMIT)
        .await
        .ok()?;
    let mut lines = said
        .text
        .lines()
        .filter(|line| !line.to_lowercase().contains("warning"));
    lines.find_map(version_in)
}

/// In one line: what is there, and that nothing is.
pub(super) fn check(languages: &[Row]) -> Check {
    let names = |ready: bool| {
        let those = languages.iter().filter(|language| language.ready == ready);
        let names: Vec<&str> = those.map(|language| language.language).collect();
        names.join(", ")
    };
    let (there, missing) = (names(true), names(false));
    if there.is_empty() {
        let remedy = "install the languages of your integrations, or name their folders with --toolchain-path";
        return Check::warn(NAME, "none found", remedy);
    }
    let detail = if missing.is_empty() {
        there
    } else {
        format!("{there}; not there: {missing}")
    };
    Check::ok(NAME, detail)
}

/// The table for people.
pub(crate) fn print(languages: &[Row], to: &mut Printer) {
    let mut table = Table::new(&["LANGUAGE", "THERE", "NOT THERE"]);
    for language in languages {
        let (there, missing): (Vec<&Found>, Vec<&Found>) = language
            .programs
            .iter()
            .partition(|found| !found.paths.is_empty());
        let there: Vec<String> = there.into_iter().map(present).collect();
        let missing: Vec<String> = missing.into_iter().map(absent).collect();
        table.row(vec![
            language.language.to_owned(),
            if language.ready {
                there.join(", ")
            } else {
                "no".to_owned()
            },
            missing.join("; "),
        ]);
    }
    table.print(to);
    to.line("");
}

fn present(found: &Found) -> String {
    let mut words = vec![found.program.to_owned()];
    if let Some((first, others)) = found.versions.split_first() {
        words.push(first.clone());
        if !others.is_empty() {
            words.push(format!("(and {})", others.join(", ")));
        }
    }
    words.join(" ")
}

/// What people need of it is said at length; what they may want, by its name.
fn absent(found: &Found) -> String {
    let name = found.program;
    match &found.unseen {
        Some(path) => format!("{name}: {} is not seen by builds and runs", path.display()),
        None if found.needed => format!("{name} ({})", found.install),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::captured::printer;

    fn found(program: &'static str, needed: bool, versions: &[&str]) -> Found {
        Found {
            program,
            needed,
            paths: versions.iter().map(PathBuf::from).collect(),
            versions: versions.iter().map(ToString::to_string).collect(),
            unseen: None,
            install: "on Debian: it",
        }
    }

    fn languages() -> Vec<Row> {
        let mut cargo = found("cargo", true, &[]);
        cargo.unseen = Some("/root/.cargo/bin/cargo".into());
        let node = found("node", true, &["22.1.0", "20.1.0"]);
        let all = [
            (
                "node",
                true,
                vec![
                    node,
                    found("npm", false, &["10.1"]),
                    found("yarn", false, &[]),
                ],
            ),
            ("php", false, vec![found("php", true, &[])]),
            ("rust", false, vec![cargo]),
        ];
        let all = all.into_iter().map(|(language, ready, programs)| Row {
            language,
            ready,
            programs,
        });
        all.collect()
    }

    #[test]
    fn the_table_says_what_is_there_and_what_to_install() {
        let (mut to, out, _) = printer(false);
        print(&languages(), &mut to);
        assert_eq!(
            out.text(),
            "LANGUAGE  THERE                               NOT THERE\n\
             node      node 22.1.0 (and 20.1.0), npm 10.1  yarn\n\
             php       no                                  php (on Debian: it)\n\
             rust      no                                  cargo: /root/.cargo/bin/cargo is not seen by builds and runs\n\n"
        );
        assert_eq!(check(&languages()).detail, "node; not there: php, rust");
        assert!(check(&[]).remedy.is_some());
    }

    #[tokio::test]
    async fn a_collection_of_versions_is_listed() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        for version in ["18.2.0", "22.1.0"] {
            let bin = folder.path().join(format!("v{version}/bin"));
            std::fs::create_dir_all(&bin).unwrap();
            let node = bin.join("node");
            std::fs::write(&node, format!("#!/bin/sh\necho v{version}\n")).unwrap();
            std::fs::set_permissions(&node, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let row = TOOLCHAINS
            .iter()
            .find(|row| row.needs.name == "node")
            .unwrap();
        let folders = program_folders(&[folder.path().to_owned()], row);
        let found = find(&row.needs, &folders, true).await;
        assert_eq!(found.versions, ["22.1.0", "18.2.0"]);
        let usual = find(&row.needs, &folders, false).await;
        assert_eq!(usual.versions, ["22.1.0"], "what is taken");
    }
}
