//! Which of the machine's installations serves a manifest.
//!
//! An operator names folders with `--toolchain-path`. One that has a `bin` is an installation; one
//! whose children have it is a collection of versions (of nvm, pyenv, rbenv, asdf, SDKMAN or
//! rustup), of which each manifest gets the version it asks for.

use std::path::{Path, PathBuf};

use marquetry_manifest::Base;

use super::table::{Toolchain, toolchain};
use super::version::{numbers, serves, version_in};

/// Folders of programs that every sandbox with a root of its own searches.
pub const SYSTEM_PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Folders of programs around the system's.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tools {
    /// Searched before the system's.
    pub(crate) first: Vec<PathBuf>,
    /// Searched after it: versions that nobody asked for, better than none.
    pub(crate) last: Vec<PathBuf>,
}

/// The folders that the operator's toolchains are for a manifest; without one, those of plain
/// installations.
pub(crate) fn tools(paths: &[PathBuf], base: Option<&Base>) -> Tools {
    let mut tools = Tools::default();
    for path in paths {
        match installations(path, base.map(|base| toolchain(base.language))) {
            Found::One(folder) => tools.first.push(folder),
            Found::Several(several) => {
                let (serving, others) = choose(several, base.and_then(asked));
                tools.first.extend(serving);
                tools.last.extend(others);
            }
        }
    }
    tools
}

/// The version that decides between installations. Kotlin's and Clojure's is not Java's.
fn asked(base: &Base) -> Option<&str> {
    let row = toolchain(base.language);
    let own = row.versioned == Some(row.needs.name);
    base.version.as_deref().filter(|_| own)
}

enum Found {
    One(PathBuf),
    Several(Vec<PathBuf>),
}

/// What a folder that an operator named is.
fn installations(path: &Path, row: Option<&Toolchain>) -> Found {
    if path.join("bin").is_dir() {
        return Found::One(path.join("bin"));
    }
    let Some(row) = row else {
        return Found::One(path.to_owned());
    };
    let children = std::fs::read_dir(path).into_iter().flatten().flatten();
    let several: Vec<PathBuf> = children
        .flat_map(|child| [child.path().join("bin"), child.path()])
        .filter(|folder| folder.join(row.needs.name).is_file())
        .collect();
    if several.is_empty() {
        Found::One(path.to_owned())
    } else {
        Found::Several(several)
    }
}

/// The best that serves what is asked for, and without one the newest of all as a stopgap.
fn choose(mut several: Vec<PathBuf>, asked: Option<&str>) -> (Option<PathBuf>, Option<PathBuf>) {
    let wanted = asked.map(numbers).unwrap_or_default();
    let key = |folder: &PathBuf| {
        let have = numbers(&version_of(folder));
        let alike = wanted.iter().zip(&have).take_while(|(a, b)| a == b);
        (alike.count(), have)
    };
    several.sort_by_cached_key(|folder| (key(folder), folder.clone()));
    let best = several.pop();
    let serving = best
        .as_ref()
        .is_some_and(|folder| asked.is_none_or(|asked| serves(asked, &version_of(folder))));
    if serving {
        return (best, None);
    }
    several.extend(best);
    let newest = several
        .into_iter()
        .max_by_key(|folder| numbers(&version_of(folder)));
    (None, newest)
}

/// The version in the name of an installation whose programs lie in `folder`.
fn version_of(folder: &Path) -> String {
    let named = if folder.ends_with("bin") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    let name = named.file_name().unwrap_or_default().to_string_lossy();
    version_in(&name).unwrap_or_default()
}

/// Where a node finds programs outside of the system's folders, for people who ask: of a
/// collection, every version.
pub fn program_folders(paths: &[PathBuf], row: &Toolchain) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in paths {
        match installations(path, Some(row)) {
            Found::One(folder) => all.push(folder),
            Found::Several(mut several) => {
                several.sort_by_cached_key(|folder| numbers(&version_of(folder)));
                several.reverse();
                all.extend(several);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(written: &str) -> Base {
        Base::read(written).unwrap()
    }

    /// A collection with these versions of Node.
    fn versions(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let bin = folder.path().join(name).join("bin");
            std::fs::create_dir_all(&bin).unwrap();
            std::fs::write(bin.join("node"), "").unwrap();
        }
        folder
    }

    fn chosen(folder: &Path, written: &str) -> (Vec<String>, Vec<String>) {
        let names = |folders: Vec<PathBuf>| {
            let below = folders.iter().map(|one| one.strip_prefix(folder).unwrap());
            below.map(|one| one.display().to_string()).collect()
        };
        let tools = tools(&[folder.to_owned()], Some(&base(written)));
        (names(tools.first), names(tools.last))
    }

    #[test]
    fn of_a_collection_the_version_asked_for() {
        let folder = versions(&["v18.2.0", "v20.1.0", "v20.11.1", "v9.9.9", "alias"]);
        let one = |name: &str| vec![format!("{name}/bin")];
        let chosen = |written: &str| chosen(folder.path(), written);
        assert_eq!(chosen("node:20"), (one("v20.11.1"), vec![]));
        assert_eq!(chosen("node:20.1.0"), (one("v20.1.0"), vec![]));
        assert_eq!(chosen("node:20.9"), (one("v20.11.1"), vec![]));
        assert_eq!(chosen("node"), (one("v20.11.1"), vec![]), "the newest");
        assert_eq!(chosen("node:22"), (vec![], one("v20.11.1")), "a stopgap");
    }

    #[test]
    fn an_installation_is_its_bin_or_itself() {
        let folder = versions(&["v20.1.0"]);
        let path = folder.path().join("v20.1.0");
        let first = |path: &Path, written: Option<&str>| {
            tools(&[path.to_owned()], written.map(base).as_ref()).first
        };
        assert_eq!(first(&path, Some("node:18")), [path.join("bin")]);
        assert_eq!(first(&path, None), [path.join("bin")]);
        assert_eq!(first(folder.path(), Some("ruby")), [folder.path()]);
    }

    #[test]
    fn the_version_of_kotlin_is_not_that_of_java() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["11.0.2-tem", "21.0.1-tem"] {
            let bin = folder.path().join(name).join("bin");
            std::fs::create_dir_all(&bin).unwrap();
            std::fs::write(bin.join("java"), "").unwrap();
        }
        let newest = vec!["21.0.1-tem/bin".to_owned()];
        assert_eq!(chosen(folder.path(), "kotlin:2.4.10"), (newest, vec![]));
        let asked = vec!["11.0.2-tem/bin".to_owned()];
        assert_eq!(chosen(folder.path(), "java:11"), (asked, vec![]));
    }
}
